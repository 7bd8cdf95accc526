"""Tests of nystrom_io against the program, which NYSTROM names (default: build/nystrom).

    python contrib/python/tests/test_nystrom_io.py        without h5py it says that it was skipped
"""

import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]
PROGRAM = os.path.abspath(os.environ.get("NYSTROM", ROOT / "build" / "nystrom"))
sys.path.insert(0, str(ROOT / "contrib" / "python"))

try:
    import h5py  # noqa: F401
    import numpy as np

    import nystrom_io
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(0)

CONFIG = """\
corpus: [{kind: lines, path: text.txt}]
tokenizer: {kind: bpe, vocabulary_size: 120}
output: {directory: prepared, validation_fraction: 0.2}
run: {directory: run, log_every: 1}
model: {hidden_size: 16, layers: 1, heads: 2, intermediate_size: 32, max_positions: 32,
        attention: {landmarks: 4, convolution: 3}}
data: {sequence_length: 32}
training: {steps: 2, global_batch: 4, precision: fp32}
evaluation: {every_steps: 1, batches: 1}
"""
WORDS = "river stone walks under light seven birds and the slow".split()
SPECIAL = {"bos": 0, "pad": 1, "eos": 2, "unk": 3, "mask": 4}


def text_of(document):
    return "".join(
        "The " + " ".join(WORDS[(7 * document + 3 * sentence + word * word) % 10] for word in range(7)) + ". "
        for sentence in range(5)
    )


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="nystrom-io-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def run_program(self, *arguments, status=0):
        done = subprocess.run(
            [PROGRAM, *map(str, arguments)], cwd=self.folder, capture_output=True, text=True, check=False
        )
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stdout + done.stderr


class WithoutProgram(Case):
    def write(self, documents, **options):
        (self.folder / "tokenizer.model").write_bytes(b"any bytes")
        return nystrom_io.write_shard(
            self.folder / "a.h5", documents, tokenizer=self.folder / "tokenizer.model", vocabulary_size=70_000,
            special_ids=SPECIAL, **options)

    def test_what_was_written_is_read_back(self):
        documents = [[[5, 6, 69_999], [7]], [8, 9], [], [[], []], np.array([10]), [np.array([11, 12]), [13]]]
        self.assertEqual(self.write(documents, source="mine"), 4)
        with nystrom_io.Shard(self.folder / "a.h5") as shard:
            self.assertEqual(len(shard), 4)
            self.assertEqual([list(map(int, ids)) for ids in shard],
                             [[5, 6, 69_999, 7], [8, 9], [10], [11, 12, 13]])
            self.assertEqual([s.tolist() for s in shard.sentences(0)], [[5, 6, 69_999], [7]])
            self.assertEqual(shard.sentences(-1)[1].tolist(), [13])
            self.assertEqual(shard.tokens.dtype, np.uint32)
            self.assertEqual((shard.source(3), shard.special_ids), ("mine", SPECIAL))
            with self.assertRaises(IndexError):
                shard[4]

    def test_an_id_outside_the_vocabulary_is_refused_and_leaves_no_file(self):
        with self.assertRaisesRegex(ValueError, "70000 is outside"):
            self.write([[5], [70_000]])
        with self.assertRaisesRegex(ValueError, "no document"):
            self.write([[]])
        self.assertEqual([path.name for path in self.folder.iterdir()], ["tokenizer.model"])

    def test_another_file_is_refused(self):
        with h5py.File(self.folder / "other.h5", "w") as other:
            other.attrs["format"] = "something"
        with self.assertRaisesRegex(ValueError, "not a shard"):
            nystrom_io.Shard(self.folder / "other.h5")
        with self.assertRaisesRegex(ValueError, "not a checkpoint"):
            nystrom_io.Checkpoint(self.folder / "other.h5")

    def test_a_line_that_is_being_written_is_left_out(self):
        (self.folder / "metrics.jsonl").write_text('{"step": 1, "loss": 2.5}\n{"step": 2, "lo')
        training, validation = nystrom_io.read_metrics(self.folder)
        self.assertEqual(list(training["loss"]), [2.5])
        self.assertEqual(len(validation), 0)


@unittest.skipUnless(os.access(PROGRAM, os.X_OK), f"there is no program {PROGRAM}")
class WithProgram(Case):
    def setUp(self):
        super().setUp()
        (self.folder / "my.yaml").write_text(CONFIG)
        (self.folder / "text.txt").write_text("".join(text_of(d) + "\n" for d in range(60)))

    def test_a_shard_of_the_program_written_again_is_equal_and_trains_to_the_same_bits(self):
        self.run_program("prepare", "my.yaml")
        ours = self.folder / "prepared" / "train" / "00000.h5"
        (self.folder / "mine").mkdir()
        shutil.copy(self.folder / "prepared" / "tokenizer.model", self.folder / "mine")
        with nystrom_io.Shard(ours) as shard:
            documents = [shard.sentences(i) for i in range(len(shard))]
            nystrom_io.write_shard(
                self.folder / "mine" / "00000.h5", documents, tokenizer=self.folder / "mine" / "tokenizer.model",
                vocabulary_size=shard.vocabulary_size, special_ids=shard.special_ids, source=shard.sources[0])
        with h5py.File(ours) as one, h5py.File(self.folder / "mine" / "00000.h5") as two:
            self.assertEqual(sorted(one), sorted(two))
            for name in one:
                self.assertTrue(np.array_equal(one[name][...], two[name][...]), name)
                self.assertEqual(one[name].dtype, two[name].dtype, name)
                self.assertEqual((one[name].chunks, one[name].fletcher32), (two[name].chunks, two[name].fletcher32))
            self.assertEqual(dict(one.attrs), dict(two.attrs))
        self.assertIn("valid, all checksums match", self.run_program("inspect", "mine/00000.h5"))
        for run, shards in (("run-a", "prepared/train/*.h5"), ("run-b", "mine/*.h5")):
            self.run_program("pretrain", "my.yaml", "--set", f"run.directory={run}", "--set", f"data.shards=[{shards}]",
                             "--set", "data.validation=[]", "--set", "training.steps=1")
        with nystrom_io.Checkpoint(self.folder / "run-a") as a, nystrom_io.Checkpoint(self.folder / "run-b") as b:
            self.assertEqual(a.keys(), b.keys())
            for name in a:
                self.assertTrue(np.array_equal(a[name], b[name]), name)

    def test_checkpoint_and_metrics(self):
        self.run_program("prepare", "my.yaml")
        self.run_program("pretrain", "my.yaml")
        with nystrom_io.Checkpoint(self.folder / "run") as checkpoint:
            self.assertEqual((checkpoint.step, checkpoint.samples), (2, 8))
            self.assertEqual(checkpoint.settings["model.hidden_size"], "16")
            self.assertIn("hidden_size: 16", checkpoint.configuration)
            self.assertEqual(checkpoint.model["hidden_size"], 16)
            name = "nystromformer.embeddings.word_embeddings.weight"
            self.assertEqual(checkpoint[name].shape[1], 16)
            self.assertEqual(checkpoint.optimizer("exp_avg")[name].shape, checkpoint[name].shape)
            self.assertIn(name, checkpoint)
            kind, content = checkpoint.tokenizer
            self.assertEqual(content, (self.folder / "prepared" / "tokenizer.model").read_bytes())
            self.assertTrue(kind)
            checkpoint.verify()
            path = pathlib.Path(checkpoint.path)
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1  # in a tensor
        path.write_bytes(data)
        with nystrom_io.Checkpoint(path) as checkpoint, self.assertRaisesRegex(ValueError, "corrupt"):
            checkpoint.verify()
        training, validation = nystrom_io.read_metrics(self.folder / "run")
        lines = [json.loads(line) for line in (self.folder / "run" / "metrics.jsonl").read_text().splitlines()]
        self.assertEqual(list(training["mlm_loss"]), [line["mlm_loss"] for line in lines if "mlm_loss" in line])
        self.assertEqual(len(validation["validation_loss"]), 2)

    def test_a_dataset_encoded_by_tokenizers_trains(self):
        try:
            import tokenizers
        except ImportError as error:
            self.skipTest(str(error))
        special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
        words = {word: i for i, word in enumerate(special + sorted(set("The the . river stone walks under light seven "
                                                                       "birds and slow".split())))}
        tokenizer = tokenizers.Tokenizer(tokenizers.models.WordPiece(words, unk_token="[UNK]"))
        tokenizer.normalizer = tokenizers.normalizers.BertNormalizer(lowercase=False)
        tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
        tokenizer.add_special_tokens(special)
        tokenizer.save(str(self.folder / "tokenizer.json"))
        rows = [{"text": text_of(d).replace(". ", ".\n")} for d in range(40)]
        try:
            import datasets

            rows = datasets.Dataset.from_list(rows)
        except ImportError:
            pass  # a list of dicts is read in the same way
        paths = nystrom_io.write_dataset(
            self.folder / "data" / "train", rows, tokenizer=self.folder / "tokenizer.json", shard_tokens=900)
        self.assertEqual([pathlib.Path(path).name for path in paths], ["00000.h5", "00001.h5"])
        with nystrom_io.Shard(paths[0]) as shard:
            self.assertEqual(len(shard.sentences(0)), 5)
            self.assertEqual(shard.tokenizer_sha256,
                             hashlib.sha256((self.folder / "data" / "tokenizer.json").read_bytes()).hexdigest())
        self.run_program("pretrain", "my.yaml", "--set", "data.shards=[data/train/*.h5]", "--set", "data.validation=[]",
                         "--set", "training.steps=1", "--set", "tokenizer={}", "--set", "corpus=[]", "--set",
                         "output.directory=")
        with nystrom_io.Checkpoint(self.folder / "run") as checkpoint:
            self.assertEqual(checkpoint.step, 1)


if __name__ == "__main__":
    if len(sys.argv) > 1 and os.access(sys.argv[1], os.X_OK):
        PROGRAM = os.path.abspath(sys.argv.pop(1))
        WithProgram.__unittest_skip__ = False
    unittest.main(verbosity=2)
