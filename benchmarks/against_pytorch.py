#!/usr/bin/env python3
"""Training step benchmark: ours against transformers on this machine, with the same shapes and threads.

usage: benchmarks/against_pytorch.py [--cases base-512-fp32,...] [--rounds 3] [--threads 2] [--output FILE]

Needs build/nystrom (launch/setup.sh). Creates a virtual environment with torch and transformers from PyPI in
build/peers on first use (several GB). Each round runs ours, then each peer; the result of a case is the median over
rounds. The case `documents-512-bf16` uses the lengths of real documents, one per row, from --shards (of
`nystrom prepare`): packed in ours, padded to 512 in transformers. Only real tokens are counted.
"""
import argparse
import os
import pathlib
import statistics

from support import BASE, SMALL, DidNotRun, ours, peer, peer_python, record, spread, write

EAGER, COMPILED = [], ["--compile"]
CASES = {
    "base-512-fp32": (BASE, 512, 4, "fp32", [EAGER]),
    "base-512-bf16": (BASE, 512, 4, "bf16", [EAGER, COMPILED]),
    "base-4096-fp32": (BASE, 4096, 1, "fp32", [EAGER]),
    "base-4096-bf16": (BASE, 4096, 1, "bf16", [EAGER]),
    "small-128-fp32": (SMALL, 128, 16, "fp32", [EAGER]),
    "small-128-bf16": (SMALL, 128, 16, "bf16", [EAGER]),
    "documents-512-bf16": (BASE, 512, 8, "bf16", [EAGER]),
}


def name_of(variant):
    return "compiled" if variant else "eager"


def measure(name, args, python):
    shape, length, batch, precision, variants = CASES[name]
    documents = name.startswith("documents")
    more = ["--documents", "--set", f"data.shards=[{args.shards}]"] if documents else []
    mine, theirs = [], {name_of(variant): [] for variant in variants}
    for _ in range(args.rounds):
        mine.append(ours(shape, length, batch, precision, args.threads, more=more))
        rows = ["--lengths", ",".join(map(str, mine[0]["lengths"]))] if documents else []
        for variant in variants:
            theirs[name_of(variant)].append(
                peer(python, shape, length, batch, precision, args.threads, variant + rows))
    result = {"case": name, "ours": spread(mine), "share_of_bound": spread(mine, "share_of_bound"),
              "our_peak_memory_bytes": spread(mine, "peak_memory_bytes")["median"],
              "machine": mine[-1]["machine"], "peers": {}}
    for variant, runs in theirs.items():
        ratios = [a["tokens_per_second"] / b["tokens_per_second"] for a, b in zip(mine, runs)]
        result["peers"][variant] = {
            **spread(runs), "ratio": statistics.median(ratios), "ratios": ratios,
            "peak_memory_bytes": spread(runs, "peak_memory_bytes")["median"],
            "versions": f"torch {runs[0]['torch']}, transformers {runs[0]['transformers']}"}
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", help="comma-separated list of: " + ", ".join(CASES))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--shards", help="glob of shards that document lengths are taken from")
    parser.add_argument("--python", help="interpreter with torch and transformers (default: create an environment)")
    parser.add_argument("--output", type=pathlib.Path, help="JSON file for the results")
    args = parser.parse_args()
    cases = args.cases.split(",") if args.cases else [c for c in CASES if args.shards or c[0] != "d"]
    python = peer_python(args.python)
    report = record(f"benchmarks/against_pytorch.py --cases {','.join(cases)} --rounds {args.rounds} "
                    f"--threads {args.threads}", threads=args.threads, rounds=args.rounds)
    print(f"{'case':20} {'peer':10} {'ours tok/s':>11} {'peer tok/s':>11} {'ratio':>7} {'of bound':>9} {'memory':>7}")
    for name in cases:
        try:
            result = measure(name, args, python)
        except DidNotRun as problem:
            raise SystemExit(f"{name}: {problem}") from None
        report["results"].append(result)
        for variant, figures in result["peers"].items():
            print(f"{name:20} {variant:10} {result['ours']['median']:11.0f} {figures['median']:11.0f} "
                  f"{figures['ratio']:7.2f} {result['share_of_bound']['median']:9.2f} "
                  f"{result['our_peak_memory_bytes'] / figures['peak_memory_bytes']:7.2f}", flush=True)
        write(args.output, report)


if __name__ == "__main__":
    main()
