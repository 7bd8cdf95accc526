#!/usr/bin/env python3
"""Our training step against transformers' on this machine: the same shapes and threads, in turn, medians.

usage: benchmarks/against_pytorch.py [--cases base-512-fp32,...] [--rounds 3] [--threads 2] [--output FILE]

Makes a virtual environment with torch and transformers from PyPI in build/peers (once; several GB) and needs
build/nystrom (launch/setup.sh). Each round runs ours, then each peer; a case's figure is the median over rounds.
"""
import argparse
import datetime
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
VENV = ROOT / "build" / "peers"
BASE = dict(hidden=768, layers=12, heads=12, intermediate=3072, vocabulary=30000, landmarks=64)
SMALL = dict(hidden=256, layers=4, heads=4, intermediate=1024, vocabulary=30000, landmarks=64)
CASES = {
    "base-512-fp32": (BASE, 512, 4, "fp32", [[]]),
    "base-512-bf16": (BASE, 512, 4, "bf16", [[], ["--compile"]]),
    "base-4096-fp32": (BASE, 4096, 1, "fp32", [[]]),
    "base-4096-bf16": (BASE, 4096, 1, "bf16", [[]]),
    "small-128-fp32": (SMALL, 128, 16, "fp32", [[]]),
    "small-128-bf16": (SMALL, 128, 16, "bf16", [[]]),
}


def peer_python(given):
    """The interpreter of an environment that has torch and transformers; makes one where none is given."""
    if given:
        return given
    python = VENV / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", "torch", "transformers"], check=True)
    return str(python)


def last_json(command, threads):
    environment = dict(os.environ, OMP_NUM_THREADS=str(threads))
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)} ended with status {done.returncode}:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def ours(shape, length, batch, precision, threads):
    keys = {"model.hidden_size": shape["hidden"], "model.layers": shape["layers"], "model.heads": shape["heads"],
            "model.intermediate_size": shape["intermediate"], "model.vocabulary_size": shape["vocabulary"],
            "model.max_positions": length, "model.attention.landmarks": shape["landmarks"],
            "data.sequence_length": length, "training.micro_batch": batch, "training.global_batch": batch,
            "training.precision": precision, "run.threads": threads}
    command = [str(ROOT / "build" / "nystrom"), "bench", "--json"]
    for key, value in keys.items():
        command += ["--set", f"{key}={value}"]
    return last_json(command, threads)


def peer(python, shape, length, batch, precision, threads, extra):
    command = [python, str(ROOT / "benchmarks" / "peers" / "transformers_step.py"), "--length", str(length),
               "--batch", str(batch), "--precision", precision, "--threads", str(threads), *extra]
    for key, value in shape.items():
        command += [f"--{key}", str(value)]
    return last_json(command, threads)


def spread(runs, key="tokens_per_second"):
    values = [run[key] for run in runs]
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def measure(name, python, rounds, threads):
    shape, length, batch, precision, variants = CASES[name]
    mine, theirs = [], {" ".join(v) or "eager": [] for v in variants}
    for _ in range(rounds):
        mine.append(ours(shape, length, batch, precision, threads))
        for variant in variants:
            theirs[" ".join(variant) or "eager"].append(peer(python, shape, length, batch, precision, threads, variant))
    result = {"case": name, "ours": spread(mine), "share_of_bound": spread(mine, "share_of_bound"),
              "our_peak_memory_bytes": spread(mine, "peak_memory_bytes")["median"], "peers": {}}
    for variant, runs in theirs.items():
        ratios = [a["tokens_per_second"] / b["tokens_per_second"] for a, b in zip(mine, runs)]
        result["peers"][variant.lstrip("-")] = {
            **spread(runs), "ratio": statistics.median(ratios), "ratios": ratios,
            "peak_memory_bytes": spread(runs, "peak_memory_bytes")["median"],
            "versions": f"torch {runs[0]['torch']}, transformers {runs[0]['transformers']}"}
    return result


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


def command_without_paths(args):
    return f"benchmarks/against_pytorch.py --cases {args.cases} --rounds {args.rounds} --threads {args.threads}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", default=",".join(CASES), help="some of: " + ", ".join(CASES))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--python", help="an interpreter that has torch and transformers; default: make one")
    parser.add_argument("--output", type=pathlib.Path, help="write the results as JSON here")
    args = parser.parse_args()
    python = peer_python(args.python)
    commit = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    report = {"date": datetime.date.today().isoformat(), "processor": processor(), "threads": args.threads,
              "commit": commit.stdout.strip(), "command": command_without_paths(args),
              "rounds": args.rounds, "results": []}
    print(f"{'case':16} {'peer':10} {'ours tok/s':>11} {'peer tok/s':>11} {'ratio':>7} {'of bound':>9} {'memory':>7}")
    for name in args.cases.split(","):
        result = measure(name, python, args.rounds, args.threads)
        report["results"].append(result)
        for variant, figures in result["peers"].items():
            print(f"{name:16} {variant:10} {result['ours']['median']:11.0f} {figures['median']:11.0f} "
                  f"{figures['ratio']:7.2f} {result['share_of_bound']['median']:9.2f} "
                  f"{result['our_peak_memory_bytes'] / figures['peak_memory_bytes']:7.2f}", flush=True)
        if args.output:
            args.output.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
