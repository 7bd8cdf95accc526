#!/usr/bin/env python3
"""Tokenizer parity test: AutoTokenizer gives our ids on a model directory written by `nystrom convert`.

usage: tests/exchange/tokenizer.py PATH_OF_NYSTROM [CHECKPOINT_OR_FOLDER]   (needs transformers; tests/exchange/with_transformers.sh)

Without a model, tokenizers of all kinds (our unigram and BPE; WordPiece and byte-level BPE of Hugging Face's library)
are trained on this project's documentation, and a tiny model is pretrained with each for one step. The test compares
every single character, the documentation line by line, random text in many scripts, stacked and misplaced combining
marks, Hangul as jamo, all kinds of white space, and special tokens spelled in the text. Loading must produce no
warnings. Prints "skipped" if a package is missing.
"""
import json
import pathlib
import random
import subprocess
import sys
import tempfile

try:
    import tokenizers
    import transformers
    from transformers_warnings import collected
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(0)

HERE = pathlib.Path(__file__).resolve().parents[2]
CONFIG = """
corpus: [{{kind: lines, path: "{texts}"}}]
tokenizer: {{{tokenizer}}}
output: {{directory: {work}/prepared, validation_fraction: 0}}
run: {{directory: {work}/run}}
model: {{hidden_size: 16, layers: 1, heads: 2, intermediate_size: 16, max_positions: 64, attention: {{landmarks: 8, convolution: 3}}}}
data: {{shards: ["{work}/prepared/train/*.h5"], sequence_length: 64}}
training: {{steps: 1, global_batch: 2, precision: fp32}}
"""


def run(program, *arguments, **more):
    result = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, **more)
    if result.returncode != 0:
        sys.exit(f"{' '.join(map(str, arguments))}: {result.stderr}")
    return result.stdout


KINDS = {"unigram": "kind: unigram, vocabulary_size: 2000", "bpe": "kind: bpe, vocabulary_size: 2000",
         "unigram of lower case": "kind: unigram, vocabulary_size: 2000, lowercase: true",
         "wordpiece": "path: {file}", "byte-level bpe": "path: {file}",
         "vocab.txt": "path: {folder}/vocab.txt", "vocab.json": "path: {folder}/vocab.json"}


def trained(kind, file):
    """Trains a tokenizer.json as for BERT and RoBERTa, and saves their older vocabulary files next to it."""
    files = [str(path) for path in sorted((HERE / "docs").glob("*.md"))]
    if kind in ("wordpiece", "vocab.txt"):
        tokenizer = tokenizers.BertWordPieceTokenizer()
        tokenizer.train(files, vocab_size=1500, show_progress=False)
    else:
        tokenizer = tokenizers.ByteLevelBPETokenizer()
        tokenizer.train(files, vocab_size=1500, show_progress=False,
                        special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    tokenizer.save(str(file))
    tokenizer.save_model(str(file.parent))


def made(program, work, kind):
    config, file = work / "c.yaml", work / "given.json"
    if KINDS[kind].startswith("path"):
        trained(kind, file)
    tokenizer = KINDS[kind].format(file=file, folder=work)
    config.write_text(CONFIG.format(texts=HERE / "docs" / "*.md", tokenizer=tokenizer, work=work))
    run(program, "prepare", config)
    run(program, "pretrain", config)
    return next((work / "run" / "checkpoints").glob("*.h5"))


def characters():
    """All characters except NUL, surrogates and line breaks, which cannot be part of an input line."""
    return [chr(c) for c in range(1, 0x110000) if not 0xD800 <= c < 0xE000 and chr(c) not in "\r\n"]


def random_texts(count):
    rng = random.Random(5)
    marks = [chr(c) for c in [*range(0x300, 0x370), 0x5B0, 0x5C1, 0x64B, 0x651, 0x93C, 0x9BC, 0xE31, 0x3099, 0x309A,
                              0xFF9E, 0xFE0F, 0x20E3, 0x200D]]
    ranges = [(0x20, 0x7F), (0xA0, 0x250), (0x370, 0x530), (0x5D0, 0x5EB), (0x620, 0x650), (0x900, 0xA00), (0xE00, 0xE80),
              (0x1100, 0x1200), (0x1E00, 0x2000), (0x2000, 0x2100), (0x2100, 0x2200), (0x3040, 0x3200), (0x4E00, 0x5000),
              (0xAC00, 0xAD00), (0xF900, 0xFB50), (0xFF00, 0xFFF0), (0x1D400, 0x1D500), (0x1F300, 0x1F700)]
    blanks = [" ", "  ", "\t", "\u00a0", "\u3000", "\u200b", "\ufeff", "\u2028", "\u2581", "\u0085"]
    for _ in range(count):
        text = ""
        for _ in range(rng.randrange(1, 30)):
            low, high = rng.choice(ranges)
            text += chr(rng.randrange(low, high))
            if rng.random() < 0.3:
                text += "".join(rng.choice(marks) for _ in range(rng.randrange(1, 4)))
            if rng.random() < 0.2:
                text += rng.choice(blanks)
        yield text


def texts():
    for path in sorted((HERE / "docs").glob("*.md")):
        yield from path.read_text().splitlines()
    yield from characters()
    yield from random_texts(20000)
    yield from ["", " ", "   a   b  ", "<s>", "the <mask> here", "<mask>x", "x<mask>", "a </s> b<pad>c <unk>", "e\u0301\u0302x",
                "e\u0302\u0301\u0323", "\u1112\u1161\u11ab\u1100\u1173\u11af", "\u304b\u3099", "\u0338=", "=\u0338", "q\u0323\u0302",
                "\uff5e", "\u00aa\u0300", "\ufb01\u0301", "\u0001a\u0002b", "a" * 3000, "na\u00efve \u2014 \u201cquoted\u201d"]


def ours(program, model, lines):
    out = run(program, "predict", "--model", model, "--input", "-", "--task", "tokens", "--format", "jsonl",
              input="".join(line + "\n" for line in lines), encoding="utf-8")
    return [json.loads(line)["ids"] for line in out.split("\n") if line]


def check(program, model, work, name):
    folder = work / f"folder-{name}"
    run(program, "convert", "--from", model, "--to", folder)
    with collected() as said:
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    for text in said:
        print(f"{name}: unexpected warning: {text}")
    bad = len(said)
    lines = [line for line in texts() if "\n" not in line and "\r" not in line]
    for line, expected in zip(lines, ours(program, model, lines), strict=True):
        given = tokenizer(line, add_special_tokens=False)["input_ids"]
        if given != expected:
            bad += 1
            if bad <= 10:
                print(f"{name}: {ascii(line[:60])}: ours {expected[:20]}, theirs {given[:20]}")
    pair = tokenizer("one", "two")
    if pair["token_type_ids"][-1] != 1 or pair["input_ids"][0] != tokenizer.cls_token_id:
        print(f"{name}: wrong encoding of a pair: {pair}")
        bad += 1
    print(f"{name}: {len(lines)} texts, {bad} differ")
    return bad


def main():
    program, models = sys.argv[1], sys.argv[2:]
    bad = 0
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)
        for number, model in enumerate(models):
            bad += check(program, model, work, f"model {number}")
        for kind in () if models else KINDS:
            place = work / kind.replace(" ", "-")
            place.mkdir()
            bad += check(program, made(program, place, kind), place, kind)
    return 1 if bad else 0


if __name__ == "__main__":
    transformers.logging.set_verbosity_warning()
    sys.exit(main())
