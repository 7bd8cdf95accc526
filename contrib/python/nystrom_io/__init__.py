"""Files of nystrom: shards, checkpoints and metrics.

    with nystrom_io.Shard("prepared/train/00000.h5") as shard:
        ids = shard[7]
    with nystrom_io.Checkpoint("runs/my") as checkpoint:
        weight = checkpoint["nystromformer.embeddings.word_embeddings.weight"]
    training, validation = nystrom_io.read_metrics("runs/my")
"""

from .checkpoint import Checkpoint, newest_checkpoint
from .metrics import read_metrics
from .shard import SPECIAL_NAMES, Shard, ShardWriter, read_tokenizer, write_dataset, write_shard

__all__ = [
    "Checkpoint",
    "SPECIAL_NAMES",
    "Shard",
    "ShardWriter",
    "newest_checkpoint",
    "read_metrics",
    "read_tokenizer",
    "write_dataset",
    "write_shard",
]
__version__ = "0.1.0"
