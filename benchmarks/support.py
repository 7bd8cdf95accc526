"""Shared helpers of the benchmark scripts: running our program and the peer, medians, result records."""
import datetime
import json
import os
import pathlib
import statistics
import subprocess
import sys

from machine import ROOT, commit, processor

PROGRAM = ROOT / "build" / "nystrom"
VENV = ROOT / "build" / "peers"
BASE = dict(hidden=768, layers=12, heads=12, intermediate=3072, vocabulary=30000, landmarks=64)
SMALL = dict(hidden=256, layers=4, heads=4, intermediate=1024, vocabulary=30000, landmarks=64)
TINY = dict(hidden=128, layers=2, heads=2, intermediate=512, vocabulary=8000, landmarks=32)


class DidNotRun(Exception):
    """A command failed; the message says how."""


def peer_python(given):
    """Path of an interpreter with torch and transformers; creates an environment if none is given."""
    if given:
        return given
    python = VENV / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", "torch", "transformers"], check=True)
    return str(python)


def last_json(command, threads, timeout=None):
    """Runs the command and parses the last line of its output as JSON."""
    environment = dict(os.environ, OMP_NUM_THREADS=str(threads))
    try:
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=timeout)
    except subprocess.TimeoutExpired:
        raise DidNotRun(f"took longer than {timeout:.0f} s") from None
    if done.returncode != 0:
        raise DidNotRun(f"{' '.join(command)} ended with status {done.returncode}:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def ours(shape, length, batch, precision, threads, *, kind="nystrom", steps=None, ranks=1, more=(), prefix=()):
    """Runs `nystrom bench` once, with `prefix` before the command. `batch` is per rank."""
    keys = {"model.hidden_size": shape["hidden"], "model.layers": shape["layers"], "model.heads": shape["heads"],
            "model.intermediate_size": shape["intermediate"], "model.vocabulary_size": shape["vocabulary"],
            "model.max_positions": length, "model.attention.landmarks": shape["landmarks"],
            "model.attention.kind": kind, "data.sequence_length": length, "training.micro_batch": batch,
            "training.global_batch": batch * ranks, "training.precision": precision, "run.threads": threads}
    command = [str(PROGRAM), "bench", "--json", *(["--steps", str(steps)] if steps else [])]
    if ranks > 1:
        command = [str(ROOT / "launch" / "mpirun.sh"), str(ranks), *command]
    for key, value in keys.items():
        command += ["--set", f"{key}={value}"]
    return last_json([*prefix, *command, *more], threads)


def peer(python, shape, length, batch, precision, threads, extra=(), timeout=None):
    """Runs transformers' training step once."""
    command = [python, str(ROOT / "benchmarks" / "peers" / "transformers_step.py"), "--length", str(length),
               "--batch", str(batch), "--precision", precision, "--threads", str(threads), *extra]
    for key, value in shape.items():
        command += [f"--{key}", str(value)]
    return last_json(command, threads, timeout)


def spread(runs, key="tokens_per_second"):
    values = [run[key] for run in runs]
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def record(command, **more):
    """Header of a results file: date, CPU, commit and command."""
    return {"date": datetime.date.today().isoformat(), "processor": processor(),
            "commit": commit(), "command": command, **more, "results": []}


def write(path, report):
    if path:
        path.write_text(json.dumps(report, indent=1) + "\n")
