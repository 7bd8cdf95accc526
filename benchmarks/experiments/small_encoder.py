#!/usr/bin/env python3
"""Experiment: pretraining a small encoder on two CPU cores, then fine-tuning on IMDB and GLUE from the checkpoint and
from scratch, with a linear baseline.

usage: benchmarks/experiments/small_encoder.py STAGE [--data DIR] [--work DIR] [--minutes M] [--seeds 1,2,3] [--threads N]
                         [--tasks RTE,...] [--origins pretrain,softmax,scratch] [--epochs E] [--tiny]

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
import argparse
import datetime
import json
import pathlib
import platform
import shutil
import statistics
import subprocess
import sys
import tarfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROGRAM = ROOT / "build" / "nystrom"
CONFIG = ROOT / "configs" / "cpu-pretrain.yaml"
STAGES = ("prepare", "pretrain", "softmax", "imdb", "baselines", "glue", "report")
ORIGINS = ("pretrain", "softmax", "scratch")
GLUE = {"RTE": "accuracy", "MRPC": "f1", "STS-B": "pearson", "CoLA": "matthews_correlation", "SST-2": "accuracy"}


class Experiment:
    def __init__(self, options):
        self.data = options.data.resolve()
        self.work = options.work.resolve()
        self.minutes, self.seeds, self.threads = options.minutes, options.seeds, options.threads
        self.tasks, self.origins, self.epochs, self.tiny = options.tasks, options.origins, options.epochs, options.tiny
        self.results = self.work / "results" if self.tiny else ROOT / "benchmarks" / "results"
        self.commands = []

    # --- helpers --------------------------------------------------------------------------------------------------

    def nystrom(self, command, config, **keys):
        line = [str(PROGRAM), command, str(config)]
        for key, value in keys.items():
            line += ["--set", f"{key.replace('__', '.')}={value}"]
        self.commands.append(" ".join(["nystrom", *line[1:]]))
        done = subprocess.run(line)
        if done.returncode != 0:
            sys.exit(f"nystrom {line[1]} ended with status {done.returncode}. The same command resumes from here.")

    def write(self, stage, results):
        self.results.mkdir(parents=True, exist_ok=True)
        day = datetime.date.today().isoformat()
        commit = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
        path = self.results / f"{day}-small-encoder-{stage}.json"
        before = json.loads(path.read_text())["commands"] if path.exists() else []
        commands = [self.without_places(line) for line in self.commands]
        text = {"date": day, "stage": stage, "machine": f"{processor()}, {self.threads} threads",
                "commit": commit.stdout.strip(), "commands": list(dict.fromkeys(before + commands)),
                "results": results}
        path.write_text(self.without_places(json.dumps(text, indent=1)) + "\n")
        print(f"wrote {path}")

    def without_places(self, text):
        """Removes absolute paths of this machine."""
        return text.replace(str(self.work), "WORK").replace(str(self.data), "DATA").replace(str(ROOT) + "/", "")

    def stage_results(self, stage):
        found = sorted(self.results.glob(f"*-small-encoder-{stage}.json"))
        return json.loads(found[-1].read_text())["results"] if found else None

    def shape(self):
        """Configuration keys of --tiny: a model that trains in seconds."""
        if not self.tiny:
            return {}
        return {"model__hidden_size": 32, "model__layers": 2, "model__heads": 2, "model__intermediate_size": 64,
                "model__max_positions": 128, "data__sequence_length": 128, "model__attention__landmarks": 16,
                "model__attention__convolution": 9, "tokenizer__vocabulary_size": 1000}

    # --- stages ---------------------------------------------------------------------------------------------------

    def reviews(self):
        tree = self.work / "aclImdb"
        if tree.exists():
            return tree
        partial = self.work / "unpacking"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        if (self.data / "imdb" / "aclImdb").is_dir():
            shutil.copytree(self.data / "imdb" / "aclImdb", partial / "aclImdb")
        for tar in sorted((self.data / "imdb").glob("*.tar*")):
            with tarfile.open(tar) as packed:
                packed.extractall(partial, members=self.chosen(packed), filter="data")
        (partial / "aclImdb").rename(tree)
        return tree

    def chosen(self, packed):
        """Yields the members to unpack: all, or every hundredth review with --tiny."""
        for member in packed:
            number = pathlib.Path(member.name).name.split("_")[0]
            if not self.tiny or not member.isfile() or not number.isdigit() or int(number) % 100 == 0:
                yield member

    def prepare(self):
        if (self.work / "prepared" / "manifest.json").exists():
            return
        corpus = [f"{{kind: imdb, path: {self.reviews()}}}", f"{{kind: books, path: {self.data}/books}}",
                  f"{{kind: wikipedia, path: '{self.data}/wiki/enwiki-pages-articles-sample.xml.bz2'}}"]
        start = time.time()
        keys = {key: value for key, value in self.shape().items() if key.startswith("tokenizer")}
        self.nystrom("prepare", CONFIG, corpus=f"[{', '.join(corpus[:1] if self.tiny else corpus)}]",
                     output__directory=self.work / "prepared", **keys)
        manifest = json.loads((self.work / "prepared" / "manifest.json").read_text())
        for source in manifest["sources"]:
            source.pop("files", None)
        self.write("prepare", {"seconds": round(time.time() - start), "manifest": manifest})

    def steps(self):
        """Number of steps that fit into --minutes, from a short timed run. Stored in a file for resumes."""
        kept = self.work / "steps.json"
        if not kept.exists():
            if self.tiny:
                kept.write_text("30")
            else:
                timed = self.work / "timing"
                shutil.rmtree(timed, ignore_errors=True)
                self.nystrom("pretrain", CONFIG, **self.pretraining_keys(timed, 20))
                lines = [json.loads(line) for line in (timed / "metrics.jsonl").read_text().splitlines()]
                seconds = [line["seconds"] for line in lines if "loss" in line]
                each = statistics.median(b - a for a, b in zip(seconds[5:], seconds[6:]))
                kept.write_text(str(int(60 * self.minutes / each)))
                shutil.rmtree(timed)
        return int(kept.read_text())

    def pretraining_keys(self, directory, steps):
        return {"run__directory": directory, "training__steps": steps, "run__log_every": 1, "run__threads": self.threads,
                "schedule__warmup_steps": max(1, steps // 20), "evaluation__every_steps": max(1, steps // 4),
                "data__shards": f"[{self.work}/prepared/train/*.h5]",
                "data__validation": f"[{self.work}/prepared/validation/*.h5]", **self.shape()}

    def pretrained(self, kind):
        return self.work / kind / "checkpoints" / f"step-{self.steps():08d}.h5"

    def train(self, kind, **keys):
        if not self.pretrained(kind).exists():
            self.nystrom("pretrain", CONFIG, **self.pretraining_keys(self.work / kind, self.steps()), **keys)
        lines = [json.loads(line) for line in (self.work / kind / "metrics.jsonl").read_text().splitlines()]
        training = [line for line in lines if "loss" in line]
        validation = [line for line in lines if "validation_loss" in line]
        self.write(kind, {"steps": self.steps(), "hours": training[-1]["seconds"] / 3600, "last": training[-1],
                          "validation": validation})

    def pretrain(self):
        self.train("pretrain")

    def softmax(self):
        self.train("softmax", model__attention__kind="softmax")

    def finetune(self, name, config, origin, **keys):
        """Fine-tunes one task from one origin with all seeds."""
        directory = self.work / name
        model = {"model__from": self.pretrained(origin)} if origin != "scratch" else {
            "model__from": "", "tokenizer__path": self.work / "prepared" / "tokenizer.model", **self.model_keys()}
        if self.epochs:
            keys = {"training__epochs": self.epochs, **keys}
        self.nystrom("finetune", config, run__directory=directory, run__threads=self.threads,
                     grid=f"{{seed: [{', '.join(map(str, self.seeds))}]}}", **(model | keys))

    def finished(self, name, split, metric):
        """Scores of the finished runs of a task from an origin, by seed; {} if there are none."""
        files = sorted((self.work / name).glob("seed=*/results.json"))
        scores = {file.parent.name.removeprefix("seed="): json.loads(file.read_text())[split][metric] for file in files}
        return {split: scores, **spread(list(scores.values()))} if scores else {}

    def model_keys(self):
        """Model keys for training from scratch: the shape of the checkpoint."""
        keys = {"model__hidden_size": 256, "model__layers": 4, "model__heads": 4, "model__intermediate_size": 1024,
                "model__max_positions": 512, "model__attention__landmarks": 64, "model__attention__convolution": 33}
        return keys | {key: value for key, value in self.shape().items() if key.startswith("model")}

    def imdb(self):
        length = {"data__sequence_length": 128 if self.tiny else 512}
        for origin in self.origins:
            self.finetune(f"imdb-{origin}", ROOT / "configs" / "cpu-finetune-imdb.yaml", origin,
                          task__path=self.reviews(), task__validation_fraction=0, **length)
            found = {origin: self.finished(f"imdb-{origin}", "test", "accuracy") for origin in ORIGINS}
            self.write("imdb", {origin: scores for origin, scores in found.items() if scores})

    def baselines(self):
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        texts, labels = {}, {}
        for part in ("train", "test"):
            files = [(file, side) for side in ("neg", "pos") for file in sorted((self.reviews() / part / side).glob("*.txt"))]
            texts[part] = [file.read_text(encoding="utf-8", errors="replace").replace("<br />", " ") for file, _ in files]
            labels[part] = [side for _, side in files]
        vectors = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2)
        model = LogisticRegression(C=10, max_iter=1000).fit(vectors.fit_transform(texts["train"]), labels["train"])
        accuracy = model.score(vectors.transform(texts["test"]), labels["test"])
        self.commands.append("TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2), LogisticRegression(C=10)")
        self.write("baselines", {"tfidf_logistic_regression_test_accuracy": accuracy})

    def glue(self):
        tasks = ("RTE", "STS-B") if self.tiny else self.tasks
        for task in (task for task in GLUE if task in tasks):
            for origin in (origin for origin in self.origins if origin != "softmax"):
                self.finetune(f"glue-{task}-{origin}", ROOT / "configs" / "cpu-finetune-glue.yaml", origin,
                              task__name=task, task__path=self.data / "glue" / task)
                self.write("glue", {name: results for name, metric in GLUE.items()
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


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def spread(values):
    known = [value for value in values if value is not None]
    return {"median": statistics.median(known), "min": min(known), "max": max(known)} if known else {}


def text_of(result):
    if not result or "median" not in result:
        return "-"
    return f"{result['median']:.4f} ({result['min']:.4f} to {result['max']:.4f})"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stage", choices=STAGES)
    parser.add_argument("--data", type=pathlib.Path, default=ROOT / ".." / "shared" / "data")
    parser.add_argument("--work", type=pathlib.Path, default=ROOT / "build" / "small-encoder")
    parser.add_argument("--minutes", type=float, default=90, help="time budget of pretraining (default: 90)")
    parser.add_argument("--seeds", type=lambda text: [int(seed) for seed in text.split(",")], default=[1, 2, 3])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--tasks", type=lambda text: text.split(","), default=list(GLUE))
    parser.add_argument("--origins", type=lambda text: text.split(","), default=list(ORIGINS))
    parser.add_argument("--epochs", type=int, help="epochs of fine-tuning (default: as configured)")
    parser.add_argument("--tiny", action="store_true")
    options = parser.parse_args()
    if options.tiny:
        options.epochs = 1
    options.work.mkdir(parents=True, exist_ok=True)
    getattr(Experiment(options), options.stage)()


if __name__ == "__main__":
    main()
