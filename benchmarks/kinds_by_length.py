#!/usr/bin/env python3
"""Time and memory of a training step by sequence length, for every attention kind, against transformers' own models of
four of them.

usage: benchmarks/kinds_by_length.py [--kinds nystrom,softmax,...] [--lengths 512,...] [--rounds 2] [--output FILE]

4 layers of width 256, 4 heads, one sequence a step, forward, backward and AdamW. Each round runs every kind at a length
before the next length; the result is the median over rounds. benchmarks/plot_lengths.py makes a plot of the results. A
program that fails or takes longer than --limit seconds at a length is not tried at greater ones.
"""
import argparse
import os
import pathlib
import statistics

from support import SMALL, DidNotRun, ours, peer, peer_python, record, write

KINDS = ("nystrom", "softmax", "longformer", "linformer", "performer", "linear", "reformer", "none")
LENGTHS = (512, 1024, 2048, 4096, 8192, 16384)
# What our kinds compute, in the options that the comparison of docs/lra.md uses.
OPTIONS = {"longformer": ("window=256",), "linformer": ("projection=256", "projection_sharing=kv"),
           "performer": ("features=256",), "reformer": ("hashes=2", "chunk=64")}
PEERS = {"nystrom": "nystrom", "softmax": "sdpa", "longformer": "longformer", "reformer": "reformer"}


def our_step(kind, length, args):
    more = [part for option in OPTIONS.get(kind, ()) for part in ("--set", f"model.attention.{option}")]
    return ours(SMALL, length, 1, args.precision, args.threads, kind=kind, steps=args.steps, more=more)


def peer_step(kind, length, args):
    return peer(args.python, SMALL, length, 1, args.precision, args.threads,
                ["--attention", PEERS[kind], "--steps", str(args.steps), "--memory", "18"], timeout=args.limit)


def programs(args):
    rows = {("nystrom", kind): our_step for kind in args.kinds}
    if not args.without_peer:
        rows |= {("transformers", kind): peer_step for kind in args.kinds if kind in PEERS}
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinds", type=lambda text: text.split(","), default=list(KINDS))
    parser.add_argument("--lengths", type=lambda text: [int(n) for n in text.split(",")], default=list(LENGTHS))
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--limit", type=float, default=120, help="seconds that a run of transformers may take")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--without-peer", action="store_true", help="ours only")
    parser.add_argument("--python", help="interpreter with torch and transformers (default: create an environment)")
    parser.add_argument("--output", type=pathlib.Path, help="JSON file for the results")
    args = parser.parse_args()
    if not args.without_peer:
        args.python = peer_python(args.python)
    report = record(f"benchmarks/kinds_by_length.py --precision {args.precision} --rounds {args.rounds} --steps "
                    f"{args.steps} --threads {args.threads}", threads=args.threads, rounds=args.rounds, shape=SMALL)
    gone = set()
    for length in args.lengths:
        runs = {}
        for _ in range(args.rounds):
            for (who, kind), step in programs(args).items():
                if (who, kind) in gone:
                    continue
                try:
                    runs.setdefault((who, kind), []).append(step(kind, length, args))
                except DidNotRun as problem:
                    gone.add((who, kind))
                    runs[who, kind] = str(problem).splitlines()[-1]
        for (who, kind), done in runs.items():
            row = {"who": who, "kind": kind, "length": length}
            if isinstance(done, str):
                row["did_not_run"] = done
                print(f"{length:6} {who:13} {kind:11} did not run: {done}", flush=True)
            else:
                row |= {"milliseconds": statistics.median(run["milliseconds_per_step"] for run in done),
                        "peak_memory_bytes": max(run["peak_memory_bytes"] for run in done)}
                print(f"{length:6} {who:13} {kind:11} {row['milliseconds']:9.1f} ms "
                      f"{row['peak_memory_bytes'] / 2**20:8.0f} MiB", flush=True)
            report["results"].append(row)
        write(args.output, report)


if __name__ == "__main__":
    main()
