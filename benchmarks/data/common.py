"""Shared helpers of the data benchmarks: virtual environment of the peers, calls of our program, results."""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time
import venv

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from machine import ROOT, commit, processor  # noqa: E402

SHARED = pathlib.Path(os.environ.get("NYSTROM_SHARED", ROOT.parent / "shared")) / "data"

# Peers run on one thread.
os.environ["RAYON_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"


def in_peers_environment(packages, folder=None):
    """Re-executes the script in a virtual environment with the packages; creates the environment if needed."""
    folder = pathlib.Path(folder or os.environ.get("NYSTROM_PEERS", ROOT / "build" / "peers")).resolve()
    python = folder / "bin" / "python"
    if pathlib.Path(sys.prefix).resolve() == folder:
        return
    if not python.exists():
        venv.create(folder, with_pip=True)
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages], check=True)
    os.execv(python, [str(python), *sys.argv])


def ours(*arguments, **options):
    program = pathlib.Path(os.environ.get("NYSTROM_DATA_BENCHMARK", ROOT / "build" / "data_benchmark"))
    if not program.exists():
        sys.exit(f"{program} does not exist. Build it with: ninja -C build data_benchmark")
    done = subprocess.run([program, *map(str, arguments)], check=True, capture_output=True, text=True, **options)
    return json.loads(done.stdout)


def median(values):
    return round(statistics.median(values), 3)


def arguments_of(doc, **options):
    """Parses --output, --rounds and the given `options`."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=pathlib.Path, help="JSON file for the results")
    parser.add_argument("--rounds", type=int, default=3, help="ours and the peers alternate; results are medians")
    for name, settings in options.items():
        parser.add_argument(f"--{name}", **settings)
    return parser.parse_args()


def report(results, output):
    head = {"date": time.strftime("%Y-%m-%d"), "machine": processor(), "cores": os.cpu_count(),
            "commit": commit(), "command": " ".join(["python3", *sys.argv])}
    text = json.dumps(head | results, indent=2, ensure_ascii=False)
    print(text)
    if output:
        output.write_text(text + "\n")
