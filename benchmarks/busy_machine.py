#!/usr/bin/env python3
"""What a training step loses to other processes: ours and transformers', with busy processes and alone.

usage: benchmarks/busy_machine.py [--busy 0,1,2,4] [--precision fp32] [--rounds 3] [--threads 2] [--output FILE]

A busy process keeps one CPU for itself if it gets it. Each round runs ours and the peer without such processes
and with one, two and four of them; the speed kept is the time of a step alone divided by the time of a step with
them, in the same round. With k of them, n threads on n CPUs are due n / (n + k). `CPU time` is that of a
whole run relative to the run alone: what is above 1 was spent on waiting. Other work on the machine lowers every
figure, so the result is the median over rounds. Needs build/nystrom and, as against_pytorch.py, a virtual environment.
"""
import argparse
import contextlib
import os
import pathlib
import resource
import statistics
import subprocess
import sys

from support import DidNotRun, ours, peer, peer_python, record, write

SHAPES = {
    "base": (dict(hidden=768, layers=4, heads=12, intermediate=3072, vocabulary=30000, landmarks=64), 128, 4),
    "small": (dict(hidden=256, layers=4, heads=4, intermediate=1024, vocabulary=30000, landmarks=64), 128, 4),
}


@contextlib.contextmanager
def busy_processes(count):
    processes = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def processor_seconds():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def timed(run):
    """Milliseconds of a step and CPU seconds of the whole run."""
    before = processor_seconds()
    step = run()["milliseconds_per_step"]
    return {"step_ms": step, "processor_s": processor_seconds() - before}


def one_round(args, programs):
    """Figures by number of busy processes and program. Those that stop have been waited for by the time that is read."""
    figures = {}
    for busy in args.busy:
        for name, run in programs.items():
            with busy_processes(busy):
                figures.setdefault(name, {})[busy] = timed(run)
    return figures


def kept(rounds, name, busy):
    """Medians over rounds of the speed kept and of the CPU time, each relative to the same round alone."""
    alone = [figures[name][0] for figures in rounds]
    beside = [figures[name][busy] for figures in rounds]
    speed = [a["step_ms"] / b["step_ms"] for a, b in zip(alone, beside)]
    spent = [b["processor_s"] / a["processor_s"] for a, b in zip(alone, beside)]
    return {"program": name, "busy": busy, "speed_kept": statistics.median(speed), "speeds_kept": speed,
            "processor_time": statistics.median(spent), "processor_times": spent,
            "step_ms": statistics.median(b["step_ms"] for b in beside)}


def parsed():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--busy", type=lambda text: [int(n) for n in text.split(",")], default=[0, 1, 2, 4])
    parser.add_argument("--shape", choices=SHAPES, default="base", help="4 layers of this width, 4 x 128 tokens")
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32", help="bf16: autocast in transformers")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=5, help="measured steps of each run; their median counts")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--without-peer", action="store_true", help="ours only")
    parser.add_argument("--python", help="interpreter with torch and transformers (default: create an environment)")
    parser.add_argument("--output", type=pathlib.Path, help="JSON file for the results")
    args = parser.parse_args()
    args.busy = [0, *(count for count in args.busy if count > 0)]
    return args


def main():
    args = parsed()
    shape, length, batch = SHAPES[args.shape]
    programs = {"ours": lambda: ours(shape, length, batch, args.precision, args.threads, steps=args.steps)}
    if not args.without_peer:
        python = peer_python(args.python)
        programs["transformers"] = lambda: peer(python, shape, length, batch, args.precision, args.threads,
                                                ["--steps", str(args.steps)])
    report = record(f"benchmarks/busy_machine.py --shape {args.shape} --precision {args.precision} "
                    f"--rounds {args.rounds} --steps {args.steps} --threads {args.threads}", processors=len(os.sched_getaffinity(0)), threads=args.threads,
                    rounds=args.rounds)
    rounds = []
    for _ in range(args.rounds):
        try:
            rounds.append(one_round(args, programs))
        except DidNotRun as problem:
            raise SystemExit(f"Round {len(rounds) + 1}: {problem}") from None
        report["results"] = [{**kept(rounds, name, busy), "due": fair_share(args, busy)}
                             for busy in args.busy for name in programs]
        write(args.output, report)
    print(f"{'busy':>4} {'program':14} {'step ms':>9} {'speed kept':>11} {'due':>6} {'CPU time':>15}")
    for row in report["results"]:
        print(f"{row['busy']:4} {row['program']:14} {row['step_ms']:9.1f} {row['speed_kept']:11.2f} {row['due']:6.2f} "
              f"{row['processor_time']:15.2f}")


def fair_share(args, busy):
    """Of the speed alone, if each runnable thread gets as much of the CPUs as any other."""
    processors = len(os.sched_getaffinity(0))
    alone = min(args.threads, processors)
    return min(alone, processors * args.threads / (args.threads + busy)) / alone


if __name__ == "__main__":
    main()
