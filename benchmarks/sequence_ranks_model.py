#!/usr/bin/env python3
"""Performance model of one sequence on several GPUs (`communication.sequence_ranks`): what its exchanges cost.

Every exchange of docs/long-sequences.md is exposed, and a message takes latency + bytes / bandwidth. On GPUs every rank
sends its piece of a sum to all others, whose messages share its link and one latency. On CPUs a sum goes from rank to
rank, N - 1 messages one after another, and then from the last rank to all: for the bits of one rank. No GPU has run this.

usage: benchmarks/sequence_ranks_model.py             the table of docs/long-sequences.md
       benchmarks/sequence_ranks_model.py --not-built what two things would bring that are not built: each exchange
                                                      beside one product of the same layer, [tokens, C] x [C, C]; and
                                                      sums in two steps, a reduce-scatter and an all-gather
"""
import sys

from support import BASE

TAPS, SECONDS_A_TOKEN = 65, 1.07e-6  # the bound of the kernels in docs/performance-appendix.md, forward and backward
PRODUCTS = 790e12  # FLOP/s
LINKS = ((8, "NVLink in one node, 350 GB/s", 350e9, 10e-6), (64, "8 nodes of 8, 45 GB/s per GPU", 45e9, 20e-6))


def sums_of(shape):
    """Bytes of the sums: the third softmax; the gradients of W and k~; that of q~."""
    channels, landmarks = shape["hidden"], shape["landmarks"]
    return [4 * landmarks * (channels + 2 * shape["heads"]), 8 * landmarks * channels, 4 * landmarks * channels]


def chained(ranks, size, bandwidth, latency):
    return (ranks - 1) * (latency + size / bandwidth) + latency + (ranks - 1) * size / bandwidth


def to_all(ranks, size, bandwidth, latency):
    return latency + (ranks - 1) * size / bandwidth


def two_steps(ranks, size, bandwidth, latency):
    return 2 * (latency + (ranks - 1) / ranks * size / bandwidth)


def exchanges_of(shape, ranks, bandwidth, latency, sum_seconds):
    """Seconds of each exchange of a layer: halos of v and of the gradient in bf16, segments of q and k, sums."""
    channels, landmarks = shape["hidden"], shape["landmarks"]
    halo = latency + TAPS // 2 * channels * 2 / bandwidth
    segments = latency + (ranks - 1) / ranks * 4 * landmarks * channels / bandwidth
    return [halo, halo, segments, segments, *(sum_seconds(ranks, size, bandwidth, latency) for size in sums_of(shape))]


def exposed(shape, ranks, bandwidth, latency, sum_seconds, hidden_each=0.0):
    return shape["layers"] * sum(max(0.0, each - hidden_each)
                                 for each in exchanges_of(shape, ranks, bandwidth, latency, sum_seconds))


def cases():
    """GPUs with their links, tokens of a sequence, and seconds of a step without exchanges."""
    for ranks, links, bandwidth, latency in LINKS:
        for tokens in (1 << 20, 1 << 23, 1 << 26):
            yield ranks, links, bandwidth, latency, tokens, tokens / ranks * SECONDS_A_TOKEN


def table():
    print("| GPUs | links | tokens | step alone | exchanges | tokens/s | of N times one GPU | with sums from rank to rank |")
    print("|---|---|---|---|---|---|---|---|")
    for ranks, links, bandwidth, latency, tokens, step in cases():
        late = exposed(BASE, ranks, bandwidth, latency, to_all)
        other = exposed(BASE, ranks, bandwidth, latency, chained)
        print(f"| {ranks} | {links} | {tokens >> 20} Mi | {1e3 * step:.0f} ms | {1e3 * late:.1f} ms "
              f"| {tokens / (step + late) / 1e6:.1f} M | {step / (step + late):.2f} | {step / (step + other):.2f} |")


def not_built():
    print("| GPUs | tokens | exchanges | of N times one GPU | each beside a product | | sums in two steps | |")
    print("|---|---|---|---|---|---|---|---|")
    for ranks, _, bandwidth, latency, tokens, step in cases():
        product = tokens / ranks * 2 * BASE["hidden"] ** 2 / PRODUCTS
        ways = (exposed(BASE, ranks, bandwidth, latency, to_all),
                exposed(BASE, ranks, bandwidth, latency, to_all, product),
                exposed(BASE, ranks, bandwidth, latency, two_steps))
        shares = " | ".join(f"{1e3 * late:.1f} ms | {step / (step + late):.3f}" for late in ways)
        print(f"| {ranks} | {tokens >> 20} Mi | {shares} |")


if __name__ == "__main__":
    not_built() if "--not-built" in sys.argv[1:] else table()
