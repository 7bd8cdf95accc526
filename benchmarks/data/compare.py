"""Extraction and tokenization, ours and the peers', in turn on one thread.

    python3 benchmarks/data/compare.py [--output results.json]

Peers (in a virtual environment of their own, build/peers): WikiExtractor, mwparserfromhell, tokenizers,
sentencepiece. The text is the shared sample of Wikipedia and what of it, the novels and the reviews is text.
"""

import argparse
import bz2
import hashlib
import json
import os
import pathlib
import platform
import re
import subprocess
import sys
import tempfile
import time

os.environ["RAYON_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

from common import SHARED, in_peers_environment, ours

in_peers_environment(["wikiextractor==3.0.6", "mwparserfromhell", "tokenizers", "sentencepiece"])

# WikiExtractor's patterns have flags in their middle, which Python refuses since 3.11: they are moved.
WIKIEXTRACTOR = """
import re, runpy
compile_ = re.compile
re.compile = lambda p, f=0: compile_('(?i)' + p.replace('(?i)', '') if isinstance(p, str) and '(?i)' in p else p, f)
runpy.run_module('wikiextractor.WikiExtractor', run_name='__main__')
"""
MARKUP = re.compile(r"\{\{|\}\}|\[\[|\]\]|[{}|]|</?[a-z]+[^>]*>|&[a-z]+;|'''?|^=+|__[A-Z]+__", re.MULTILINE)


def left_over(text):
    """Markup left in the text, for 10,000 words."""
    words = len(text.split())
    return {"words": words, "marks_per_10000_words": 10000 * len(MARKUP.findall(text)) / max(words, 1)}


def articles(xml):
    for page in re.findall(r"<page>.*?</page>", xml, re.DOTALL):
        if "<ns>0</ns>" in page and "<redirect" not in page:
            text = re.search(r"<text[^>]*>(.*?)</text>", page, re.DOTALL)
            if text:
                yield text.group(1)


def extraction(folder):
    packed = SHARED / "wiki" / "enwiki-pages-articles-sample.xml.bz2"
    xml = bz2.decompress(packed.read_bytes())
    dump = folder / "dump.xml"
    dump.write_bytes(xml)
    results = {"xml_bytes": len(xml)}

    times = [ours("extract", dump, folder / "ours.txt") for _ in range(3)]
    seconds = min(t["read_seconds"] + t["extract_seconds"] for t in times)
    results["ours"] = {"mb_per_second": len(xml) / 1e6 / seconds, **left_over((folder / "ours.txt").read_text())}

    begin = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", WIKIEXTRACTOR, "--no-templates", "--processes", "1",
                           "-o", "-", "--json", dump], capture_output=True)
    seconds = time.perf_counter() - begin
    if done.returncode == 0:
        text = "\n".join(json.loads(line)["text"] for line in done.stdout.decode().splitlines() if line.startswith("{"))
        (folder / "wikiextractor.txt").write_text(text)
        results["wikiextractor"] = {"mb_per_second": len(xml) / 1e6 / seconds, **left_over(text)}
    else:
        results["wikiextractor"] = {"error": done.stderr.decode()[-300:]}

    import html

    import mwparserfromhell
    pages = [html.unescape(text) for text in articles(xml.decode())]
    share = max(1, len(pages) // 8)
    start = time.process_time()
    text = "\n".join(mwparserfromhell.parse(page).strip_code() for page in pages[:share])
    seconds = time.process_time() - start
    size = sum(len(page.encode()) for page in pages[:share])
    results["mwparserfromhell"] = {"mb_per_second": size / 1e6 / seconds, **left_over(text)}
    return results


def all_text(folder):
    """The text of the sample, the novels and some reviews, a line each."""
    lines = (folder / "ours.txt").read_text().splitlines()
    for book in sorted((SHARED / "books").glob("*.txt")):
        encoding = "latin-1" if "latin1" in book.name else "utf-8-sig"
        lines += [" ".join(p.split()) for p in book.read_text(encoding=encoding).split("\n\n")]
    path = folder / "text.txt"
    path.write_text("\n".join(line for line in lines if line.strip()) + "\n")
    return path


def digest(rows):
    sha = hashlib.sha256()
    for row in rows:
        sha.update(("".join(f"{i} " for i in row) + "\n").encode())
    return sha.hexdigest()


def tokenization(folder):
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

    text = all_text(folder)
    lines = text.read_text().split("\n")[:-1]
    size = sum(len(line.encode()) for line in lines)
    special = ["[CLS]", "[PAD]", "[SEP]", "[UNK]", "[MASK]"]

    def wordpiece():
        tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
        tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        return tokenizer, trainers.WordPieceTrainer(vocab_size=30000, special_tokens=special)

    def byte_bpe():
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        return tokenizer, trainers.BpeTrainer(vocab_size=30000, special_tokens=special,
                                              initial_alphabet=pre_tokenizers.ByteLevel.alphabet())

    results = {"text_bytes": size}
    for name, make in (("wordpiece", wordpiece), ("byte_bpe", byte_bpe)):
        tokenizer, trainer = make()
        tokenizer.train_from_iterator(lines, trainer)
        path = folder / f"{name}.json"
        tokenizer.save(str(path))
        tokenizer.encode_batch(lines[:2000], add_special_tokens=False)
        start = time.process_time()
        rows = [tokenizer.encode(line, add_special_tokens=False).ids for line in lines]
        theirs = size / 1e6 / (time.process_time() - start)
        mine = ours("encode", path, text)
        results[name] = {"ours_mb_per_second": mine["megabytes_per_second"], "tokenizers_mb_per_second": theirs,
                         "ratio": mine["megabytes_per_second"] / theirs,
                         "equal_ids": mine["ids_sha256"] == digest(rows)}

    import sentencepiece
    sentencepiece.SentencePieceTrainer.train(input=str(text), model_prefix=str(folder / "sp"), vocab_size=16000,
                                             minloglevel=2, control_symbols=["<mask>"], pad_id=3,
                                             input_sentence_size=100000, shuffle_input_sentence=True)
    model = sentencepiece.SentencePieceProcessor(model_file=str(folder / "sp.model"))
    start = time.process_time()
    rows = [model.encode(line) for line in lines]
    theirs = size / 1e6 / (time.process_time() - start)
    mine = ours("encode", folder / "sp.model", text)
    results["sentencepiece"] = {"ours_mb_per_second": mine["megabytes_per_second"], "library_mb_per_second": theirs,
                                "ratio": mine["megabytes_per_second"] / theirs,
                                "equal_ids": mine["ids_sha256"] == digest(rows)}
    return results


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--output", type=pathlib.Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        results = {"date": time.strftime("%Y-%m-%d"), "machine": platform.processor() or platform.machine(),
                   "cores": os.cpu_count(), "extraction": extraction(folder), "tokenization": tokenization(folder)}
    text = json.dumps(results, indent=2)
    print(text)
    if arguments.output:
        arguments.output.write_text(text + "\n")


main()
