#!/usr/bin/env python3
"""Experiment: an encoder of at most 20 million parameters, pretrained on two CPU cores, with the choices behind it.

usage: benchmarks/experiments/encoder.py STAGE [--data DIR] [--work DIR] [--program NYSTROM] [--threads N]
                         [--seeds 1,2,3] [--variants a,b,...] [--minutes M] [--rounds R] [--short-steps S]
                         [--long-steps L] [--phases short,long] [--tasks imdb-512,...]
                         [--origins pretrain,softmax,scratch] [--epochs E] [--tiny]

Each stage can be resumed: started again, it continues where it stopped and skips what is done. At its end it writes
benchmarks/results/DATE-encoder-STAGE.json.

  prepare     unpacks IMDB; tokenizer and shards from the novels, the Wikipedia sample and the IMDB training text, for
              each vocabulary of the ablation, the encoder's own first
  costs       seconds per step of each variant of the ablation, on real batches: R short runs of each, all variants in
              turn. Needs a quiet machine
  ablation    trains each variant (--variants; --seeds) for as many steps as M minutes of N threads hold by `costs`,
              and evaluates all on the same validation text under the same conditions
  pretrain    the encoder: S steps at 512 tokens (configs/cpu-encoder.yaml), then L steps at 2,048
              (configs/cpu-encoder-long.yaml). With --phases short it can be trained on later, with a larger S
  softmax     the same with softmax attention, for as many steps as take the same time by short runs of both in turn.
              With --phases long it starts from the weights of the other's first phase
  finetune    IMDB at 512 and 2,048 tokens, GLUE, XQuAD and WNUT 17 (or --tasks), by default from the checkpoint and
              from scratch (--origins)
  export      a Hugging Face folder of the encoder, WORK/model, with a model card from the results
  report      the tables, in Markdown, and the curves of pretraining, WORK/curves.svg

Variants, tasks, origins and seeds may run in parallel, for example on one thread each: a process skips what another
has taken. DIR (--data) contains books/, wiki/, imdb/ (tar archives or the directory aclImdb), glue/, squad/ and ner/.
--tiny runs every stage in a minute or two on a fraction of the data, to test the script; its numbers are meaningless
and are written below --work only.
"""
import json
import pathlib
import shutil
import statistics
import subprocess
import sys

from encoder_ablation import CONDITIONS, VOCABULARIES, Ablation, tokens_of
from encoder_card import HEADINGS, card, cells_of, scores_of
from experiment import (GLUE, ROOT, checkpoint_of, manifest_of, metrics_of, parser_of, settings, spread, words,
                        write_json)

CONFIGS = ROOT / "configs"
STAGES = ("prepare", "costs", "ablation", "pretrain", "softmax", "finetune", "export", "report")
PHASES = {"short": CONFIGS / "cpu-encoder.yaml", "long": CONFIGS / "cpu-encoder-long.yaml"}
LONG = 2048
# Of a review, 510 pieces fit into 512 tokens.
FITS = 510
# Keys of a run's configuration that a model of the same shape from scratch needs.
SHAPE = ("hidden_size", "layers", "heads", "intermediate_size", "max_positions", "norm", "positions", "kind",
         "landmarks", "convolution")
TINY_TASKS = ("imdb-512", "imdb-2048", "RTE", "xquad", "wnut17")
# Configuration, split and metric of each task. No test split has a say in what is tested: runs end with their last
# epoch. Only GLUE, whose test labels are not public, is scored on the split that selects the best epoch.
TASKS = {
    "imdb-512": ("cpu-finetune-imdb.yaml", "test", "accuracy"),
    "imdb-2048": ("cpu-finetune-imdb.yaml", "test", "accuracy"),
    **{name: ("cpu-finetune-glue.yaml", "validation", metric) for name, metric in GLUE.items()},
    "xquad": ("cpu-finetune-squad.yaml", "test", "f1"),
    "wnut17": ("cpu-finetune-ner.yaml", "test", "f1"),
}


class Encoder(Ablation):
    def __init__(self, options):
        super().__init__(options)
        self.steps = {"short": options.short_steps, "long": options.long_steps}
        self.phases, self.origins, self.epochs = options.phases, options.origins, options.epochs
        unknown = [name for name in self.tasks if name not in TASKS]
        if unknown:
            sys.exit(f"No such tasks: {', '.join(unknown)}. There are: {', '.join(TASKS)}")

    # --- pretraining ----------------------------------------------------------------------------------------------

    def run_of(self, kind, phase):
        return self.work / f"{kind}-{phase}"

    def phase_keys(self, kind, phase, start, steps):
        """Keys of a phase besides those of its configuration; `start` is the checkpoint that the second begins with."""
        keys = {"output.directory": self.prepared(), "run.directory": self.run_of(kind, phase),
                "run.threads": self.threads, "training.steps": steps, "model.attention.kind": kind}
        if phase == "short":
            return keys | self.tiny_keys() | ({"schedule.warmup_steps": 2} if self.tiny else {})
        warmup = max(1, min(100, steps // 10))
        return keys | {"model.from": start, "schedule.warmup_steps": warmup, "schedule.decay_steps": steps - warmup}

    def trained(self, kind, phase):
        """A phase's latest checkpoint; None if there is none."""
        return max((self.run_of(kind, phase) / "checkpoints").glob("step-*.h5"), default=None)

    def model_of(self, kind):
        """The latest checkpoint of the last phase that has one."""
        found = self.trained(kind, "long") or self.trained(kind, "short")
        if not found:
            sys.exit(f"{self.work} has no encoder with {kind} attention: run the stage that trains it first.")
        return found

    def start_of(self, kind):
        """The checkpoint that the second phase starts from: the first's, with positions repeated up to LONG."""
        first = self.trained(kind, "short")
        if not first:
            sys.exit(f"{self.run_of(kind, 'short')} has no checkpoint: run the phase `short` first.")
        start = self.work / f"{kind}-start-{first.name}"
        others = [path.name for path in self.work.glob(f"{kind}-start-*.h5") if path != start]
        if others:
            sys.exit(f"The phase `long` began from {others[0]}, and the phase `short` has been trained on since. "
                     f"Remove {others[0]} and {self.run_of(kind, 'long').name} to begin it again.")
        if not start.exists():
            self.nystrom("convert", "--from", first, "--to", start, "--positions", LONG)
        return start

    def train(self, kind, phase, start_kind, steps):
        start = self.start_of(start_kind) if phase == "long" else None
        if not checkpoint_of(self.run_of(kind, phase), steps).exists():
            self.nystrom("pretrain", PHASES[phase], "--resume", "auto",
                         *settings(self.phase_keys(kind, phase, start, steps)))

    def pretrain(self):
        for phase in self.phases:
            self.train("nystrom", phase, "nystrom", self.steps[phase])
            self.write(self.training_results("nystrom"))

    def softmax(self):
        start_kind = "softmax" if "short" in self.phases else "nystrom"
        for phase in self.phases:
            if not self.trained("nystrom", phase):
                sys.exit(f"{self.run_of('nystrom', phase)} has no checkpoint: run the stage `pretrain` first.")
            costs = self.costs_of_kinds(phase)
            steps = metrics_of(self.run_of("nystrom", phase))[0][-1]["step"] * costs["nystrom"] / costs["softmax"]
            self.train("softmax", phase, start_kind, round(steps))
            self.write(self.training_results("softmax") | {"first_phase": start_kind} |
                       {f"seconds_per_step_{phase}": self.costs_of_kinds(phase) for phase in self.phases})

    def costs_of_kinds(self, phase):
        """Median seconds per step of both kinds of attention in a phase, measured in turn. Kept in a file."""
        path = self.work / f"costs-{phase}.json"
        if not path.exists():
            start = self.start_of("nystrom") if phase == "long" else None
            rounds = {"nystrom": [], "softmax": []}
            for number in range(1, 1 + self.rounds):
                for kind, seconds in rounds.items():
                    keys = self.phase_keys(kind, phase, start, 2000)
                    seconds.append(self.timed(PHASES[phase], keys | {"seed": number, "schedule.decay_steps": 0}))
            write_json(path, {kind: statistics.median(seconds) for kind, seconds in rounds.items()})
        return json.loads(path.read_text())

    def training_results(self, kind):
        """Steps, tokens and time of each phase by the records of its run, and the scores of the last one. `hours` are
        the steps by their median time; the log's own also count when the process was stopped or had to share a CPU."""
        phases = {phase: self.run_of(kind, phase) for phase in PHASES if self.trained(kind, phase)}
        results = {"threads": self.threads, "phases": {}}
        for phase, run in phases.items():
            training, validation = metrics_of(run)
            steps, seconds = training[-1]["step"], median_step_seconds(training)
            results["phases"][phase] = {
                "steps": steps, "samples": training[-1]["samples"],
                "tokens": round(self.tokens_read(training)), "seconds_per_step": seconds,
                "hours": steps * seconds / 3600, "hours_with_stops": training[-1]["seconds"] / 3600,
                "epochs_of": training[-1].get("epochs_of"), "last": training[-1], "validation": validation}
        for total in ("hours", "hours_with_stops", "tokens"):
            results[total] = sum(phase[total] for phase in results["phases"].values())
        results["thread_hours"] = self.threads * results["hours"]
        last = list(phases.values())[-1]
        done = self.nystrom("inspect", self.model_of(kind), "--json", stdout=subprocess.PIPE)
        results["parameters"] = json.loads(done.stdout)["values"]
        conditions = dict(CONDITIONS)
        if "long" in phases:
            conditions["long"] = {"objective.sop_weight": 1, "data.sequence_length": LONG}
        results["scores"] = {name: self.score(last, VOCABULARIES[0], keys) for name, keys in conditions.items()}
        return results

    def tokens_read(self, training):
        """Tokens of text, by the epochs of each corpus, which the metrics have if there are several."""
        corpora = manifest_of(self.prepared())["splits"]["train"]["by_source"]
        epochs_of = training[-1].get("epochs_of")
        if not epochs_of:
            return tokens_of(training)
        return sum(epochs * corpora[name]["tokens"] for name, epochs in epochs_of.items())

    # --- fine-tuning ----------------------------------------------------------------------------------------------

    def finetune(self):
        for task in self.tasks:
            for origin in self.origins:
                for seed in self.seeds:
                    self.finetune_once(task, origin, seed)
                self.write(self.finetuning_results())
        self.print_finetuning()

    def finetune_once(self, task, origin, seed):
        name = f"finetune/{task}-{origin}/seed={seed}"
        directory = self.work / name
        with self.taken(name.replace("/", "-")) as mine:
            if not mine or (directory / "results.json").exists():
                print(f"{name}: done or taken by another process", flush=True)
                return
            keys = {"run.directory": directory, "run.threads": self.threads, "seed": seed, "grid": "{}"}
            keys |= self.origin_keys(origin) | self.task_keys(task)
            self.nystrom("finetune", CONFIGS / TASKS[task][0], "--quiet", *settings(keys))
            shutil.rmtree(directory / "checkpoints")

    def origin_keys(self, origin):
        model = self.model_of("softmax" if origin == "softmax" else "nystrom")
        if origin != "scratch":
            return {"model.from": model}
        return {"model.from": "", "tokenizer.path": self.prepared() / "tokenizer.model",
                **model_keys(model.parent.parent / "config.yaml")}

    def task_keys(self, task):
        epochs = {"training.epochs": self.epochs} if self.epochs else {}
        if task.startswith("imdb-"):
            return epochs | {"task.path": self.reviews(), "task.validation_fraction": 0, "checkpoint.keep": 1,
                             "data.sequence_length": task.removeprefix("imdb-")}
        if task == "xquad":
            return epochs | {"task.path": self.questions()}
        if task == "wnut17":
            return epochs | {"task.path": self.data / "ner"}
        return epochs | {"task.name": task, "task.path": self.data / "glue" / task}

    def questions(self):
        """XQuAD's English part in two files: every fifth paragraph, with its questions, is for the test."""
        folder = self.work / "xquad"
        if not (folder / "test.json").exists():
            folder.mkdir(exist_ok=True)
            text = json.loads((self.data / "squad" / "xquad.en.json").read_text())
            paragraphs = [{"title": article["title"], "paragraphs": [paragraph]}
                          for article in text["data"] for paragraph in article["paragraphs"]]
            test = paragraphs[4::5]
            train = [paragraph for paragraph in paragraphs if paragraph not in test]
            for split, data in (("train", train), ("test", test)):
                write_json(folder / f"{split}.json", {"version": "1.1", "data": data})
        return folder

    def finetuning_results(self):
        results = {}
        for task, (_, split, metric) in TASKS.items():
            found = {origin: self.finished(f"finetune/{task}-{origin}", split, metric) for origin in HEADINGS}
            found = {origin: scores for origin, scores in found.items() if scores}
            for origin, scores in found.items():
                if task.startswith("imdb-"):
                    scores["by_length"] = self.accuracy_by_length(f"finetune/{task}-{origin}")
                if task == "xquad":
                    scores["exact_match"] = self.finished(f"finetune/{task}-{origin}", split, "exact_match")
            if found:
                results[task] = {"split": split, "metric": metric, **found}
        return results

    def accuracy_by_length(self, name):
        """Accuracy on the test reviews that fit into 512 tokens, and on those that do not."""
        lengths, found = self.review_lengths(), {"fit": {}, "longer": {}}
        for file in sorted((self.work / name).glob("seed=*/predictions.tsv")):
            right = {"fit": [], "longer": []}
            for line in file.read_text().splitlines()[1:]:
                review, prediction, label = line.split("\t")[:3]
                right["fit" if lengths[review] <= FITS else "longer"].append(prediction == label)
            for part, values in right.items():
                if values:
                    found[part][file.parent.name.removeprefix("seed=")] = sum(values) / len(values)
        return {part: {"reviews": sum((length <= FITS) == (part == "fit") for length in lengths.values()),
                       "accuracy": scores, **spread(list(scores.values()))} for part, scores in found.items()}

    def review_lengths(self):
        """Pieces in each test review, by its name. Kept in a file."""
        kept = self.work / "review-lengths.json"
        if not kept.exists():
            files = sorted((self.reviews() / "test").glob("*/*.txt"))
            texts = "".join(json.dumps({"id": str(file.relative_to(self.reviews())), "text": text_in(file)}) + "\n"
                            for file in files)
            done = self.nystrom("predict", "--model", self.model_of("nystrom"), "--task", "tokens", "--input", "-",
                                "--input-format", "jsonl", "--format", "jsonl", "--quiet", input=texts,
                                stdout=subprocess.PIPE)
            rows = [json.loads(line) for line in done.stdout.splitlines()]
            write_json(kept, {row["id"]: len(row["ids"]) for row in rows})
        return json.loads(kept.read_text())

    # --- export and report ----------------------------------------------------------------------------------------

    def export(self):
        folder = self.work / "model"
        readme, converted = folder / "README.md", self.work / "converted-card.md"
        if not folder.exists():
            self.nystrom("convert", "--from", self.model_of("nystrom"), "--to", folder)
            shutil.copy(readme, converted)
        results = map(self.stage_results, ("prepare", "pretrain", "softmax", "finetune"))
        readme.write_text(card(converted.read_text(), *results))
        self.write({"files": {file.name: file.stat().st_size for file in sorted(folder.iterdir()) if file.is_file()},
                    "model_card": readme.read_text()})

    def report(self):
        self.print_ablation()
        for stage in ("pretrain", "softmax"):
            self.print_training(stage)
        self.print_finetuning()
        self.draw_curves()

    def draw_curves(self):
        """The training losses of both kinds by the share of each phase: those of softmax end after the same time."""
        lines = {"Nyström": [self.run_of("nystrom", phase) for phase in PHASES if self.trained("nystrom", phase)]}
        if len(lines["Nyström"]) < len(PHASES):
            return
        if self.trained("softmax", "long"):
            first = "softmax" if self.trained("softmax", "short") else "nystrom"
            lines["softmax"] = [self.run_of(first, "short"), self.run_of("softmax", "long")]
        picture = self.work / "curves.svg"
        subprocess.run([sys.executable, ROOT / "docs" / "pictures" / "curves.py", "--mlm", picture,
                        "MLM loss, 30 % masked: 512 tokens, then 2,048",
                        *(f"{name}={'+'.join(map(str, runs))}" for name, runs in lines.items())], check=True)
        print(f"\nwrote {picture}")

    def print_training(self, stage):
        results = self.stage_results(stage)
        if not results:
            return
        print(f"\n{stage}: {results['parameters'] / 1e6:.1f} million parameters, "
              f"{results['tokens'] / 1e6:,.0f} million tokens, {results['hours']:.1f} hours of "
              f"{results['threads']} threads\n")
        print("| phase | step | MLM loss | MLM accuracy | SOP accuracy |\n|---|---|---|---|---|")
        for phase, values in results["phases"].items():
            for line in values["validation"]:
                scores = {key.removeprefix("validation_"): value for key, value in line.items()}
                print(f"| {phase} | {line['step']:,} | {cells_of(scores)} |")
        for condition, scores in results["scores"].items():
            print(f"| all validation text, {condition} | | {cells_of(scores)} |")

    def print_finetuning(self):
        print(scores_of(self.stage_results("finetune")))


def median_step_seconds(training):
    """Of the lines of a run's metrics, each of which covers the steps since the one before."""
    pairs = zip([{"step": 0, "seconds": 0}, *training], training)
    return statistics.median((b["seconds"] - a["seconds"]) / (b["step"] - a["step"]) for a, b in pairs)


def model_keys(config):
    """The keys of a resolved configuration that give the model's shape, for a model from scratch."""
    keys, inside, prefix = {}, False, ""
    for line in pathlib.Path(config).read_text().splitlines():
        key, _, value = line.strip().partition(":")
        indent = len(line) - len(line.lstrip())
        inside = key == "model" if indent == 0 else inside
        prefix = "attention." if indent == 4 else ""
        if inside and indent and key in SHAPE and value.strip():
            keys[f"model.{prefix}{key}"] = value.strip()
    return keys


def text_in(file):
    return file.read_text(encoding="utf-8", errors="replace").replace("<br />", "\n")


def main():
    parser = parser_of(__doc__, STAGES, work="encoder", threads=1, tasks=TASKS)
    parser.add_argument("--variants", type=words, help="variants of the ablation (default: all)")
    parser.add_argument("--minutes", type=float, default=10, help="budget of a variant (default: 10)")
    parser.add_argument("--rounds", type=int, default=3, help="short runs of each kind that is timed (default: 3)")
    parser.add_argument("--short-steps", type=int, default=60000, help="steps at 512 tokens (default: 60000)")
    parser.add_argument("--long-steps", type=int, default=6000, help="steps at 2,048 tokens (default: 6000)")
    parser.add_argument("--phases", type=words, default=list(PHASES))
    parser.add_argument("--origins", type=words, default=["pretrain", "scratch"])
    parser.add_argument("--epochs", type=int, help="epochs of fine-tuning (default: as configured)")
    options = parser.parse_args()
    if options.tiny:
        options.epochs = 1
        options.seeds, options.short_steps, options.long_steps = options.seeds[:1], 20, 10
        options.tasks = [task for task in options.tasks if task in TINY_TASKS]
    getattr(Encoder(options), options.stage)()


if __name__ == "__main__":
    main()
