"""Makes the cases of tests/corpus/tokenizer_json_test.cpp: a text of this script's own invention, small tokenizers
that Hugging Face's `tokenizers` trains on it, and the ids that they give.

    python3 make_cases.py            (needs: pip install tokenizers sentencepiece)

Everything comes from the generator below, so that nothing of others lies in this folder.
"""

import json
import pathlib
import random

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

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


main()
