#!/usr/bin/env python3
"""A model of N ranks: the all-reduce of gradients against backward, by bucket, for the base model.

A bucket's all-reduce starts when backward has finished its gradients and the bucket before is summed; it takes
latency + 2 (N - 1) / N x bytes / bus. Backward finishes the gradients from the end of the flat tensor: the head, the
blocks one after another, each in proportion to its time, and the embeddings last of all. The tied word embeddings are
final only then, so that their buckets are never hidden. What is not hidden is what N ranks lose.

usage: benchmarks/all_reduce_model.py                     the table of docs/performance.md
       benchmarks/all_reduce_model.py --measure           two ranks of one thread on this machine against the model
"""
import argparse
import re
import statistics
import subprocess

from support import BASE, PROGRAM, ROOT, ours

HIDDEN, WIDE, LAYERS, VOCABULARY, POSITIONS, TAPS, HEADS = 768, 3072, 12, 30000, 514, 65, 12
BLOCK = 4 * HIDDEN * HIDDEN + 4 * HIDDEN + HEADS * TAPS + 2 * HIDDEN * WIDE + WIDE + HIDDEN + 4 * HIDDEN
HEAD = 2 * (HIDDEN * HIDDEN + HIDDEN) + 2 * HIDDEN + VOCABULARY + 2 * HIDDEN + 2
EMBEDDINGS = (VOCABULARY + POSITIONS + 2) * HIDDEN + 2 * HIDDEN
WEIGHTS = EMBEDDINGS + LAYERS * BLOCK + HEAD


def final_times(backward_seconds, head_share):
    """[(weights, when they are final)] from the end of the flat tensor."""
    blocks = backward_seconds * (1 - head_share) / LAYERS
    begun = backward_seconds * head_share
    parts = [(HEAD, begun)] + [(BLOCK, begun + blocks * (i + 1)) for i in range(LAYERS)]
    return parts + [(EMBEDDINGS, backward_seconds)]


def exposed(ranks, backward_seconds, bus, latency, bytes_a_weight=4, bucket_bytes=4 << 20, head_share=0.15):
    """(seconds that summing goes on after backward, seconds of all sums, buckets)"""
    size, at, part_end = bucket_bytes // bytes_a_weight, 0, 0
    parts = final_times(backward_seconds, head_share)
    parts_ends = []
    for weights, final in parts:
        part_end += weights
        parts_ends.append((part_end, final))
    end, busy, buckets = 0.0, 0.0, 0
    while at < WEIGHTS:
        weights = min(size, WEIGHTS - at)
        at += weights
        final = next(when for until, when in parts_ends if at <= until)
        seconds = latency + 2 * (ranks - 1) / ranks * weights * bytes_a_weight / bus
        end = max(end, final) + seconds
        busy += seconds
        buckets += 1
    return max(0.0, end - backward_seconds), busy, buckets


def table():
    # A step at the bound of docs/performance.md, 65,536 tokens a GPU: 1.07 us a token, backward two thirds of it.
    step = 65536 * 1.07e-6
    print(f"{WEIGHTS / 1e6:.1f} million weights; step alone {1e3 * step:.0f} ms, backward {1e3 * step * 2 / 3:.0f} ms\n")
    print("| ranks | links | sums in | buckets | all sums | not hidden | of one GPU's speed, each |")
    print("|---|---|---|---|---|---|---|")
    for ranks, links, bus, latency in ((8, "NVLink in one node, 350 GB/s", 350e9, 25e-6),
                                       (64, "8 nodes of 8, 45 GB/s a GPU", 45e9, 60e-6),
                                       (64, "8 nodes of 8, 10 GB/s a GPU", 10e9, 60e-6)):
        for name, size, bucket in (("fp32", 4, 4 << 20), ("fp32", 4, 32 << 20), ("bf16", 2, 4 << 20)):
            late, busy, buckets = exposed(ranks, step * 2 / 3, bus, latency, size, bucket)
            print(f"| {ranks} | {links} | {name}, {bucket >> 20} MiB | {buckets} | {1e3 * busy:.1f} ms | {1e3 * late:.1f} ms "
                  f"| {step / (step + late):.3f} |")


def measure(rounds):
    """Two ranks on two cores: no core is idle, so that every second of summing shows, on both ranks at once."""
    doctor = subprocess.run([str(ROOT / "launch" / "mpirun.sh"), "2", str(PROGRAM), "doctor"], check=True,
                            capture_output=True, text=True).stdout
    found = re.search(r"over mpi: 4 MiB in ([0-9.]+) ms", doctor)
    bucket_seconds = float(found[1]) / 1e3
    one, two = [], []
    for _ in range(rounds):
        for ranks, runs in ((1, one), (2, two)):
            runs.append(ours(BASE, 512, 2, "fp32", 1, ranks=ranks)["milliseconds_per_step"] / 1e3)
    buckets = -(-WEIGHTS * 4 // (4 << 20))
    alone, together = statistics.median(one), statistics.median(two)
    print(f"a bucket of 4 MiB: {1e3 * bucket_seconds:.2f} ms; {buckets} buckets: {bucket_seconds * buckets:.3f} s")
    print(f"a step: {alone:.3f} s alone, {together:.3f} s with two ranks: {together - alone:.3f} s more")
    print(f"model: between {exposed(2, alone * 2 / 3, 1e30, bucket_seconds)[0]:.3f} s (a core to spare for summing) and "
          f"{bucket_seconds * buckets:.3f} s (none) more")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measure", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    if args.measure:
        measure(args.rounds)
    else:
        table()


if __name__ == "__main__":
    main()
