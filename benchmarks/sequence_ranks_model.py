#!/usr/bin/env python3
"""Performance model of one sequence on several GPUs (`communication.sequence_ranks`): what its exchanges cost.

Every exchange of docs/long-sequences.md is exposed, and a message takes latency + bytes / bandwidth. On GPUs every rank
sends its piece of a sum to all others, whose messages share its link and one latency. On CPUs a sum goes from rank to
rank, N - 1 messages one after another, and then from the last rank to all: for the bits of one rank. No GPU has run this.

usage: benchmarks/sequence_ranks_model.py      the table of docs/long-sequences.md
"""
from support import BASE

TAPS, SECONDS_A_TOKEN = 65, 1.07e-6  # the bound of the kernels in docs/performance.md, forward and backward
LINKS = ((8, "NVLink in one node, 350 GB/s", 350e9, 10e-6), (64, "8 nodes of 8, 45 GB/s per GPU", 45e9, 20e-6))


def sums_of(shape):
    """Bytes of the sums: the third softmax; the gradients of W and k~; that of q~."""
    channels, landmarks = shape["hidden"], shape["landmarks"]
    return [4 * landmarks * (channels + 2 * shape["heads"]), 8 * landmarks * channels, 4 * landmarks * channels]


def chained(ranks, size, bandwidth, latency):
    return (ranks - 1) * (latency + size / bandwidth) + latency + (ranks - 1) * size / bandwidth


def to_all(ranks, size, bandwidth, latency):
    return latency + (ranks - 1) * size / bandwidth


def layer_seconds(shape, ranks, bandwidth, latency, sum_seconds):
    channels, landmarks = shape["hidden"], shape["landmarks"]
    halo = 2 * (latency + TAPS // 2 * channels * 2 / bandwidth)  # of v and of the gradient, in bf16
    segments = 2 * latency + (ranks - 1) / ranks * 8 * landmarks * channels / bandwidth
    return halo + segments + sum(sum_seconds(ranks, size, bandwidth, latency) for size in sums_of(shape))


def main():
    print("| GPUs | links | tokens | step alone | exchanges | tokens/s | of N times one GPU | with sums from rank to rank |")
    print("|---|---|---|---|---|---|---|---|")
    for ranks, links, bandwidth, latency in LINKS:
        for tokens in (1 << 20, 1 << 23, 1 << 26):
            step = tokens / ranks * SECONDS_A_TOKEN
            late = BASE["layers"] * layer_seconds(BASE, ranks, bandwidth, latency, to_all)
            other = BASE["layers"] * layer_seconds(BASE, ranks, bandwidth, latency, chained)
            print(f"| {ranks} | {links} | {tokens >> 20} Mi | {1e3 * step:.0f} ms | {1e3 * late:.1f} ms "
                  f"| {tokens / (step + late) / 1e6:.1f} M | {step / (step + late):.2f} | {step / (step + other):.2f} |")


if __name__ == "__main__":
    main()
