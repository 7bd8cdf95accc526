"""Tokenization benchmark: compares ids with the reference libraries on every line of the shared text, and measures
speed on one thread.

    python3 benchmarks/data/tokenization.py [--rounds 3] [--output results.json] [--reviews 20000] [--kinds K,...]

Kinds (default: all): wordpiece_uncased, wordpiece_cased, byte_bpe, unigram, sentencepiece_unigram, sentencepiece_bpe.
Peers, in the virtual environment build/peers: tokenizers and sentencepiece, which also train the tokenizers on the
text. The text is the extracted shared sample of Wikipedia, the novels and IMDB reviews, one paragraph per line.
"""

import hashlib
import pathlib
import tarfile
import tempfile
import time

from common import SHARED, arguments_of, in_peers_environment, median, ours, report

in_peers_environment(["tokenizers", "sentencepiece"])

SPECIAL = ["[CLS]", "[PAD]", "[SEP]", "[UNK]", "[MASK]"]


def lines_of_text(folder, reviews):
    import json

    ours("extract", SHARED / "wiki" / "enwiki-pages-articles-sample.xml.bz2", folder / "ours.jsonl")
    for document in map(json.loads, (folder / "ours.jsonl").read_text().splitlines()):
        yield from document["paragraphs"]
    for book in sorted((SHARED / "books").glob("*.txt")):
        encoding = "latin-1" if "latin1" in book.name else "utf-8-sig"
        yield from (" ".join(p.split()) for p in book.read_text(encoding=encoding).split("\n\n"))
    for archive in sorted((SHARED / "imdb").glob("*.tar.xz")):
        with tarfile.open(archive) as tar:
            for member in tar:
                if reviews == 0:
                    return
                if member.isfile() and member.name.count("/") == 3:
                    reviews -= 1
                    yield tar.extractfile(member).read().decode()


def write_text(folder, reviews):
    """Writes the lines unchanged except for line ends: white space, markup and unusual characters stay."""
    lines = [line.replace("\n", " ").replace("\r", " ") for line in lines_of_text(folder, reviews)]
    lines = [line for line in lines if line.strip()]
    path = folder / "text.txt"
    path.write_text("\n".join(lines) + "\n", newline="\n")
    return path, lines


def digest(rows):
    sha = hashlib.sha256()
    for row in rows:
        sha.update(("".join(f"{i} " for i in row) + "\n").encode())
    return sha.hexdigest()


def differing(path, text, lines, rows, folder):
    """Returns the numbers of the lines whose ids differ, and prints the first few."""
    out = folder / "ids.txt"
    ours("encode", path, text, out)
    differ = [number for number, (row, mine) in enumerate(zip(rows, out.read_text().splitlines()), 1)
              if list(map(int, mine.split())) != list(row)]
    for number in differ[:5]:
        print(f"{path.name}: ids differ on line {number}: {lines[number - 1][:300]}")
    return differ


def compare(path, encode, text, lines, rounds, folder):
    size = sum(len(line.encode()) for line in lines)
    mine, theirs = [], []
    for _ in range(rounds):
        start = time.process_time()
        rows = [encode(line) for line in lines]
        theirs.append(size / 1e6 / (time.process_time() - start))
        result = ours("encode", path, text)
        mine.append(result["megabytes_per_second"])
    equal = result["ids_sha256"] == digest(rows)
    found = {"ours_mb_per_second": median(mine), "library_mb_per_second": median(theirs),
             "ratio": round(median(mine) / median(theirs), 2), "equal_ids": equal, "lines": len(lines)}
    return found if equal else found | {"lines_that_differ": differing(path, text, lines, rows, folder)}


def wordpiece(lowercase):
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return tokenizer, trainers.WordPieceTrainer(vocab_size=30000, special_tokens=SPECIAL, show_progress=False)


def byte_bpe():
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return tokenizer, trainers.BpeTrainer(vocab_size=30000, special_tokens=SPECIAL, show_progress=False,
                                          initial_alphabet=pre_tokenizers.ByteLevel.alphabet())


def unigram():
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    return tokenizer, trainers.UnigramTrainer(vocab_size=16000, special_tokens=SPECIAL, unk_token="[UNK]",
                                              show_progress=False)


def main():
    arguments = arguments_of(__doc__, reviews={"type": int, "default": 20000}, kinds={"type": lambda text: text.split(",")})

    def wanted(kind):
        return not arguments.kinds or kind in arguments.kinds

    results = {}
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        text, lines = write_text(folder, arguments.reviews)
        results["text_bytes"] = text.stat().st_size
        sample = lines[::7]  # trained on a fraction, so that some words are unseen
        for kind, (tokenizer, trainer) in {"wordpiece_uncased": wordpiece(True), "wordpiece_cased": wordpiece(False),
                                           "byte_bpe": byte_bpe(), "unigram": unigram()}.items():
            if not wanted(kind):
                continue
            tokenizer.train_from_iterator(sample, trainer)
            path = folder / f"{kind}.json"
            tokenizer.save(str(path))
            results[kind] = compare(path, lambda line, t=tokenizer: t.encode(line, add_special_tokens=False).ids, text,
                                    lines, arguments.rounds, folder)

        import sentencepiece

        (folder / "sample.txt").write_text("\n".join(sample))
        for kind in filter(lambda kind: wanted(f"sentencepiece_{kind}"), ("unigram", "bpe")):
            sentencepiece.SentencePieceTrainer.train(
                input=str(folder / "sample.txt"), model_prefix=str(folder / kind), model_type=kind, vocab_size=16000,
                minloglevel=2, control_symbols=["<mask>"], pad_id=3, input_sentence_size=50000)
            model = sentencepiece.SentencePieceProcessor(model_file=str(folder / f"{kind}.model"))
            results[f"sentencepiece_{kind}"] = compare(folder / f"{kind}.model", model.encode, text, lines,
                                                       arguments.rounds, folder)
    report(results, arguments.output)


main()
