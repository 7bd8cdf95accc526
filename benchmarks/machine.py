"""What a results file says of where its numbers come from."""
import pathlib
import platform
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent


def processor():
    """The CPU's name, with family and model, as virtual machines give quite different ones the same name."""
    fields = {}
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        key, _, value = line.partition(":")
        fields.setdefault(key.strip(), value.strip())
    if "model name" not in fields:
        return platform.machine()
    more = ", ".join(f"{name} {fields[key]}" for key, name in (("cpu family", "family"), ("model", "model"))
                     if key in fields)
    return f"{fields['model name']} ({more})" if more else fields["model name"]


def commit():
    """The checkout's commit, abbreviated; empty outside of one."""
    done = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    return done.stdout.strip()
