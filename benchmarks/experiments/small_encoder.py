#!/usr/bin/env python3
"""Experiment: pretraining a small encoder on two CPU cores, then fine-tuning on IMDB and GLUE from the checkpoint and
from scratch, with a linear baseline.

usage: benchmarks/experiments/small_encoder.py STAGE [--data DIR] [--work DIR] [--program NYSTROM] [--minutes M]
                         [--seeds 1,2,3] [--threads N] [--tasks RTE,...] [--origins pretrain,softmax,scratch]
                         [--epochs E] [--tiny]

Each stage can be resumed: started again, it continues where it stopped and skips what is done. At its end it writes
benchmarks/results/DATE-small-encoder-STAGE.json.

  prepare     unpacks IMDB; tokenizer and shards from the novels, the Wikipedia sample and the IMDB training text
  pretrain    Nystrom attention, as many steps as fit into M minutes (timed first; `softmax` uses the same number)
  softmax     the same number of steps with softmax attention
  imdb        fine-tuning on the 25,000 training reviews, tested on the 25,000 test reviews, from the Nystrom
              checkpoint, the softmax checkpoint, and from scratch (same budget)
  baselines   logistic regression on TF-IDF of unigrams and bigrams (scikit-learn)
  glue        RTE, MRPC, STS-B, CoLA, SST-2 (or --tasks) from the checkpoint and from scratch, validation splits
  report      a table of the results of all stages

Stages, origins and seeds may run in parallel, for example on one thread each. Each process skips what others have
finished, and writes the results of all finished runs. DIR (--data) contains books/, wiki/, imdb/ (tar archives or the
directory aclImdb) and glue/. --tiny runs every stage in a minute or two on a fraction of the data, to test the script;
its numbers are meaningless and are written below --work only.
"""
import shutil
import statistics

from experiment import GLUE, ROOT, Experiment, metrics_of, parser_of, settings, text_of, words

CONFIG = ROOT / "configs" / "cpu-pretrain.yaml"
STAGES = ("prepare", "pretrain", "softmax", "imdb", "baselines", "glue", "report")
ORIGINS = ("pretrain", "softmax", "scratch")


class SmallEncoder(Experiment):
    name = "small-encoder"

    def __init__(self, options):
        super().__init__(options)
        self.minutes, self.origins, self.epochs = options.minutes, options.origins, options.epochs

    def shape(self):
        """Configuration keys of --tiny: a model that trains in seconds."""
        if not self.tiny:
            return {}
        return {"model.hidden_size": 32, "model.layers": 2, "model.heads": 2, "model.intermediate_size": 64,
                "model.max_positions": 128, "data.sequence_length": 128, "model.attention.landmarks": 16,
                "model.attention.convolution": 9, "tokenizer.vocabulary_size": 1000}

    def prepare(self):
        keys = {key: value for key, value in self.shape().items() if key.startswith("tokenizer")}
        results = self.prepare_text(CONFIG, self.work / "prepared", keys)
        if results:
            self.write(results)

    def steps(self):
        """Number of steps that fit into --minutes, from a short timed run. Stored in a file for resumes."""
        kept = self.work / "steps.json"
        if not kept.exists():
            if self.tiny:
                kept.write_text("30")
            else:
                timed = self.work / "timing"
                shutil.rmtree(timed, ignore_errors=True)
                self.nystrom("pretrain", CONFIG, *settings(self.pretraining_keys(timed, 20)))
                seconds = [line["seconds"] for line in metrics_of(timed)[0]]
                each = statistics.median(b - a for a, b in zip(seconds[5:], seconds[6:]))
                kept.write_text(str(int(60 * self.minutes / each)))
                shutil.rmtree(timed)
        return int(kept.read_text())

    def pretraining_keys(self, directory, steps):
        return {"run.directory": directory, "training.steps": steps, "run.log_every": 1, "run.threads": self.threads,
                "schedule.warmup_steps": max(1, steps // 20), "evaluation.every_steps": max(1, steps // 4),
                "output.directory": self.work / "prepared", **self.shape()}

    def pretrained(self, kind):
        return self.work / kind / "checkpoints" / f"step-{self.steps():08d}.h5"

    def train(self, kind):
        if not self.pretrained(kind).exists():
            attention = {"model.attention.kind": "softmax"} if kind == "softmax" else {}
            keys = self.pretraining_keys(self.work / kind, self.steps())
            self.nystrom("pretrain", CONFIG, *settings(keys | attention))
        training, validation = metrics_of(self.work / kind)
        self.write({"steps": self.steps(), "hours": training[-1]["seconds"] / 3600, "last": training[-1],
                    "validation": validation})

    def pretrain(self):
        self.train("pretrain")

    def softmax(self):
        self.train("softmax")

    def finetune(self, name, config, origin, keys):
        """Fine-tunes one task from one origin with all seeds."""
        model = {"model.from": self.pretrained(origin)} if origin != "scratch" else {
            "model.from": "", "tokenizer.path": self.work / "prepared" / "tokenizer.model", **self.model_keys()}
        epochs = {"training.epochs": self.epochs} if self.epochs else {}
        self.nystrom("finetune", config, *settings({"run.directory": self.work / name, "run.threads": self.threads,
                                                    **self.seed_grid(), **model, **epochs, **keys}))

    def model_keys(self):
        """Model keys for training from scratch: the shape of the checkpoint."""
        keys = {"model.hidden_size": 256, "model.layers": 4, "model.heads": 4, "model.intermediate_size": 1024,
                "model.max_positions": 512, "model.attention.landmarks": 64, "model.attention.convolution": 33}
        return keys | {key: value for key, value in self.shape().items() if key.startswith("model")}

    def imdb(self):
        keys = {"task.path": self.reviews(), "task.validation_fraction": 0,
                "data.sequence_length": 128 if self.tiny else 512}
        for origin in self.origins:
            self.finetune(f"imdb-{origin}", ROOT / "configs" / "cpu-finetune-imdb.yaml", origin, keys)
            found = {origin: self.finished(f"imdb-{origin}", "test", "accuracy") for origin in ORIGINS}
            self.write({origin: scores for origin, scores in found.items() if scores})

    def baselines(self):
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        texts, labels = {}, {}
        for part in ("train", "test"):
            files = [(file, side) for side in ("neg", "pos")
                     for file in sorted((self.reviews() / part / side).glob("*.txt"))]
            texts[part] = [file.read_text(encoding="utf-8", errors="replace").replace("<br />", " ")
                           for file, _ in files]
            labels[part] = [side for _, side in files]
        vectors = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2)
        model = LogisticRegression(C=10, max_iter=1000).fit(vectors.fit_transform(texts["train"]), labels["train"])
        accuracy = model.score(vectors.transform(texts["test"]), labels["test"])
        self.record("TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2), LogisticRegression(C=10)")
        self.write({"tfidf_logistic_regression_test_accuracy": accuracy})

    def glue(self):
        tasks = ("RTE", "STS-B") if self.tiny else self.tasks
        for task in (task for task in GLUE if task in tasks):
            for origin in (origin for origin in self.origins if origin != "softmax"):
                self.finetune(f"glue-{task}-{origin}", ROOT / "configs" / "cpu-finetune-glue.yaml", origin,
                              {"task.name": task, "task.path": self.data / "glue" / task})
                self.write({name: results for name, metric in GLUE.items()
                            if (results := self.glue_results(name, metric))})

    def glue_results(self, task, metric):
        found = {origin: self.finished(f"glue-{task}-{origin}", "validation", metric) for origin in ORIGINS}
        found = {origin: scores for origin, scores in found.items() if scores}
        return {"metric": metric, **found} if found else {}

    def report(self):
        imdb, glue = self.stage_results("imdb") or {}, self.stage_results("glue") or {}
        linear = (self.stage_results("baselines") or {}).get("tfidf_logistic_regression_test_accuracy")
        print("| task | metric | from Nystrom | from softmax | from scratch | linear |\n|---|---|---|---|---|---|")
        cells = [text_of(imdb.get(origin)) for origin in ORIGINS]
        print(f"| IMDB (test) | accuracy | {' | '.join(cells)} | {'-' if linear is None else format(linear, '.4f')} |")
        for task, values in glue.items():
            print(f"| {task} (validation) | {values['metric']} | {text_of(values.get('pretrain'))} | | "
                  f"{text_of(values.get('scratch'))} | |")


def main():
    parser = parser_of(__doc__, STAGES, work="small-encoder", threads=2, tasks=GLUE)
    parser.add_argument("--minutes", type=float, default=90, help="time budget of pretraining (default: 90)")
    parser.add_argument("--origins", type=words, default=list(ORIGINS))
    parser.add_argument("--epochs", type=int, help="epochs of fine-tuning (default: as configured)")
    options = parser.parse_args()
    if options.tiny:
        options.epochs = 1
    getattr(SmallEncoder(options), options.stage)()


if __name__ == "__main__":
    main()
