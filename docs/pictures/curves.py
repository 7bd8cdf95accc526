#!/usr/bin/env python3
"""Curves of runs as one SVG for the documents: training loss, smoothed, by sequences seen, each stage of training as
wide as any other. Needs no plotting library.

usage: docs/pictures/curves.py [--mlm] OUTPUT.svg TITLE NAME=RUN[+RUN ...] ...

Each argument is a line: its name, and the run directories (with metrics.jsonl) of its stages, one after another. A
point is the mean over a twelfth of its stage. --mlm draws the MLM loss alone, in points of a thirtieth, by the share
of each stage: for runs that do not see as many sequences in the same time. The first five points, of a loss that
falls fast, are left out.
"""
import json
import math
import pathlib
import sys

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760, 400, 60, 170, 44, 48
# Okabe and Ito's palette, which the colour-blind tell apart.
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#999933", "#882255", "#777777")


def stage(run, key):
    """(sequences so far, loss) of each report."""
    rows = [json.loads(line) for line in (pathlib.Path(run) / "metrics.jsonl").read_text().splitlines() if line]
    return [(row["samples"], row[key]) for row in rows if key in row]


def means(rows, count):
    """`count` points (share of the stage, mean loss)."""
    size = max(1, len(rows) // count)
    parts = [rows[first:first + size] for first in range(0, len(rows) - size + 1, size)]
    return [(part[len(part) // 2][0] / rows[-1][0], sum(loss for _, loss in part) / size) for part in parts]


def nice_step(span, count):
    step = 10 ** math.floor(math.log10(span / count))
    return next(step * m for m in (1, 2, 5, 10) if span / (step * m) <= count)


def ticks(low, high, count):
    step = nice_step(high - low, count)
    return [step * i for i in range(math.ceil(low / step), math.floor(high / step + 1e-9) + 1)]


def below(x, distance, text):
    """A text centred below the axis."""
    return f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + distance}" text-anchor="middle">{text}</text>'


def main():
    mlm = sys.argv[1:2] == ["--mlm"]
    arguments = sys.argv[1 + mlm:]
    if len(arguments) < 3 or any("=" not in argument for argument in arguments[2:]):
        raise SystemExit(__doc__)
    output, title = arguments[:2]
    key, count = ("mlm_loss", 30) if mlm else ("loss", 12)
    runs = {name: runs.split("+") for name, _, runs in (argument.partition("=") for argument in arguments[2:])}
    lines = {name: [means(stage(run, key), count) for run in stages] for name, stages in runs.items()}
    if mlm:
        for stages in lines.values():
            stages[0] = stages[0][5:]
    sizes = [1 if mlm else stage(run, key)[-1][0] for run in next(iter(runs.values()))]
    losses = [y for stages in lines.values() for points in stages for _, y in points]
    low, high = min(losses), max(losses)

    def x_of(x):
        return LEFT + x / len(sizes) * (WIDTH - LEFT - RIGHT)

    def y_of(y):
        return TOP + (high - y) / (high - low) * (HEIGHT - TOP - BOTTOM)

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
           f'font-size="12"><rect width="100%" height="100%" fill="white"/>',
           f'<text x="{LEFT}" y="22" font-size="14">{title}</text>']
    for y in ticks(low, high, 8):
        out.append(f'<line x1="{LEFT}" y1="{y_of(y):.1f}" x2="{WIDTH - RIGHT}" y2="{y_of(y):.1f}" stroke="#ddd"/>'
                   f'<text x="{LEFT - 8}" y="{y_of(y) + 4:.1f}" text-anchor="end">{y:.4g}</text>')
    seen = 0
    for number, size in enumerate(sizes):
        out.append(f'<line x1="{x_of(number):.1f}" y1="{TOP}" x2="{x_of(number):.1f}" y2="{HEIGHT - BOTTOM}" '
                   f'stroke="#888" stroke-dasharray="4 3"/>')
        at, label = (x_of(number + 0.5), f"stage {number + 1}") if mlm else (x_of(number), f"{seen:,}")
        out.append(below(at, 18, label))
        seen += size
    if not mlm:
        out.append(below(x_of(len(sizes)), 18, f"{seen:,}"))
    out.append(below((LEFT + WIDTH - RIGHT) / 2, 38, "share of each stage" if mlm else "sequences"))
    labels = []
    for number, (name, stages) in enumerate(lines.items()):
        color = COLORS[number % len(COLORS)]
        for before, points in enumerate(stages):
            path = " ".join(f"{x_of(before + x):.1f},{y_of(y):.1f}" for x, y in points)
            out.append(f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="1.6"/>')
        labels.append((y_of(stages[-1][-1][1]), name, color))
    above = TOP - 14.0
    for y, name, color in sorted(labels):  # labels do not overlap
        above = max(y, above + 14)
        out.append(f'<text x="{WIDTH - RIGHT + 8}" y="{above + 4:.1f}" fill="{color}">{name}</text>')
    pathlib.Path(output).write_text("\n".join(out) + "</svg>\n")


if __name__ == "__main__":
    main()
