"""Checkpoints (docs/training.md): weights, optimizer state, configuration and counters in one HDF5 file."""

import hashlib
import json
import os
import pathlib
import re

import h5py
import numpy as np

FORMAT = "nystrom checkpoint"
_HEADER_BYTES = 512


def newest_checkpoint(run):
    """The checkpoint of the highest step of a run directory, as a path. Its digest is not compared."""
    found = sorted(pathlib.Path(run, "checkpoints").glob("step-*.h5"), key=lambda path: int(path.stem[5:]))
    if not found:
        raise FileNotFoundError(f"{run} has no checkpoint in checkpoints/.")
    return found[-1]


def _text(value):
    return value.decode() if isinstance(value, bytes) else str(value)


class Checkpoint:
    """A checkpoint, read-only: a mapping from tensor names, which are those of transformers, to numpy arrays.

    path: a file, or a run directory, whose newest checkpoint it is."""

    def __init__(self, path):
        self.path = os.fspath(newest_checkpoint(path) if os.path.isdir(path) else path)
        self.file = h5py.File(self.path, "r", locking=False)
        if _text(self.file.attrs.get("format", "")) != FORMAT:
            self.file.close()
            raise ValueError(f"{self.path} is not a checkpoint: its attribute format is not '{FORMAT}'.")
        attributes = self.file.attrs
        self.step = int(attributes["step"])
        self.samples = int(attributes["samples"])
        self.seconds = float(attributes["seconds"])
        self.configuration = _text(attributes["configuration"])  # YAML
        self.settings = dict(_text(line).split("=", 1) for line in self.file["settings"][...])
        self.model = {name: value for name, value in self.file["model"].attrs.items()}
        self.provenance = json.loads(_text(attributes["provenance"])) if "provenance" in attributes else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.file.close()

    def keys(self):
        return list(self.file["weights"])

    def __len__(self):
        return len(self.file["weights"])

    def __iter__(self):
        return iter(self.keys())

    def __contains__(self, name):
        return name in self.file["weights"]

    def __getitem__(self, name):
        """A weight, of its shape, float32."""
        return self.file["weights"][name][...]

    def items(self):
        return ((name, self[name]) for name in self)

    def optimizer(self, name):
        """State of the optimizer by tensor: name is exp_avg, exp_avg_sq, momentum_buffer or ema."""
        return {key: tensor[...] for key, tensor in self.file["optimizer"][name].items()}

    @property
    def tokenizer(self):
        """(kind, bytes of the tokenizer file), or None."""
        if "tokenizer" not in self.file:
            return None
        data = self.file["tokenizer"]
        return _text(data.attrs["kind"]), np.asarray(data[...]).tobytes()

    def verify(self):
        """Compares the file with the digest of its header; raises ValueError where they differ."""
        with open(self.path, "rb") as file:
            match = re.match(rb"(nystrom checkpoint .*\n)sha256 ([0-9a-f]{64})\n", file.read(_HEADER_BYTES), re.DOTALL)
            if match is None:
                raise ValueError(f"{self.path} has no digest in its header.")
            digest = hashlib.sha256(match.group(1))
            for block in iter(lambda: file.read(1 << 20), b""):
                digest.update(block)
        if digest.hexdigest().encode() != match.group(2):
            raise ValueError(f"{self.path} is corrupt: its digest does not match.")
