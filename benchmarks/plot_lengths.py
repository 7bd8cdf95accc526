#!/usr/bin/env python3
"""SVG plot of training time by sequence length, from a results file of scaling.py (per token and layer) or of
kinds_by_length.py (per token, every attention kind). Needs no plotting library.

usage: benchmarks/plot_lengths.py RESULTS.json OUTPUT.svg
"""
import json
import math
import sys

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 420, 70, 190, 40, 50
DASHED = ' stroke-dasharray="5 4"'
SERIES = {("ours", "nystrom"): ("nystrom, Nyström", "#0b6e4f", ""),
          ("ours", "softmax"): ("nystrom, softmax", "#c84630", ""),
          ("transformers", "nystrom"): ("transformers, Nyström", "#0b6e4f", DASHED),
          ("transformers", "softmax"): ("transformers, softmax", "#c84630", DASHED)}


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


KINDS = {"nystrom": "#0b6e4f", "softmax": "#c84630", "longformer": "#0072b2", "linformer": "#cc79a7",
         "performer": "#b8860b", "linear": "#56b4e9", "reformer": "#6a51a3", "none": "#777777"}


def by_kind(rows):
    """(who, kind) -> {length: microseconds per token}."""
    lines = {}
    for row in rows:
        if "milliseconds" in row:
            lines.setdefault((row["who"], row["kind"]), {})[row["length"]] = 1000 * row["milliseconds"] / row["length"]
    return lines


def main():
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    rows = json.load(open(sys.argv[1]))["results"]
    if "part" in rows[0]:
        lines = per_layer([row for row in rows if row["part"] == "lengths"])
        styles = SERIES
        title = "Time of a training step, µs per token and layer"
    else:
        lines = by_kind(rows)
        styles = {(who, kind): (f"{who}, {kind}", colour, dash) for kind, colour in KINDS.items()
                  for who, dash in (("nystrom", ""), ("transformers", DASHED))}
        title = "Time of a training step, µs per token"
    plot(title, [(*styles[key], lines[key]) for key in styles if lines.get(key)], sys.argv[2])


def plot(title, series, output):
    """`series`: (label, colour, dash, {length: value})."""
    lines = [line for *_, line in series]
    lengths = sorted({n for line in lines for n in line})
    values = [v for line in lines for v in line.values()]
    low, high = math.log10(min(values) * 0.8), math.log10(max(values) * 1.25)

    def x(n):
        first, last = math.log2(lengths[0]), math.log2(lengths[-1])
        return LEFT + (math.log2(n) - first) / max(1, last - first) * (WIDTH - LEFT - RIGHT)

    def y(value):
        return HEIGHT - BOTTOM - (math.log10(value) - low) / (high - low) * (HEIGHT - TOP - BOTTOM)

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif" '
           f'font-size="12"><rect width="100%" height="100%" fill="white"/>',
           f'<text x="{LEFT}" y="20" font-size="14">{title}</text>']
    for n in lengths:
        out.append(f'<line x1="{x(n):.1f}" y1="{TOP}" x2="{x(n):.1f}" y2="{HEIGHT - BOTTOM}" stroke="#ddd"/>'
                   f'<text x="{x(n):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{n:,}</text>')
    for step in [m * 10**e for e in range(-1, 6) for m in (1, 2, 5)]:
        if low <= math.log10(step) <= high:
            out.append(f'<line x1="{LEFT}" y1="{y(step):.1f}" x2="{WIDTH - RIGHT}" y2="{y(step):.1f}" stroke="#ddd"/>'
                       f'<text x="{LEFT - 8}" y="{y(step) + 4:.1f}" text-anchor="end">{step:,g}</text>')
    out.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 10}" text-anchor="middle">sequence length, tokens</text>')
    labels = []
    for label, colour, dash, values in series:
        line = sorted(values.items())
        points = " ".join(f"{x(n):.1f},{y(v):.1f}" for n, v in line)
        out.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>')
        out += [f'<circle cx="{x(n):.1f}" cy="{y(v):.1f}" r="3" fill="{colour}"/>' for n, v in line]
        labels.append((y(line[-1][1]), x(line[-1][0]), label, colour))
    labels.sort()
    heights, below = [], float(HEIGHT - BOTTOM + 14)
    for height, *_ in reversed(labels):  # labels neither overlap nor leave the plot
        below = min(height, below - 14)
        heights.insert(0, below)
    for height, (_, right, label, colour) in zip(heights, labels):
        out.append(f'<text x="{right + 8:.1f}" y="{height + 4:.1f}" fill="{colour}">{label}</text>')
    with open(output, "w") as file:
        file.write("\n".join(out) + "\n</svg>\n")


if __name__ == "__main__":
    main()
