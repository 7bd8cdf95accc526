#!/usr/bin/env python3
"""Scaling benchmarks: training step by sequence length (Nystrom against softmax, ours and transformers'), by number
of ranks, and data loader throughput against training throughput.

usage: benchmarks/scaling.py [--parts lengths,ranks,zero,loader] [--shards GLOB] [--rounds 3] [--output FILE]

`lengths`: base model, batch size 1: time and peak memory of a step by sequence length. Beyond 4,096 tokens softmax is
measured with 3 of the 12 layers, and so is Nystrom for comparison; the member `layers` of a row says which.
`ranks`: throughput of two ranks with one thread each relative to one, with twice the global batch; and the bound set
by the machine: two independent jobs at once relative to one job alone.
`zero`: a step of two ranks with one thread each, the optimizer's state sharded over them (ZeRO-1) and not: 2 layers of the
base model, whose communication weighs much; needs --shards.
`loader`: loader throughput on one thread, relative to the training throughput of the base and the small model on all
threads; needs --shards (of `nystrom prepare`).
"""
import argparse
import concurrent.futures
import os
import pathlib
import statistics
import tempfile

from support import BASE, PROGRAM, ROOT, SMALL, TINY, DidNotRun, last_json, ours, peer, peer_python, record, spread, write

LENGTHS = (512, 1024, 2048, 4096, 8192, 16384)
FEW_LAYERS = 3
PEER_SECONDS = 400


def step_of(run, layers):
    return {"layers": layers, "milliseconds": run["milliseconds_per_step"],
            "tokens_per_second": run["tokens_per_second"], "peak_memory_bytes": run["peak_memory_bytes"]}


def length_rows(length, args, python):
    """(who, kind, layers) -> function that runs it once."""
    rows = {("ours", "nystrom", 12): lambda shape: ours(shape, length, 1, args.precision, args.threads, steps=3)}
    for layers in ((12,) if length <= 4096 else (FEW_LAYERS,)):
        steps = 3 if length <= 2048 else 1
        rows["ours", "softmax", layers] = lambda shape, s=steps: ours(
            shape, length, 1, args.precision, args.threads, kind="softmax", steps=s)
        if layers != 12:
            rows["ours", "nystrom", layers] = lambda shape: ours(
                shape, length, 1, args.precision, args.threads, steps=2)
        for kind in ("nystrom", "softmax"):
            rows["transformers", kind, layers] = lambda shape, k=kind, s=steps: peer(
                python, shape, length, 1, args.precision, args.threads,
                ["--attention", k, "--steps", str(s), "--memory", "18"], timeout=PEER_SECONDS)
    return rows


def measure_lengths(args, report):
    python = peer_python(args.python)
    if args.precision == "auto":  # the precision that our program chooses, also for the peer
        args.precision = ours(TINY, 128, 1, "auto", args.threads, steps=1)["precision"]
    gone = set()
    for length in args.lengths:
        for (who, kind, layers), run in length_rows(length, args, python).items():
            row = {"part": "lengths", "length": length, "who": who, "kind": kind, "layers": layers}
            if (who, kind) in gone:
                continue
            try:
                row |= step_of(run(dict(BASE, layers=layers)), layers)
                print(f"{length:6} {who:13} {kind:8} {layers:2} layers {row['milliseconds']:10.0f} ms "
                      f"{row['tokens_per_second']:8.0f} tok/s {row['peak_memory_bytes'] / 2**30:7.2f} GiB", flush=True)
            except DidNotRun as problem:
                gone.add((who, kind))
                row["did_not_run"] = str(problem).splitlines()[-1]
                print(f"{length:6} {who:13} {kind:8} {layers:2} layers did not run: {row['did_not_run']}", flush=True)
            report["results"].append(row)
            write(args.output, report)


def two_independent_runs(run):
    """Total tokens per second of two independent runs at once, each bound to its own core."""
    cores = sorted(os.sched_getaffinity(0))[:2]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        return sum(r["tokens_per_second"] for r in pool.map(lambda core: run(("taskset", "-c", str(core))), cores))


def measure_ranks(args, report):
    for name, shape, length, batch, steps in (("tiny", TINY, 128, 16, 200), ("base", BASE, 512, 4, 3)):
        def run(prefix=(), ranks=1):
            return ours(shape, length, batch, args.precision, 1, ranks=ranks, steps=steps, prefix=prefix)
        ratios, bounds, runs = [], [], {1: [], 2: []}
        for _ in range(args.rounds):
            for ranks in (1, 2):
                runs[ranks].append(run(ranks=ranks))
            alone = runs[1][-1]["tokens_per_second"]
            ratios.append(runs[2][-1]["tokens_per_second"] / alone)
            bounds.append(two_independent_runs(run) / alone)
        row = {"part": "ranks", "model": name, "length": length, "batch_a_rank": batch, "one": spread(runs[1]),
               "two": spread(runs[2]), "ratio": statistics.median(ratios), "ratios": ratios,
               "two_jobs_ratio": statistics.median(bounds), "two_jobs_ratios": bounds}
        report["results"].append(row)
        print(f"speedup of 2 ranks, {name}: {row['ratio']:.2f} (range {min(ratios):.2f} to {max(ratios):.2f}); "
              f"two independent jobs: {row['two_jobs_ratio']:.2f} (range {min(bounds):.2f} to {max(bounds):.2f})", flush=True)
        write(args.output, report)


def measure_zero(args, report):
    if not args.shards:
        raise SystemExit("The part `zero` needs --shards: a glob of shards written by `nystrom prepare`.")
    with tempfile.TemporaryDirectory() as folder:
        configuration = pathlib.Path(folder, "run.yaml")
        configuration.write_text("model: {layers: 2}\n")

        def step(zero):
            keys = {"run.directory": f"{folder}/run", "data.shards": f"[{args.shards}]", "data.sequence_length": 128,
                    "model.max_positions": 128, "training.steps": 1000, "training.micro_batch": 4,
                    "training.global_batch": 8, "training.precision": args.precision, "run.threads": 1, "training.zero": zero}
            command = [str(ROOT / "launch" / "mpirun.sh"), "2", str(args.program), "check", str(configuration), "--command", "pretrain",
                       "--json", "--steps", "20", *(word for key, value in keys.items() for word in ("--set", f"{key}={value}"))]
            return last_json(command, 1)
        runs = {False: [], True: []}
        for _ in range(args.rounds):
            for zero in runs:
                runs[zero].append(step(str(zero).lower()))
    ratios = [with_zero["seconds_per_timed_step"] / without["seconds_per_timed_step"]
              for without, with_zero in zip(runs[False], runs[True])]
    row = {"part": "zero", "length": 128, "batch_a_rank": 4, "parameters": runs[True][0]["parameters"],
           "without": spread(runs[False], "seconds_per_timed_step"), "with": spread(runs[True], "seconds_per_timed_step"),
           "ratio": statistics.median(ratios), "ratios": ratios}
    report["results"].append(row)
    print(f"a step of 2 ranks with ZeRO takes {row['ratio']:.2f} (range {min(ratios):.2f} to {max(ratios):.2f}) of one without: "
          f"{row['with']['median']:.3f} s, {row['without']['median']:.3f} s", flush=True)
    write(args.output, report)


def measure_loader(args, report):
    if not args.shards:
        raise SystemExit("The part `loader` needs --shards: a glob of shards written by `nystrom prepare`.")
    for length in (128, 512, 4096):
        command = [str(PROGRAM), "bench", "--loader", "--json", "--set", f"data.shards=[{args.shards}]",
                   "--set", f"data.sequence_length={length}", "--set", f"model.max_positions={length}"]
        loader = [last_json(command, 1) for _ in range(args.rounds)]
        row = {"part": "loader", "length": length, "loader": spread(loader),
               "sequences": spread(loader, "sequences_per_second")}
        for name, shape in (("small", SMALL), ("base", BASE)):
            train = ours(shape, length, max(1, 2048 // length), "auto", args.threads)
            row[f"over_{name}"] = row["loader"]["median"] / train["tokens_per_second"]
        report["results"].append(row)
        print(f"loader, length {length}: {row['loader']['median']:.0f} tokens/s on one thread, {row['over_base']:.0f} "
              f"times the training throughput of base, {row['over_small']:.0f} times that of small", flush=True)
        write(args.output, report)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", default="lengths,ranks,loader", help="default: %(default)s")
    parser.add_argument("--lengths", type=lambda text: [int(n) for n in text.split(",")], default=LENGTHS)
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--shards", help="glob of shards, for the parts `zero` and `loader`")
    parser.add_argument("--program", type=pathlib.Path, default=PROGRAM, help="another build, for the part `zero`")
    parser.add_argument("--python", help="interpreter with torch and transformers (default: create an environment)")
    parser.add_argument("--output", type=pathlib.Path, help="JSON file for the results")
    args = parser.parse_args()
    report = record(f"benchmarks/scaling.py --parts {args.parts} --rounds {args.rounds} --threads {args.threads}",
                    threads=args.threads, rounds=args.rounds)
    for part in args.parts.split(","):
        {"lengths": measure_lengths, "ranks": measure_ranks, "zero": measure_zero,
         "loader": measure_loader}[part](args, report)


if __name__ == "__main__":
    main()
