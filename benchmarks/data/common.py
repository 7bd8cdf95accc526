"""What the scripts of this folder share: a virtual environment with the peers, and calls of our side."""

import json
import os
import pathlib
import subprocess
import sys
import venv

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHARED = pathlib.Path(os.environ.get("NYSTROM_SHARED", ROOT.parent / "shared")) / "data"


def in_peers_environment(packages, folder=None):
    """Goes on in a virtual environment that has the packages; makes it where it is not there."""
    folder = pathlib.Path(folder or os.environ.get("NYSTROM_PEERS", ROOT / "build" / "peers"))
    python = folder / "bin" / "python"
    if pathlib.Path(sys.prefix) == folder:
        return
    if not python.exists():
        venv.create(folder, with_pip=True)
    subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
    os.execv(python, [str(python), *sys.argv])


def ours(*arguments, **options):
    program = pathlib.Path(os.environ.get("NYSTROM_DATA_BENCHMARK", ROOT / "build" / "data_benchmark"))
    if not program.exists():
        sys.exit(f"{program} is not built: ninja -C build data_benchmark")
    done = subprocess.run([program, *map(str, arguments)], check=True, capture_output=True, text=True, **options)
    return json.loads(done.stdout)
