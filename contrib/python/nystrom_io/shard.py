"""Shards: one flat stream of token ids, with the borders of sentences and documents (docs/data.md)."""

import hashlib
import json
import os
import pathlib
import secrets
import shutil

import h5py
import numpy as np

FORMAT = "nystrom shard"
VERSION = 1
SPECIAL_NAMES = ("bos", "pad", "eos", "unk", "mask")
_SPELLINGS = {
    "bos": ("<s>", "[CLS]"),
    "pad": ("<pad>", "[PAD]"),
    "eos": ("</s>", "[SEP]"),
    "unk": ("<unk>", "[UNK]"),
    "mask": ("<mask>", "[MASK]"),
}
_TOKEN_CHUNK = 8192
_OFFSET_CHUNK = 1024


def _text(value):
    return value.decode() if isinstance(value, bytes) else str(value)


class Shard:
    """A shard, read-only: a sequence of documents.

    Raises ValueError for another file, or another version of the format."""

    def __init__(self, path):
        self.path = os.fspath(path)
        self.file = h5py.File(self.path, "r", locking=False)
        attributes = self.file.attrs
        if _text(attributes.get("format", "")) != FORMAT:
            self.file.close()
            raise ValueError(f"{self.path} is not a shard: its attribute format is not '{FORMAT}'.")
        if attributes["format_version"] != VERSION:
            version = attributes["format_version"]
            self.file.close()
            raise ValueError(f"{self.path} is a shard of format version {version}; this library reads {VERSION}.")
        self.vocabulary_size = int(attributes["vocabulary_size"])
        self.tokenizer_sha256 = _text(attributes["tokenizer_sha256"])
        self.special_ids = {name: int(attributes[f"{name}_id"]) for name in SPECIAL_NAMES}
        self.sources = [_text(name) for name in self.file["sources"][...]]
        self.document_offsets = self.file["document_offsets"][...]  # in sentences
        self.sentence_offsets = self.file["sentence_offsets"]  # in tokens
        self.tokens = self.file["tokens"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.file.close()

    def __len__(self):
        return len(self.document_offsets) - 1

    def __getitem__(self, document):
        """The ids of a document, [tokens]."""
        borders = self._borders(document)
        return self.tokens[borders[0] : borders[-1]]

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def sentences(self, document):
        """The ids of a document, an array for each of its sentences."""
        borders = self._borders(document)
        ids = self.tokens[borders[0] : borders[-1]]
        return np.split(ids, (borders[1:-1] - borders[0]).astype(np.int64))

    def source(self, document):
        """The name of the corpus that a document comes from."""
        return self.sources[int(self.file["document_sources"][self._index(document)])]

    def _index(self, document):
        if not -len(self) <= document < len(self):
            raise IndexError(f"document {document} of {len(self)} in {self.path}")
        return document % len(self)

    def _borders(self, document):
        at = self._index(document)
        first, last = self.document_offsets[at : at + 2]
        return self.sentence_offsets[int(first) : int(last) + 1]


def read_tokenizer(path):
    """(vocabulary size, ids of the special tokens, SHA-256) of a tokenizer file, as a shard names them.

    Of a SentencePiece model the first two are None: they are not read here."""
    content = pathlib.Path(path).read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    if not str(path).endswith(".json"):
        return None, None, sha256
    tokenizer = json.loads(content)
    model = tokenizer["model"]
    vocabulary = model["vocab"]
    ids = dict(vocabulary) if isinstance(vocabulary, dict) else {entry[0]: i for i, entry in enumerate(vocabulary)}
    ids.update({token["content"]: token["id"] for token in tokenizer.get("added_tokens", [])})
    special = {}
    for name, spellings in _SPELLINGS.items():
        found = [ids[spelling] for spelling in spellings if spelling in ids]
        if not found:
            raise ValueError(f"{path} has no token {' or '.join(spellings)}; pass special_ids.")
        special[name] = found[0]
    return max(ids.values()) + 1, special, sha256


class ShardWriter:
    """Writes one shard, document by document; the file appears under its name when it is complete.

        with ShardWriter(path, vocabulary_size=..., special_ids=..., tokenizer_sha256=...) as writer:
            writer.add([[5, 6, 7], [8, 9]])
    """

    def __init__(self, path, *, vocabulary_size, special_ids, tokenizer_sha256, sources=("python",)):
        if not 0 < vocabulary_size < 2**31:
            raise ValueError(f"a vocabulary of {vocabulary_size} tokens")
        if set(special_ids) != set(SPECIAL_NAMES):
            raise ValueError(f"special_ids needs {', '.join(SPECIAL_NAMES)}, and has {', '.join(special_ids)}.")
        for name, value in special_ids.items():
            if not 0 <= value < vocabulary_size:
                raise ValueError(f"special token {name} is {value}, outside the vocabulary of {vocabulary_size}")
        self.path = os.fspath(path)
        self.vocabulary_size = vocabulary_size
        self.special_ids = dict(special_ids)
        self.tokenizer_sha256 = tokenizer_sha256
        self.sources = list(sources)
        self.documents = self.sentences = self.token_count = 0
        pathlib.Path(self.path).parent.mkdir(parents=True, exist_ok=True)
        self._temporary = f"{self.path}.tmp-{secrets.token_hex(8)}"
        self._file = h5py.File(self._temporary, "w-", libver=("v110", "v110"), locking=False)
        token_type = "<u2" if vocabulary_size <= 65536 else "<u4"
        self._columns = {
            "tokens": self._column("tokens", token_type, _TOKEN_CHUNK),
            "sentence_offsets": self._column("sentence_offsets", "<u8", _OFFSET_CHUNK),
            "document_offsets": self._column("document_offsets", "<u8", _OFFSET_CHUNK),
            "document_sources": self._column("document_sources", "<u4", _OFFSET_CHUNK),
        }
        self._waiting = {name: [] for name in self._columns}
        self._waiting["sentence_offsets"].append(0)
        self._waiting["document_offsets"].append(0)

    def _column(self, name, dtype, chunk):
        return self._file.create_dataset(
            name, shape=(0,), maxshape=(None,), chunks=(chunk,), dtype=dtype, fletcher32=True, track_times=False
        )

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.finish()
        else:
            self.discard()

    def add(self, document, source=0):
        """A document: a list of sentences, each a list of ids, or one list of ids. False, and nothing is added, for
        one without tokens."""
        if not 0 <= source < len(self.sources):
            raise ValueError(f"source {source} of {len(self.sources)}")
        first = next(iter(document), None) if not isinstance(document, np.ndarray) else None
        flat = isinstance(document, np.ndarray) or first is None or np.ndim(first) == 0
        sentences = [np.asarray(sentence, np.int64) for sentence in ([document] if flat else document)]
        sentences = [sentence for sentence in sentences if sentence.size > 0]
        if not sentences:
            return False
        for sentence in sentences:
            if sentence.ndim != 1:
                raise ValueError("a sentence is one list of ids")
            if sentence.min() < 0 or sentence.max() >= self.vocabulary_size:
                bad = sentence[(sentence < 0) | (sentence >= self.vocabulary_size)][0]
                raise ValueError(f"token id {bad} is outside the vocabulary of {self.vocabulary_size}")
        for sentence in sentences:
            self._put("tokens", sentence.tolist())
            self.token_count += sentence.size
            self.sentences += 1
            self._put("sentence_offsets", [self.token_count])
        self.documents += 1
        self._put("document_offsets", [self.sentences])
        self._put("document_sources", [source])
        return True

    def _put(self, name, values):
        waiting = self._waiting[name]
        waiting.extend(values)
        if len(waiting) >= 1 << 20:
            self._flush(name)

    def _flush(self, name):
        waiting, column = self._waiting[name], self._columns[name]
        if waiting:
            at = column.shape[0]
            column.resize((at + len(waiting),))
            column[at:] = np.asarray(waiting, column.dtype)
        waiting.clear()

    def finish(self):
        """Completes the file and gives it its name."""
        try:
            for name in self._columns:
                self._flush(name)
            names = [name.encode() for name in self.sources]
            width = max(1, *(len(name) for name in names))
            fixed = h5py.string_dtype("utf-8", width)
            self._file.create_dataset("sources", data=np.array(names, dtype=fixed), chunks=(len(names),),
                                      fletcher32=True, track_times=False)
            attributes = self._file.attrs
            for name, value in (("format", FORMAT), ("tokenizer_sha256", self.tokenizer_sha256)):
                encoded = value.encode()
                attributes.create(name, np.bytes_(encoded), dtype=h5py.string_dtype("utf-8", len(encoded)))
            numbers = {"format_version": VERSION, "vocabulary_size": self.vocabulary_size}
            numbers.update({f"{name}_id": value for name, value in self.special_ids.items()})
            numbers.update(documents=self.documents, sentences=self.sentences, tokens=self.token_count)
            for name, value in numbers.items():
                attributes.create(name, value, dtype="<i8")
            self._file.close()
            with open(self._temporary, "rb") as written:
                os.fsync(written.fileno())
            os.replace(self._temporary, self.path)
        except BaseException:
            self.discard()
            raise

    def discard(self):
        """Leaves nothing behind."""
        self._file.close()
        pathlib.Path(self._temporary).unlink(missing_ok=True)


def _header(tokenizer, vocabulary_size, special_ids):
    size, special, sha256 = read_tokenizer(tokenizer)
    size, special = vocabulary_size or size, special_ids or special
    if size is None or special is None:
        raise ValueError(f"{tokenizer} is not a tokenizer.json; pass vocabulary_size and special_ids.")
    return {"vocabulary_size": size, "special_ids": special, "tokenizer_sha256": sha256}


def write_shard(path, documents, *, tokenizer, vocabulary_size=None, special_ids=None, source="python"):
    """Writes the documents of an iterable as one shard; returns the number of documents.

    tokenizer: the file that made the ids (tokenizer.json, or a SentencePiece model with vocabulary_size and
    special_ids, a dict of bos, pad, eos, unk and mask). `nystrom pretrain` looks for it in the shard's folder and in
    the one above."""
    header = _header(tokenizer, vocabulary_size, special_ids)
    with ShardWriter(path, sources=[source], **header) as writer:
        for document in documents:
            writer.add(document)
        if writer.documents == 0:
            raise ValueError(f"{path}: there is no document with a token.")
        return writer.documents


def write_dataset(folder, dataset, *, tokenizer, column="text", split=str.splitlines, shard_tokens=100_000_000,
                  source=None):
    """Encodes a column of texts (of Hugging Face's `datasets`, or any iterable of dicts) and writes folder/00000.h5, ...;
    returns the paths. The tokenizer.json is copied to the folder above, if it is not there.

    split: text -> sentences. shard_tokens: tokens after which a new shard begins."""
    import tokenizers

    folder = pathlib.Path(folder)
    encoder = tokenizers.Tokenizer.from_file(os.fspath(tokenizer))
    encoder.no_truncation()
    encoder.no_padding()
    encoder.encode_special_tokens = True  # "</s>" in a text is text
    header = _header(tokenizer, None, None)
    paths, writer = [], None
    try:
        for row in dataset:
            sentences = [sentence for sentence in split(row[column]) if sentence.strip()]
            encoded = encoder.encode_batch(sentences, add_special_tokens=False)
            if writer is None:
                paths.append(os.fspath(folder / f"{len(paths):05d}.h5"))
                writer = ShardWriter(paths[-1], sources=[source or column], **header)
            writer.add([sentence.ids for sentence in encoded])
            if writer.token_count >= shard_tokens:
                writer.finish()
                writer = None
        if writer is not None and writer.documents > 0:
            writer.finish()
        elif writer is not None:
            writer.discard()
            paths.pop()
    except BaseException:
        if writer is not None:
            writer.discard()
        raise
    if not paths:
        raise ValueError(f"column {column} has no text with a token.")
    beside = folder.parent / "tokenizer.json"
    if not beside.exists() or not os.path.samefile(beside, tokenizer):
        shutil.copyfile(tokenizer, beside)
    return paths
