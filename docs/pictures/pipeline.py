#!/usr/bin/env python3
"""Draws the pipeline of the README, raw text to a model that transformers loads, as SVG (no library needed).

usage: docs/pictures/pipeline.py OUTPUT.svg      docs/pictures/pipeline.svg is made by it
"""
import sys
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 960, 404
INK, MUTED, DATA, WORK, EDGE = "#1f2933", "#52606d", "#e8f1ec", "#fdf3e4", "#9aa5b1"
FONT = "font-family=\"'DejaVu Sans', Verdana, Helvetica, Arial, sans-serif\""
MONO = "font-family=\"'DejaVu Sans Mono', Menlo, Consolas, monospace\""


def text(x, y, words, size=12, colour=INK, anchor="start", font="", weight="normal"):
    return (f'<text x="{x}" y="{y}" font-size="{size}" fill="{colour}" text-anchor="{anchor}" '
            f'font-weight="{weight}" {font}>{escape(words)}</text>')


def box(x, y, width, height, fill, title, lines):
    """A rounded box with a bold title and smaller lines below it."""
    parts = [f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="8" fill="{fill}" stroke="{EDGE}"/>',
             text(x + 12, y + 23, title, 13, weight="bold")]
    parts += [text(x + 12, y + 44 + 18 * i, line, 11.5, MUTED) for i, line in enumerate(lines)]
    return parts


def arrow(points, command="", at=(0, 0), anchor="middle"):
    """A line with a head at its last point, and the command that it stands for."""
    path = " L ".join(f"{x} {y}" for x, y in points)
    parts = [f'<path d="M {path}" fill="none" stroke="{INK}" stroke-width="1.5" marker-end="url(#head)"/>']
    return parts + ([text(*at, command, 12, anchor=anchor, font=MONO, weight="bold")] if command else [])


def rank(x, y, name):
    return [f'<rect x="{x}" y="{y}" width="196" height="32" rx="5" fill="white" stroke="{EDGE}"/>',
            text(x + 10, y + 20, name, 11.5, weight="bold"),
            text(x + 186, y + 20, "forward, backward", 11.5, MUTED, "end")]


def pretraining(x, y):
    """The box of a job: its ranks, and what they share."""
    parts = box(x, y, 220, 208, WORK, "Pretraining: MLM and SOP", [])
    for i, name in enumerate(["rank 0", "rank 1", "rank N-1"]):
        parts += rank(x + 12, y + 36 + 38 * i, name)
    parts += [f'<rect x="{x + 12}" y="{y + 150}" width="196" height="24" rx="5" fill="{INK}"/>',
              text(x + 110, y + 166, "gradient all-reduce, AdamW", 11.5, "white", "middle"),
              text(x + 110, y + 193, "N ranks = 1 rank, to rounding", 11.5, MUTED, "middle")]
    return parts


def picture():
    top = 56
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
           f'height="{HEIGHT}" {FONT}>',
           "<title>From raw text to a tokenizer, HDF5 shards, a pretraining run over MPI, a checkpoint and a task</title>",
           f'<defs><marker id="head" markerWidth="9" markerHeight="8" refX="8" refY="4" orient="auto">'
           f'<path d="M 0 0 L 9 4 L 0 8 z" fill="{INK}"/></marker></defs>',
           f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>']
    out += box(16, top, 150, 208, DATA, "Raw text",
               ["Wikipedia dumps", "folders of books", "IMDB reviews", "one text per line", "JSON lines", "",
                "gzip, bzip2, xz, zstd"])
    out += box(254, top, 158, 208, DATA, "Data directory",
               ["tokenizer", "train/*.h5", "validation/*.h5", "manifest.json", "report.html", "", "checksums, counts"])
    out += pretraining(506, top)
    out += box(786, top, 158, 208, DATA, "Checkpoint (HDF5)",
               ["weights", "optimizer state", "tokenizer", "configuration", "step, seed", "", "digest of the file"])
    middle = top + 104
    out += arrow([(168, middle), (250, middle)], "prepare", (208, middle - 10))
    out += arrow([(414, middle), (502, middle)])
    out += [text(457, middle - 26, "mpirun", 12, anchor="middle", font=MONO, weight="bold"),
            text(457, middle - 10, "pretrain", 12, anchor="middle", font=MONO, weight="bold")]
    out += arrow([(728, middle), (782, middle)])
    out += arrow([(865, top - 2), (865, 24), (616, 24), (616, top - 4)], "resume", (740, 18))
    out += [text(740, 41, "bit-identical on the same N", 11.5, MUTED, "middle")]

    bottom = 322
    ends = [("convert", "Hugging Face folder", "safetensors, tokenizer.json", 16, 206),
            ("predict", "Predictions", "filled masks, labels, vectors", 257, 206),
            ("finetune", "Task model", "GLUE, IMDB, custom datasets", 497, 206),
            ("evaluate", "Held-out losses", "one line of JSON", 738, 206)]
    lane = top + 226
    out += [f'<path d="M 865 {top + 210} L 865 {lane} L 119 {lane}" fill="none" stroke="{INK}" stroke-width="1.5"/>']
    for command, title, line, x, width in ends:
        centre = x + width // 2
        out += arrow([(centre, lane), (centre, bottom - 4)], command, (centre + 10, lane + 22), "start")
        out += box(x, bottom, width, 62, DATA, title, [line])
    return "\n".join(out) + "\n</svg>\n"


def main():
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        file.write(picture())


if __name__ == "__main__":
    main()
