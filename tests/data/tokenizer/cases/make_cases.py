"""Generates the test data of tests/corpus/tokenizer_json_test.cpp and sentencepiece_test.cpp: synthetic text, small
tokenizers trained on it with Hugging Face's `tokenizers` and SentencePiece, and the reference ids.

    python3 make_cases.py            (needs: pip install tokenizers sentencepiece protobuf)

All text is synthetic, so this folder contains no third-party data.
"""

import json
import pathlib
import random

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

HERE = pathlib.Path(__file__).parent
SPECIAL = ["[CLS]", "[PAD]", "[SEP]", "[UNK]", "[MASK]"]

ONSETS = ["b", "br", "d", "f", "gl", "h", "k", "l", "m", "n", "p", "pr", "r", "s", "sh", "st", "t", "th", "v", "w"]
NUCLEI = ["a", "e", "i", "o", "u", "ai", "ea", "oo", "é", "ü", "ï", "å"]
CODAS = ["", "", "n", "r", "s", "st", "ck", "ll", "ng", "ß", "ñ"]
SIGNS = [",", ".", "!", "?", ";", ":", "'", '"', "-", "--", "...", "(", ")", "[", "]", "$", "+", "=", "<", ">", "|",
         "~", "^", "`", "“", "”", "‘", "’", "—", "–", "…", "«", "»", "·", "€", "£", "°", "¿", "、", "。"]
ODD = ["東京", "漢字かな", "한국어", "Привет", "МОСКВА", "Ελλάδα", "ΣΟΦΙΑ", "עברית", "العربية", "हिन्दी", "ไทย", "İstanbul",
       "ﬁne", "Ａｂｃ", "①②", "½", "x²", "e\u0301te\u0301", "n\u0303", "o\u0308\u0323", "🙂", "👩‍👩‍👧", "🇩🇪", "\u00a0",
       "\u200b", "\u200d", "\ufeff", "\u3000", "\u2028", "\t", "  ", "   ", "\u00ad", "\ufffd", "\x07", "\x7f", "\u0085",
       "I'm", "they've", "we'll", "don't", "it's", "'tis", "'S", "3.14", "1,000", "12345678901234567890", "a" * 120,
       "``", "''", "x_y", "www.ab.cd/ef?g=h&i=j", "ÀÉÎ", "Ǆ", "ǆ", "ſ", "K", "Å", "\u0130\u0131"]


def word(r):
    text = "".join(r.choice(ONSETS) + r.choice(NUCLEI) + r.choice(CODAS) for _ in range(r.randint(1, 3)))
    return r.choice([text, text, text, text.capitalize(), text.upper()])


def line(r, words):
    parts = []
    for _ in range(r.randint(1, 25)):
        kind = r.random()
        if kind < 0.72:
            parts.append(r.choice(words) if r.random() < 0.8 else word(r))
        elif kind < 0.82:
            parts.append(str(r.randint(0, 99999)))
        elif kind < 0.93:
            parts.append(r.choice(SIGNS))
        else:
            parts.append(r.choice(ODD))
        if r.random() < 0.85:
            parts.append(" ")
    return "".join(parts).replace("\n", " ").replace("\r", " ")


def wordpiece(lowercase, lines):
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.train_from_iterator(lines, trainers.WordPieceTrainer(vocab_size=700, special_tokens=SPECIAL))
    return tokenizer


def byte_bpe(prefix, lines):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        lines, trainers.BpeTrainer(vocab_size=700, special_tokens=SPECIAL,
                                   initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    return tokenizer


def unigram(steps, pre_tokenizer, lines):
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence(steps)
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.train_from_iterator(
        lines, trainers.UnigramTrainer(vocab_size=600, special_tokens=SPECIAL, unk_token="[UNK]"))
    return tokenizer


def sentencepiece_model(kind, lines):
    """Trains a model without normalization rules. Returns its pieces and the library's processor for them."""
    import io

    import sentencepiece
    from sentencepiece import sentencepiece_model_pb2

    trained = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_writer=trained, model_type=kind, vocab_size=600, minloglevel=2,
        normalization_rule_name="identity", character_coverage=0.998, control_symbols=["<mask>"], pad_id=3)
    model = sentencepiece_model_pb2.ModelProto.FromString(trained.getvalue())
    if kind == "unigram":  # near-ties between segmentations, decided by float rounding
        score = next(piece.score for piece in model.pieces if piece.piece == "~")
        for count in range(2, 8):
            model.pieces.add(piece="~" * count, score=count * score)
    pieces = [[piece.piece, piece.score, piece.type] for piece in model.pieces]
    return pieces, sentencepiece.SentencePieceProcessor(model_proto=model.SerializeToString())


def ties(r, words):
    """Long lines with runs of "~", whose pieces tie."""
    return [" ".join(r.choice(words) + "~" * r.choice([0, 0, 2, 3, 5, 7, 9, 13]) for _ in range(count))
            for count in (1, 2, 5, 10, 40, 100) for _ in range(6)]


def write_sentencepiece(training, lines, words):
    r = random.Random(7)
    more = ties(r, words)
    more += ["黒" * (1480 + 30 * i) + f" {more[-1 - 7 * i]}" for i in range(4)]  # sums beyond 100,000
    (HERE / "sentencepiece-lines.json").write_text(json.dumps(more, ensure_ascii=False, indent=0) + "\n")
    for kind in "unigram", "bpe":
        pieces, library = sentencepiece_model(kind, training)
        text = ",\n".join(json.dumps(piece, ensure_ascii=True) for piece in pieces)
        (HERE / f"sentencepiece-{kind}.json").write_text(f'{{"kind": "{kind}", "pieces": [\n{text}]}}\n')
        (HERE / f"sentencepiece-{kind}.ids").write_text(
            "".join(" ".join(map(str, library.encode(text))) + "\n" for text in lines + more))


ADDED = [("covid-19", {}), ("Mixed Case", {}), ("<user>", {"normalized": False}), ("a", {"single_word": True}),
         ("st", {"single_word": True, "normalized": False}), ("<l>", {"lstrip": True}), ("<r>", {"rstrip": True}),
         ("<both>", {"lstrip": True, "rstrip": True, "normalized": False}), ("   ", {}), ("é", {}), ("東京", {}),
         ("covid", {"single_word": True})]
BLOCKS = [(0x20, 0x7E), (0xA0, 0x24F), (0x300, 0x36F), (0x370, 0x52F), (0x590, 0x6FF), (0x900, 0x97F), (0xE00, 0xE7F),
          (0x1100, 0x11FF), (0x1E00, 0x1FFF), (0x2000, 0x206F), (0x2100, 0x218F), (0x3000, 0x30FF), (0x4E00, 0x4EFF),
          (0xAC00, 0xACFF), (0xFB00, 0xFB4F), (0xFF00, 0xFFEF), (0x1F600, 0x1F64F)]


def odd_line(r, words):
    """Words, added tokens with and without what surrounds them, special tokens, and characters at random."""
    parts = []
    for _ in range(r.randint(1, 12)):
        kind = r.random()
        if kind < 0.35:
            parts.append(r.choice(words))
        elif kind < 0.65:
            parts.append(r.choice([r.choice(ADDED)[0], r.choice(ADDED)[0].upper(), r.choice(SPECIAL)]))
        elif kind < 0.75:
            parts.append(r.choice(SIGNS + ODD))
        else:
            begin, end = r.choice(BLOCKS)
            parts.append("".join(chr(r.randint(begin, end)) for _ in range(r.randint(1, 3))))
        if r.random() < 0.6:
            parts.append(r.choice([" ", " ", " ", "  ", "\t", "\u00a0", "\u3000"]))
    return "".join(parts).replace("\n", " ").replace("\r", " ")


def with_added(tokenizer):
    for content, options in ADDED:
        tokenizer.add_tokens([AddedToken(content, **{"normalized": True, **options})])
    return tokenizer


def small_unigram(normalizer, pre_tokenizer, lines):
    tokenizer = Tokenizer(models.Unigram())
    if normalizer:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.train_from_iterator(lines, trainers.UnigramTrainer(vocab_size=300, special_tokens=SPECIAL, unk_token="[UNK]"))
    return tokenizer


def small_bpe(lines, **options):
    tokenizer = Tokenizer(models.BPE(**options))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.train_from_iterator(lines, trainers.BpeTrainer(vocab_size=300, special_tokens=SPECIAL, initial_alphabet=[]))
    return tokenizer


def small_wordpiece(normalizer, lines):
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.train_from_iterator(lines, trainers.WordPieceTrainer(vocab_size=400, special_tokens=SPECIAL))
    return tokenizer


def write_added(training, words):
    """Added tokens, pieces over blanks, normalizers: parts of a tokenizer.json that change ids."""
    r = random.Random(19)
    training = training[:800]
    lines = [odd_line(r, words) for _ in range(500)]
    (HERE / "added-lines.json").write_text(json.dumps(lines, ensure_ascii=True, indent=0) + "\n")
    metaspace = pre_tokenizers.Metaspace
    over_blanks = small_unigram(None, metaspace(split=False), [" ".join(r.choice(words[:12]) for _ in range(8))
                                                               for _ in range(500)] + training[:200])
    first = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), metaspace(prepend_scheme="first")])
    nfc_bpe = small_bpe(training, unk_token="[UNK]")
    nfc_bpe.normalizer = normalizers.NFC()
    made = {
        "wordpiece-added": with_added(small_wordpiece(normalizers.BertNormalizer(), training)),
        "wordpiece-cased-added": with_added(small_wordpiece(normalizers.BertNormalizer(lowercase=False), training)),
        "wordpiece-sequence": small_wordpiece(normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()]),
                                              training),
        "byte-bpe-added": with_added(small_bpe(training, unk_token="[UNK]", fuse_unk=True)),
        "byte-bpe-nfc": nfc_bpe,
        "unigram-added": with_added(small_unigram(normalizers.NFKC(), metaspace(prepend_scheme="first"), training)),
        "unigram-over-blanks": over_blanks,
        "unigram-over-blanks-added": with_added(Tokenizer.from_str(over_blanks.to_str())),
        "unigram-words-first": with_added(small_unigram(normalizers.Lowercase(), first, training)),
    }
    for name, tokenizer in made.items():
        (HERE / f"{name}.json").write_text(json.dumps(json.loads(tokenizer.to_str()), ensure_ascii=True) + "\n")
        tokenizer.encode_special_tokens = True
        ids = [tokenizer.encode(text, add_special_tokens=False).ids for text in lines]
        (HERE / f"{name}.ids").write_text("".join(" ".join(map(str, row)) + "\n" for row in ids))


def main():
    r = random.Random(20240229)
    words = [word(r) for _ in range(400)]
    training = [line(r, words) for _ in range(3000)]
    lines = [line(r, words) for _ in range(400)] + ODD
    albert = [normalizers.Replace("``", '"'), normalizers.Replace("''", '"'), normalizers.NFKD(),
              normalizers.StripAccents(), normalizers.Lowercase()]
    split = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    made = {
        "wordpiece-uncased": wordpiece(True, training),
        "wordpiece-cased": wordpiece(False, training),
        "byte-bpe": byte_bpe(False, training),
        "byte-bpe-prefix": byte_bpe(True, training),
        "unigram-albert": unigram(albert, split, training),
        "unigram-plain": unigram([normalizers.NFKC()], pre_tokenizers.Metaspace(), training),
    }
    (HERE / "lines.json").write_text(json.dumps(lines, ensure_ascii=True, indent=0) + "\n")
    for name, tokenizer in made.items():
        (HERE / f"{name}.json").write_text(json.dumps(json.loads(tokenizer.to_str()), ensure_ascii=True) + "\n")
        ids = [tokenizer.encode(text, add_special_tokens=False).ids for text in lines]
        (HERE / f"{name}.ids").write_text("".join(" ".join(map(str, row)) + "\n" for row in ids))
    write_sentencepiece(training, lines, words)
    write_added(training, words)


if __name__ == "__main__":
    main()
