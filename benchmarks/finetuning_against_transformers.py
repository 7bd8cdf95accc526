#!/usr/bin/env python3
"""Fine-tuning and inference benchmark on IMDB: ours against transformers, with the same reviews in the same batches.

usage: benchmarks/finetuning_against_transformers.py --imdb aclImdb [--lengths 512,2048] [--precisions fp32,bf16]
           [--work finetune,predict] [--shape small|base] [--reviews 64] [--batch 8] [--rounds 3] [--threads 2]
           [--output FILE]

Both sides get the first N test reviews (shuffled with a fixed seed), truncated to the sequence length, in the same
order and batches. Ours computes no padding. transformers' batches are padded to their longest review and to a multiple
of the landmarks, with the mask applied in the third softmax (its own Nystrom path fails on padded batches). For
prediction it gets batches sorted by length, as ours sorts them. Each round runs ours, then the peer. Results are
medians of examples per second, excluding start-up and tokenization on both sides. Creates a virtual environment in
build/peers on first use.
"""
import argparse
import json
import os
import pathlib
import random
import re
import statistics
import subprocess
import tempfile
import time

from support import ROOT, peer_python, record, write

PROGRAM = str(ROOT / "build" / "nystrom")
SHAPES = {"small": {"hidden_size": 256, "layers": 4, "heads": 4, "intermediate_size": 1024},
          "base": {"hidden_size": 768, "layers": 12, "heads": 12, "intermediate_size": 3072}}
LANDMARKS, TAPS = 64, 33


def reviews_of(folder, count):
    files = sorted((folder / "test").glob("*/*.txt"))
    random.Random(1).shuffle(files)
    for file in files[:count]:
        yield file.parent.name, re.sub(r"\s+", " ", file.read_text(encoding="utf-8", errors="replace").replace("<br />", " "))


def run(command, threads, **more):
    environment = dict(os.environ, OMP_NUM_THREADS=str(threads))
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, env=environment, **more)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))} ended with status {done.returncode}:\n{done.stderr[-2000:]}")
    return done.stdout


def yaml(work, shape, length, batch, precision, threads):
    shape = ", ".join(f"{key}: {value}" for key, value in shape.items())
    return (f"run: {{directory: {work}/run, threads: {threads}}}\ntokenizer: {{path: {work}/prepared/tokenizer.model}}\n"
            f"task: {{kind: classification, path: {work}/task}}\n"
            f"model: {{{shape}, max_positions: {length}, attention: {{landmarks: {LANDMARKS}, convolution: {TAPS}}}}}\n"
            f"data: {{sequence_length: {length}}}\ntraining: {{epochs: 1, global_batch: {batch}, precision: {precision}, "
            f"micro_batch: {batch}}}\nschedule: {{kind: constant}}\n")


def set_up(work, reviews):
    """Writes the texts and the files of the task, and trains a tokenizer on the texts."""
    (work / "task").mkdir()
    (work / "texts.txt").write_text("".join(text + "\n" for _, text in reviews))
    rows = "text\tlabel\n" + "".join(f"{text}\t{side}\n" for side, text in reviews)
    (work / "task" / "train.tsv").write_text(rows)
    (work / "task" / "dev.tsv").write_text("\n".join(rows.splitlines()[:9]) + "\n")
    (work / "prepare.yaml").write_text(
        f"corpus: [{{kind: lines, path: {work}/texts.txt}}]\ntokenizer: {{vocabulary_size: 4000}}\n"
        f"output: {{directory: {work}/prepared, validation_fraction: 0}}\n")
    run([PROGRAM, "prepare", work / "prepare.yaml"], 2)


def our_training(work, args, length, precision):
    config = work / "c.yaml"
    config.write_text(yaml(work, SHAPES[args.shape], length, args.batch, precision, args.threads))
    directory = work / f"run-{random.getrandbits(40):x}"
    run([PROGRAM, "finetune", config, "--set", f"run.directory={directory}"], args.threads)
    lines = [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]
    seconds = [line["seconds"] for line in lines if "loss" in line]
    steps = [b - a for a, b in zip(seconds[1:], seconds[2:])]
    return directory, args.batch / statistics.mean(steps)


def our_prediction(work, args, length, precision, model, reviews):
    """Examples per second, from the time for all reviews minus the time for one."""
    def timed(count):
        name = work / f"texts-{count}.txt"
        name.write_text("".join(text + "\n" for _, text in reviews[:count]))
        start = time.perf_counter()
        run([PROGRAM, "predict", "--model", model, "--input", name, "--output", work / "labels.tsv", "--force", "--set",
             f"data.sequence_length={length}", "--set", f"training.precision={precision}", "--set",
             f"run.threads={args.threads}"], args.threads)
        return time.perf_counter() - start
    return (len(reviews) - 1) / max(timed(len(reviews)) - timed(1), 1e-3)


def peer(python, work, args, folder, length, precision, what):
    out = run([python, ROOT / "benchmarks" / "peers" / "transformers_finetune.py", "--model", folder, "--ids",
               work / f"ids-{length}.json", "--batch", args.batch, "--landmarks", LANDMARKS, "--precision", precision,
               "--threads", args.threads, "--work", what], args.threads)
    return json.loads(out.strip().splitlines()[-1])["examples_per_second"]


def write_ids(work, length, reviews):
    """Writes our token ids of the reviews, truncated to the sequence length, for the peer."""
    name = work / "ids.txt"
    name.write_text("".join(text + "\n" for _, text in reviews))
    model = next((work / "any" / "checkpoints").glob("step-*.h5"))
    lines = run([PROGRAM, "predict", "--model", model, "--input", name, "--task", "tokens", "--format", "jsonl"], 2)
    ids = [[0, *json.loads(line)["ids"][:length - 2], 2] for line in lines.split("\n") if line]
    (work / f"ids-{length}.json").write_text(json.dumps({"ids": ids, "labels": [int(side == "pos") for side, _ in reviews]}))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--imdb", type=pathlib.Path, required=True)
    as_list = lambda text: text.split(",")
    parser.add_argument("--lengths", type=as_list, default=["512", "2048"])
    parser.add_argument("--precisions", type=as_list, default=["fp32", "bf16"])
    parser.add_argument("--work", type=as_list, default=["finetune", "predict"])
    parser.add_argument("--shape", choices=SHAPES, default="small", help="4 layers of 256, or 12 of 768")
    for name, default in (("reviews", 64), ("batch", 8), ("rounds", 3), ("threads", 2)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--python", help="interpreter with torch and transformers (default: create an environment)")
    parser.add_argument("--output", type=pathlib.Path)
    args = parser.parse_args()
    python = peer_python(args.python)
    reviews = list(reviews_of(args.imdb, args.reviews))
    results = []
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)
        set_up(work, reviews)
        for length, precision in [(int(n), p) for n in args.lengths for p in args.precisions]:
            mine, theirs = {w: [] for w in args.work}, {w: [] for w in args.work}
            for _ in range(args.rounds):
                directory, speed = our_training(work, args, length, precision)
                if not (work / "any").exists():
                    (work / "any").symlink_to(directory)
                if not (work / f"ids-{length}.json").exists():
                    write_ids(work, length, reviews)
                model, folder = directory / "checkpoints" / "best.h5", work / f"folder-{directory.name}"
                run([PROGRAM, "convert", "--from", model, "--to", folder], args.threads)
                if "finetune" in args.work:
                    mine["finetune"].append(speed)
                if "predict" in args.work:
                    mine["predict"].append(our_prediction(work, args, length, precision, model, reviews))
                for what in args.work:
                    theirs[what].append(peer(python, work, args, folder, length, precision, what))
            for what in args.work:
                ours_median, peer_median = statistics.median(mine[what]), statistics.median(theirs[what])
                results.append({"work": what, "length": length, "precision": precision, "ours": mine[what],
                                "transformers": theirs[what], "ratio": ours_median / peer_median})
                print(f"{what:9s} n={length:5d} {precision}: ours {ours_median:8.2f}/s, transformers {peer_median:8.2f}/s, "
                      f"ratio {ours_median / peer_median:.2f}", flush=True)
    write(args.output, record("benchmarks/finetuning_against_transformers.py " + " ".join(
        f"--{name} {','.join(value) if isinstance(value, list) else value}" for name, value in vars(args).items()
        if name not in ("imdb", "python", "output")), model=SHAPES[args.shape] | {"landmarks": LANDMARKS, "taps": TAPS})
        | {"results": results})


if __name__ == "__main__":
    main()
