#!/usr/bin/env python3
"""SVG plot of training time by sequence length, from a results file of scaling.py. Needs no plotting library.

usage: benchmarks/plot_lengths.py RESULTS.json OUTPUT.svg
"""
import json
import math
import sys

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 420, 70, 190, 40, 50
SERIES = {("ours", "nystrom"): ("nystrom, Nyström", "#0b6e4f"), ("ours", "softmax"): ("nystrom, softmax", "#c84630"),
          ("transformers", "nystrom"): ("transformers, Nyström", "#5da9e9"),
          ("transformers", "softmax"): ("transformers, softmax", "#8e7dbe")}


def per_layer(rows):
    """(who, kind) -> {length: microseconds per token and layer}, which makes models of different depth comparable."""
    lines = {}
    for row in rows:
        if "milliseconds" in row:
            line = lines.setdefault((row["who"], row["kind"]), {})
            # Of two runs the deeper one is used: embeddings and head are a smaller share of it.
            if row["length"] not in line or row["layers"] > line[row["length"]][0]:
                line[row["length"]] = row["layers"], 1000 * row["milliseconds"] / row["length"] / row["layers"]
    return {key: {n: value for n, (_, value) in line.items()} for key, line in lines.items()}


def main():
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    report = json.load(open(sys.argv[1]))
    lines = per_layer([row for row in report["results"] if row["part"] == "lengths"])
    lengths = sorted({n for line in lines.values() for n in line})
    values = [v for line in lines.values() for v in line.values()]
    low, high = math.log10(min(values) * 0.8), math.log10(max(values) * 1.25)

    def x(n):
        first, last = math.log2(lengths[0]), math.log2(lengths[-1])
        return LEFT + (math.log2(n) - first) / max(1, last - first) * (WIDTH - LEFT - RIGHT)

    def y(value):
        return HEIGHT - BOTTOM - (math.log10(value) - low) / (high - low) * (HEIGHT - TOP - BOTTOM)

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif" '
           f'font-size="12"><rect width="100%" height="100%" fill="white"/>',
           f'<text x="{LEFT}" y="20" font-size="14">Time of a training step, µs per token and layer</text>']
    for n in lengths:
        out.append(f'<line x1="{x(n):.1f}" y1="{TOP}" x2="{x(n):.1f}" y2="{HEIGHT - BOTTOM}" stroke="#ddd"/>'
                   f'<text x="{x(n):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{n:,}</text>')
    for step in [m * 10**e for e in range(-1, 6) for m in (1, 2, 5)]:
        if low <= math.log10(step) <= high:
            out.append(f'<line x1="{LEFT}" y1="{y(step):.1f}" x2="{WIDTH - RIGHT}" y2="{y(step):.1f}" stroke="#ddd"/>'
                       f'<text x="{LEFT - 8}" y="{y(step) + 4:.1f}" text-anchor="end">{step:g}</text>')
    out.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 10}" text-anchor="middle">sequence length, tokens</text>')
    for key, (label, colour) in SERIES.items():
        line = sorted(lines.get(key, {}).items())
        if not line:
            continue
        points = " ".join(f"{x(n):.1f},{y(v):.1f}" for n, v in line)
        out.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        out += [f'<circle cx="{x(n):.1f}" cy="{y(v):.1f}" r="3" fill="{colour}"/>' for n, v in line]
        n, value = line[-1]
        out.append(f'<text x="{x(n) + 8:.1f}" y="{y(value) + 4:.1f}" fill="{colour}">{label}</text>')
    with open(sys.argv[2], "w") as file:
        file.write("\n".join(out) + "\n</svg>\n")


if __name__ == "__main__":
    main()
