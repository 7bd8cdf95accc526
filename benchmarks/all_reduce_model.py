#!/usr/bin/env python3
"""Performance model of data parallelism: overlap of the gradient all-reduce with backward, by bucket.

A bucket's all-reduce starts when backward has finished its gradients and the previous bucket is summed. It takes
latency + 2 (N - 1) / N x bytes / bus bandwidth. Backward finishes the gradients from the end of the flat tensor: the
head, the blocks one after another, each in proportion to its time, and the embeddings last. The tied word embeddings
are final only then, so their buckets are never hidden. The exposed time is what N ranks lose.

usage: benchmarks/all_reduce_model.py              the base model: the table of docs/performance-appendix.md
       benchmarks/all_reduce_model.py --large      the same at 33 million tokens a step on 64 and 1,024 GPUs, by way
                                                   of summing, also those that are not built
       benchmarks/all_reduce_model.py --measure    validates the model on this machine: two ranks with one thread
                                                   each, a wide and shallow network on 128 tokens (a minute)
"""
import argparse
import concurrent.futures
import functools
import json
import pathlib
import re
import statistics
import subprocess
import sys

from support import BASE, PROGRAM, ROOT, ours, record, write

TAPS, BUCKET = 65, 4 << 20
# The network of --measure: wide and shallow, on few tokens, so that the all-reduce weighs as much as among GPUs.
WIDE = dict(hidden=768, layers=2, heads=12, intermediate=3072, vocabulary=8000, landmarks=32)


def parts_of(shape, positions):
    """Number of weights: (embeddings, one block, head)."""
    hidden, wide, vocabulary = shape["hidden"], shape["intermediate"], shape["vocabulary"]
    block = 4 * hidden * hidden + 9 * hidden + shape["heads"] * TAPS + 2 * hidden * wide + wide
    head = 2 * (hidden * hidden + hidden) + 4 * hidden + vocabulary + 2
    return (vocabulary + positions + 4) * hidden, block, head


def linear_weights_of(shape):
    """Of blocks and head; their activations are those of the matrix products."""
    hidden = shape["hidden"]
    return shape["layers"] * (4 * hidden * hidden + 2 * hidden * shape["intermediate"]) + 2 * hidden * hidden


def weights_of(shape, positions):
    embeddings, block, head = parts_of(shape, positions)
    return embeddings + shape["layers"] * block + head


def final_times(shape, positions, backward_seconds, head_share):
    """[(weights, time when their gradients are final)], from the end of the flat tensor."""
    embeddings, block, head = parts_of(shape, positions)
    each = backward_seconds * (1 - head_share) / shape["layers"]
    begun = backward_seconds * head_share
    blocks = [(block, begun + each * (i + 1)) for i in range(shape["layers"])]
    return [(head, begun), *blocks, (embeddings, backward_seconds)]


def exposed(shape, positions, ranks, backward_seconds, bus, latency, bytes_a_weight=4, bucket_bytes=BUCKET,
            head_share=0.15, sweeps=2, early=0):
    """`sweeps`: times that all bytes travel, 2 for an all-reduce, 1 for a reduce-scatter. `early`: weights that are
    also summed when the head is done. (exposed seconds: all-reduce after the end of backward; seconds of the whole all-reduce; number of buckets)"""
    size, at, part_end = bucket_bytes // bytes_a_weight, 0, 0
    all_weights = weights_of(shape, positions) + early
    parts = [(early, backward_seconds * head_share)] + final_times(shape, positions, backward_seconds, head_share)
    parts_ends = []
    for weights, final in parts:
        part_end += weights
        parts_ends.append((part_end, final))
    end, busy, buckets = 0.0, 0.0, 0
    while at < all_weights:
        weights = min(size, all_weights - at)
        at += weights
        final = next(when for until, when in parts_ends if at <= until)
        seconds = latency + sweeps * (ranks - 1) / ranks * weights * bytes_a_weight / bus
        end = max(end, final) + seconds
        busy += seconds
        buckets += 1
    return max(0.0, end - backward_seconds), busy, buckets


def table():
    # A step at the bound of docs/performance-appendix.md, 65,536 tokens per GPU: 1.07 us per token, two thirds of it backward.
    step = 65536 * 1.07e-6
    print(f"{weights_of(BASE, 514) / 1e6:.1f} million weights; step alone {1e3 * step:.0f} ms, backward {1e3 * step * 2 / 3:.0f} ms\n")
    print("| ranks | links | reduction, bucket size | buckets | all-reduce, total | exposed "
          "| throughput per GPU, relative to one |")
    print("|---|---|---|---|---|---|---|")
    for ranks, links, bus, latency in ((8, "NVLink in one node, 350 GB/s", 350e9, 25e-6),
                                       (64, "8 nodes of 8, 45 GB/s per GPU", 45e9, 60e-6),
                                       (64, "8 nodes of 8, 10 GB/s per GPU", 10e9, 60e-6)):
        for name, size, bucket in (("fp32", 4, 4 << 20), ("fp32", 4, 32 << 20), ("bf16", 2, 4 << 20)):
            late, busy, buckets = exposed(BASE, 514, ranks, step * 2 / 3, bus, latency, size, bucket)
            print(f"| {ranks} | {links} | {name}, {bucket >> 20} MiB | {buckets} | {1e3 * busy:.1f} ms | {1e3 * late:.1f} ms "
                  f"| {step / (step + late):.3f} |")


def large():
    """33,554,432 tokens a step. A GPU computes micro-batches of 65,536 tokens, or all that it has; gradients are summed
    during the last one's backward. The update of AdamW reads and writes 28 bytes a weight at 4.3 TB/s.

    With ZeRO every rank updates 1/N. Before the update the parts of the reduce-scatter move to the shards they are in,
    1/N of the gradients; after it the weights are gathered: in bf16 those of linear layers, in fp32 the embeddings'
    and, in a third collective, single vectors. Behind the next forward (not built): the embeddings' weights are needed
    at once, the others hide behind a forward of half of backward's time."""
    tokens, weights, mebi = 1 << 25, weights_of(BASE, 514), 1 << 20
    tied, linear = BASE["vocabulary"] * BASE["hidden"], linear_weights_of(BASE)
    print("| GPUs | step alone | way | communication, total | exposed | throughput per GPU, relative to one |")
    print("|---|---|---|---|---|---|")
    for ranks, latency in ((64, 60e-6), (1024, 100e-6)):
        bus, each = 45e9, tokens // ranks
        last = min(each, 65536) * 1.07e-6 * 2 / 3
        update, step = weights * 28 / 4.3e12, each * 1.07e-6

        def gathered(count, size):
            return latency + (ranks - 1) / ranks * count * size / bus

        in_fp32, embeddings = gathered(weights, 4), gathered(parts_of(BASE, 514)[0], 4)
        gather = latency + gathered(weights - linear, 4) + gathered(linear, 2)
        behind = max(embeddings, gather - last / 2)
        wide = {"bucket_bytes": 32 * mebi}
        scattered = wide | {"sweeps": 1}
        for way, arguments, after in (
                ("all-reduce in fp32, 4 MiB buckets", {}, None),
                ("all-reduce in fp32", wide, None),
                ("all-reduce in bf16", wide | {"bytes_a_weight": 2}, None),
                ("ZeRO with all-reduce, weights gathered in fp32 (as it was)", wide, in_fp32),
                ("ZeRO, weights gathered in fp32 (as it was)", scattered, in_fp32),
                ("ZeRO", scattered, gather),
                ("ZeRO, reductions in bf16", scattered | {"bytes_a_weight": 2}, gather),
                ("ZeRO, weights gathered behind the next forward (not built)", scattered, behind),
                ("the decoder's share of the embeddings early (not built)", wide | {"early": tied}, None)):
            late, busy, _ = exposed(BASE, 514, ranks, last, bus, latency, **arguments)
            if after is None:
                late += update
            else:
                size = arguments.get("bytes_a_weight", 4)
                moved = latency + weights * size / ranks / bus if arguments.get("sweeps") == 1 else 0
                late += moved + update / ranks + after
                busy += moved + (in_fp32 if after == in_fp32 else gather)
            print(f"| {ranks:,} | {1e3 * step:.0f} ms | {way} | {1e3 * busy:.1f} ms | {1e3 * late:.1f} ms "
                  f"| {step / (step + late):.3f} |")


def measure(rounds, output):
    """Two ranks on two cores. No core is idle, so every second of the all-reduce shows, on both ranks at once."""
    tokens = 128
    bucket = {"in the caches": [], "out of them": []}
    alone, together, apart = [], [], []
    for _ in range(rounds):
        doctor = subprocess.run([str(ROOT / "launch" / "mpirun.sh"), "2", str(PROGRAM), "doctor"], check=True,
                                capture_output=True, text=True).stdout
        # A bucket that fits into the CPU caches, and a sixteenth of 64 MiB, which do not.
        for kind, size, parts in (("in the caches", 4, 1), ("out of them", 64, 16)):
            milliseconds = float(re.search(rf" {size} MiB in ([0-9.]+) ms", doctor)[1])
            bucket[kind].append(milliseconds / parts)
        run = functools.partial(ours, WIDE, tokens, 1, "fp32", 1, steps=20)
        alone.append(run()["milliseconds_per_step"] / 1e3)
        with concurrent.futures.ThreadPoolExecutor() as pool:  # two independent jobs
            jobs = [pool.submit(run) for _ in range(2)]
            apart.append(statistics.mean(job.result()["milliseconds_per_step"] for job in jobs) / 1e3)
        together.append(run(ranks=2)["milliseconds_per_step"] / 1e3)
    step, both = statistics.median(apart), statistics.median(together)
    all_weights = weights_of(WIDE, tokens)
    buckets = -(-all_weights * 4 // BUCKET)
    model = {}
    for kind, times in bucket.items():
        each = statistics.median(times)
        hidden = 1e3 * exposed(WIDE, tokens, 2, step * 2 / 3, 1e30, each / 1e3)[0]
        model[kind] = {"milliseconds_a_bucket": each, "milliseconds_more": {
            "a core to spare for summing": round(hidden, 1), "no core to spare": round(each * buckets, 1)}}
    results = {
        "weights": all_weights, "buckets": buckets,
        "milliseconds_per_step": {"one rank alone": 1e3 * statistics.median(alone),
                                  "two jobs of one rank": 1e3 * step, "two ranks": 1e3 * both},
        "milliseconds_more_with_two_ranks": round(1e3 * (both - step), 1), "by_the_model_with_buckets": model,
        "rounds": {"bucket": bucket, "alone": alone, "two jobs": apart, "two ranks": together}}
    print(json.dumps(results, indent=1))
    write(output, record(" ".join(["python3", *sys.argv]), model=WIDE, tokens=tokens) | {"results": results})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measure", action="store_true")
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=pathlib.Path, help="JSON file for the measurements")
    args = parser.parse_args()
    if args.measure:
        measure(args.rounds, args.output)
    elif args.large:
        large()
    else:
        table()


if __name__ == "__main__":
    main()
