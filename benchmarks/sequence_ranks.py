#!/usr/bin/env python3
"""Training steps of one long sequence on 1, 2 and 4 ranks of this machine (`communication.sequence_ranks`): time, CPU
time and memory of a rank, losses. A small model on made-up words; one thread a rank, so that ranks are what differs.

usage: benchmarks/sequence_ranks.py [--lengths 65536 262144 1048576] [--ranks 1 2 4] [--steps 3] [--output FILE.json]
"""
import argparse
import json
import os
import pathlib
import random
import resource
import statistics
import subprocess
import sys
import tempfile

from support import PROGRAM, record, write

MODEL = dict(hidden=64, layers=2, heads=2, intermediate=256, landmarks=64, convolution=65)
WRAPPED = "--wrapped"


def wrapped(command):
    """A rank under mpirun: its peak memory and CPU time, on its own line."""
    status = subprocess.run(command, check=False).returncode
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print("RANK", json.dumps({"peak_bytes": 1024 * used.ru_maxrss, "cpu_seconds": used.ru_utime + used.ru_stime}),
          flush=True)
    sys.exit(status)


def write_text(path, words):
    """Documents of 2,000 words with the frequencies of Zipf's law."""
    rng = random.Random(1)
    vocabulary = ["".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(rng.randint(2, 9))) for _ in range(800)]
    weights = [1 / (i + 1) for i in range(len(vocabulary))]
    with open(path, "w", encoding="utf-8") as file:
        for _ in range(words // 2000 + 1):
            chosen = rng.choices(vocabulary, weights, k=2000)
            file.write(" ".join(word + ("." if i % 12 == 11 else "") for i, word in enumerate(chosen)) + "\n")


def configuration(longest):
    m = MODEL
    return f"""corpus: [{{kind: lines, path: text.txt}}]
tokenizer: {{kind: bpe, vocabulary_size: 1000}}
output: {{directory: prepared, validation_fraction: 0}}
run: {{directory: run, threads: 1, report: false}}
model: {{hidden_size: {m["hidden"]}, layers: {m["layers"]}, heads: {m["heads"]}, intermediate_size: {m["intermediate"]},
        positions: sinusoidal, max_positions: {longest},
        attention: {{landmarks: {m["landmarks"]}, convolution: {m["convolution"]}}}}}
data: {{packing: documents}}
objective: {{sop_weight: 0}}
training: {{steps: 3, global_batch: 1, micro_batch: 1, precision: fp32}}
checkpoint: {{keep: 1}}
"""


def run(folder, length, ranks, steps):
    directory = f"run-{length}-{ranks}"
    command = ["mpirun", "--oversubscribe", "--bind-to", "none", "-n", str(ranks), sys.executable,
               str(pathlib.Path(__file__).resolve()), WRAPPED, str(PROGRAM), "pretrain", "run.yaml"]
    for key, value in {"run.directory": directory, "data.sequence_length": length, "model.max_positions": length,
                       "training.steps": steps, "communication.sequence_ranks": ranks}.items():
        command += ["--set", f"{key}={value}"]
    environment = dict(os.environ, OMP_NUM_THREADS="1", OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return {"length": length, "ranks": ranks, "failed": done.stderr[-500:]}
    lines = [json.loads(line) for line in open(pathlib.Path(folder) / directory / "metrics.jsonl", encoding="utf-8")]
    used = [json.loads(line.split("RANK ", 1)[1]) for line in done.stdout.splitlines() if "RANK {" in line]
    times = [b["seconds"] - a["seconds"] for a, b in zip(lines, lines[1:])]
    return {"length": length, "ranks": ranks, "first_step_seconds": lines[0]["seconds"], "step_seconds": times,
            "median_step_seconds": statistics.median(times) if times else lines[0]["seconds"],
            "losses": [line["loss"] for line in lines],
            "peak_bytes_of_a_rank": max(each["peak_bytes"] for each in used),
            "cpu_seconds_of_a_rank": [each["cpu_seconds"] for each in used]}


def main():
    if WRAPPED in sys.argv:
        wrapped(sys.argv[sys.argv.index(WRAPPED) + 1:])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lengths", type=int, nargs="+", default=[65536, 262144, 1048576])
    parser.add_argument("--ranks", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--output", type=pathlib.Path, help="JSON file for the measurements")
    args = parser.parse_args()
    results = []
    with tempfile.TemporaryDirectory() as folder:
        write_text(pathlib.Path(folder) / "text.txt", max(args.lengths))
        (pathlib.Path(folder) / "run.yaml").write_text(configuration(max(args.lengths)), encoding="utf-8")
        subprocess.run([str(PROGRAM), "prepare", "run.yaml"], cwd=folder, check=True, capture_output=True)
        print("| tokens | ranks | step | memory of a rank | loss of step 1 | of the last step |")
        print("|---|---|---|---|---|---|")
        for length in args.lengths:
            for ranks in args.ranks:
                result = run(folder, length, ranks, args.steps)
                result["load_average"] = os.getloadavg()
                results.append(result)
                if "failed" in result:
                    print(f"| {length:,} | {ranks} | {result['failed']} |", flush=True)
                    continue
                print(f"| {length:,} | {ranks} | {result['median_step_seconds']:.1f} s "
                      f"| {result['peak_bytes_of_a_rank'] / 1e6:,.0f} MB | {result['losses'][0]:.9f} "
                      f"| {result['losses'][-1]:.9f} |", flush=True)
    write(args.output, record(" ".join(["python3", *sys.argv]), model=MODEL) | {"results": results})


if __name__ == "__main__":
    main()
