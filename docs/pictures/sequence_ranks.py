#!/usr/bin/env python3
"""Draws what travels where four ranks share one sequence, as SVG (no library needed).

usage: docs/pictures/sequence_ranks.py OUTPUT.svg      docs/pictures/sequence_ranks.svg is made by it
"""
import sys
from xml.sax.saxutils import escape

WIDTH, HEIGHT, RANKS = 960, 430, 4
INK, MUTED, ROWS, SUMS, EDGE, HALO = "#1f2933", "#52606d", "#e8f1ec", "#fdf3e4", "#9aa5b1", "#b7d4c4"
FONT = "font-family=\"'DejaVu Sans', Verdana, Helvetica, Arial, sans-serif\""
LEFT, SPAN, GAP, TOP = 24, 204, 32, 84
REACH = 14  # width of a halo


def text(x, y, words, size=12, colour=INK, anchor="middle", weight="normal"):
    return (f'<text x="{x}" y="{y}" font-size="{size}" fill="{colour}" text-anchor="{anchor}" '
            f'font-weight="{weight}">{escape(words)}</text>')


def box(x, y, width, height, fill, edge=EDGE):
    return f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="4" fill="{fill}" stroke="{edge}"/>'


def arrow(x, y, to_x, to_y):
    return (f'<path d="M {x} {y} L {to_x} {to_y}" fill="none" stroke="{INK}" stroke-width="1.5" '
            f'marker-end="url(#head)"/>')


def rank(r):
    x = LEFT + r * (SPAN + GAP)
    out = [text(x + SPAN / 2, TOP - 34, f"rank {r}", 13, weight="bold"), box(x, TOP, SPAN, 44, ROWS),
           text(x + SPAN / 2, TOP + 27, "q, k, v of its rows")]
    if r > 0:
        out.append(box(x, TOP + 1, REACH, 42, HALO, "none"))
    if r < RANKS - 1:
        out += [box(x + SPAN - REACH, TOP + 1, REACH, 42, HALO, "none"),
                arrow(x + SPAN + 3, TOP + 14, x + SPAN + GAP - 5, TOP + 14),
                arrow(x + SPAN + GAP - 3, TOP + 30, x + SPAN + 5, TOP + 30)]
    for i, (words, note) in enumerate([("sums of its segments", "landmarks"), ("M rows of softmax(q~ k)v", "kernel 3")]):
        y = TOP + 92 + 88 * i
        out += [box(x + 22, y, SPAN - 44, 34, SUMS), text(x + SPAN / 2, y + 15, words, 11),
                text(x + SPAN / 2, y + 28, note, 10, MUTED)]
        if r < RANKS - 1:
            out.append(arrow(x + SPAN - 20, y + 17, x + SPAN + GAP + 18, y + 17))
    y = TOP + 262
    out += [box(x, y, SPAN, 44, ROWS), text(x + SPAN / 2, y + 19, "out of its rows"),
            text(x + SPAN / 2, y + 35, "softmax(q k~) pinv(A) (kernel 3)  +  conv(v)", 8.6, MUTED)]
    return out


def picture():
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
           f'height="{HEIGHT}" {FONT}>',
           "<title>One sequence on four ranks: each has a span of rows; halos of values, sums of landmarks and the rows "
           "of the third softmax travel</title>",
           f'<defs><marker id="head" markerWidth="9" markerHeight="8" refX="8" refY="4" orient="auto">'
           f'<path d="M 0 0 L 9 4 L 0 8 z" fill="{INK}"/></marker></defs>',
           f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
           text(WIDTH / 2, 24, "one sequence of n tokens", 14, weight="bold")]
    for r in range(RANKS):
        out += rank(r)
    middle = WIDTH / 2
    out += [text(middle, TOP + 68, "between neighbours: K/2 rows of v for the convolution", 11.5, MUTED),
            text(middle, TOP + 151, "to all: 2 M rows of landmarks", 11.5, MUTED),
            text(middle, TOP + 239, "from rank to rank in the order of rows, then to all: M rows, whatever n is", 11.5, MUTED),
            text(middle, HEIGHT - 22, "backward: the same exchanges of gradients. No key, value or query of a row travels "
                 "beyond the halo.", 12)]
    return "\n".join(out) + "\n</svg>\n"


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        file.write(picture())
