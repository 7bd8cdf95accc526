"""The ablation of encoder.py: variants of pretraining, each against one baseline at equal processor time."""
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys

from experiment import ROOT, Experiment, checkpoint_of, manifest_of, metrics_of, settings, spread, write_json

BASELINE = ROOT / "configs" / "cpu-pretrain.yaml"
VOCABULARIES = (12000, 8000, 24000)
TINY_VOCABULARIES = {12000: 1000, 8000: 800, 24000: 1200}

STEPS_TIMED = 15
# Values of these keys in VARIANTS are fractions of all steps.
FRACTIONS = ("schedule.warmup_steps", "schedule.decay_steps")
# What does not change the time of a step.
FREE_OF_COST = ("schedule.", "optimizer.learning_rate", "optimizer.adamw_learning_rate", "optimizer.beta")


def shape(layers, width, heads):
    return {"model.layers": layers, "model.hidden_size": width, "model.heads": heads,
            "model.intermediate_size": 4 * width}


def muon(rate):
    return {"optimizer.kind": "muon", "optimizer.scale": "match_rms_adamw", "optimizer.weight_decay": 0.1,
            "optimizer.learning_rate": rate, "optimizer.adamw_learning_rate": 1e-3}


def lamb(rate):
    return {"optimizer.kind": "lamb", "optimizer.learning_rate": rate}


COMBINED = muon(3e-3) | {"model.attention.landmarks": 32, "data.masking.probability": 0.3}

# One change each against BASELINE, the most informative first. Samples are documents or pieces of them, so lengths are
# compared at batches that hold about as many tokens as 16 samples of at most 512: some 4,300.
VARIANTS = {
    "baseline": {},
    "rate-0.0005": {"optimizer.learning_rate": 5e-4},
    "rate-0.002": {"optimizer.learning_rate": 2e-3},
    "rate-0.004": {"optimizer.learning_rate": 4e-3},
    "batch-8": {"training.global_batch": 8},
    "batch-32": {"training.global_batch": 32},
    "batch-64": {"training.global_batch": 64},
    "masking-0.2": {"data.masking.probability": 0.2},
    "masking-0.3": {"data.masking.probability": 0.3},
    "masking-0.4": {"data.masking.probability": 0.4},
    "muon-0.001": muon(1e-3),
    "muon-0.003": muon(3e-3),
    "stable-adamw": {"optimizer.kind": "stable_adamw", "training.clip_norm": 0},
    "lamb-0.002": lamb(2e-3),
    "lamb-0.01": lamb(1e-2),
    "adamw-beta2-0.98": {"optimizer.beta2": 0.98},
    "wsd": {"schedule.kind": "wsd", "schedule.decay_steps": 0.2},
    "wsd-sqrt": {"schedule.kind": "wsd", "schedule.decay_steps": 0.2, "schedule.decay_shape": "one_minus_sqrt"},
    "cosine": {"schedule.kind": "cosine"},
    "constant": {"schedule.kind": "constant"},
    "sop-0": {"objective.sop_weight": 0},
    "sop-0.5": {"objective.sop_weight": 0.5},
    "length-128": {"data.sequence_length": 128, "training.global_batch": 44},
    "length-2048": {"data.sequence_length": 2048, "model.max_positions": 2048, "training.global_batch": 13},
    "growth": {},
    "shape-2x384": shape(2, 384, 6),
    "shape-8x192": shape(8, 192, 3),
    "shape-12x128": shape(12, 128, 2),
    "shape-6x384": shape(6, 384, 6),
    "convolution-0": {"model.attention.convolution": 0},
    "convolution-9": {"model.attention.convolution": 9},
    "convolution-65": {"model.attention.convolution": 65},
    "landmarks-16": {"model.attention.landmarks": 16},
    "landmarks-32": {"model.attention.landmarks": 32},
    "landmarks-128": {"model.attention.landmarks": 128},
    "softmax": {"model.attention.kind": "softmax"},
    "softmax-convolution-0": {"model.attention.kind": "softmax", "model.attention.convolution": 0},
    "vocabulary-8000": {"tokenizer.vocabulary_size": 8000},
    "vocabulary-24000": {"tokenizer.vocabulary_size": 24000},
    "dropout-0.1": {"model.dropout": 0.1},
    "packing": {"data.packing": "documents", "training.global_batch": 11},
    "packing-2048": {"data.packing": "documents", "data.sequence_length": 2048, "model.max_positions": 2048,
                     "training.global_batch": 2},
    "masking-words": {"data.masking.unit": "word"},
    "masking-spans": {"data.masking.unit": "span"},
    "norm-pre": {"model.norm": "pre"},
    "rotary": {"model.positions": "rotary"},
    # Several changes that gained alone, together.
    "combined": COMBINED,
    "combined-6x384": COMBINED | shape(6, 384, 6),
    "combined-batch-32": COMBINED | {"training.global_batch": 32},
    "combined-norm-pre": COMBINED | {"model.norm": "pre"},
}
# Variants in two phases: what each is trained as, and its share of the time.
PHASES = {"growth": (("length-128", 0.5), ("baseline", 0.5))}
TINY_VARIANTS = ["baseline", "batch-8", "wsd", "length-2048", "growth", "vocabulary-8000"]

# Conditions of evaluation: the first is the score, the others show what a variant was trained for.
CONDITIONS = {
    "pairs": {"objective.sop_weight": 1, "data.sequence_length": 512},
    "single": {"objective.sop_weight": 0, "data.sequence_length": 512},
    "short": {"objective.sop_weight": 1, "data.sequence_length": 128},
}


class Ablation(Experiment):
    """Stages `prepare`, `costs` and `ablation`."""
    name = "encoder"

    def __init__(self, options):
        super().__init__(options)
        self.minutes, self.rounds = options.minutes, options.rounds
        self.variants = options.variants or (TINY_VARIANTS if self.tiny else list(VARIANTS))
        unknown = [name for name in self.variants if name not in VARIANTS]
        if unknown:
            sys.exit(f"No such variants: {', '.join(unknown)}. There are: {', '.join(VARIANTS)}")

    def tiny_keys(self):
        """Configuration keys of --tiny: a model that trains in seconds."""
        if not self.tiny:
            return {}
        return {"model.hidden_size": 32, "model.layers": 2, "model.heads": 2, "model.intermediate_size": 64,
                "data.sequence_length": 128, "model.attention.landmarks": 16}

    # --- data -----------------------------------------------------------------------------------------------------

    def prepared(self, vocabulary=VOCABULARIES[0]):
        return self.work / f"prepared-{vocabulary}"

    def prepare(self):
        for vocabulary in VOCABULARIES:
            size = TINY_VOCABULARIES[vocabulary] if self.tiny else vocabulary
            with self.taken(f"prepare-{vocabulary}") as mine:
                if mine:
                    self.prepare_text(BASELINE, self.prepared(vocabulary), {"tokenizer.vocabulary_size": size})
        there = [vocabulary for vocabulary in VOCABULARIES if (self.prepared(vocabulary) / "manifest.json").exists()]
        self.write({str(vocabulary): sizes_of(manifest_of(self.prepared(vocabulary))) for vocabulary in there})

    # --- ablation: steps ------------------------------------------------------------------------------------------

    def training_keys(self, variant, directory, steps, seed=1):
        """All keys of a variant's run; fractions of all steps are numbers of steps."""
        keys = {"schedule.warmup_steps": 0.05, **self.tiny_keys(), **VARIANTS[variant]}
        vocabulary = keys.pop("tokenizer.vocabulary_size", VOCABULARIES[0])
        keys |= {key: max(1, round(keys[key] * steps)) for key in FRACTIONS if key in keys}
        return {"run.directory": directory, "output.directory": self.prepared(vocabulary), "data.validation": "[]",
                "run.threads": self.threads, "run.report": "false", "seed": seed, "training.steps": steps, **keys}

    def measured_as(self, variant):
        """The first variant whose steps take the same time."""
        def cost_keys(name):
            return {key: value for key, value in VARIANTS[name].items() if not key.startswith(FREE_OF_COST)}
        return next(name for name in VARIANTS if name not in PHASES and cost_keys(name) == cost_keys(variant))

    def costs(self):
        """Rounds of short runs of all variants whose steps differ; the median over rounds of the mean of their steps.
        Rounds differ in their batches."""
        path = self.work / "costs.json"
        costs = json.loads(path.read_text()) if path.exists() else {"threads": self.threads, "rounds": {}}
        if costs["threads"] != self.threads:
            sys.exit(f"{path} has the costs of {costs['threads']} threads. Remove it to measure those of others.")
        needed = {part for name in self.variants for part, _ in PHASES.get(name, ((name, 1),))}
        names = list(dict.fromkeys(self.measured_as(name) for name in VARIANTS if name in needed))
        for number in range(1, 1 + self.rounds):
            for name in names:
                rounds = costs["rounds"].setdefault(name, [])
                if len(rounds) >= number:
                    continue
                rounds.append(self.timed(BASELINE, self.training_keys(name, None, STEPS_TIMED, seed=number)))
                print(f"round {number} of {self.rounds}: {name}: {rounds[-1]:.3f} s per step", flush=True)
                write_json(path, costs)
        self.write({"seconds_per_step": {name: {**spread(rounds), "rounds": rounds}
                                         for name, rounds in costs["rounds"].items()}})

    def timed(self, config, keys):
        """Mean seconds of the steps of a short run, the first two left out."""
        directory = self.work / f"timing-{os.getpid()}"
        shutil.rmtree(directory, ignore_errors=True)
        keys = keys | {"run.directory": directory, "training.steps": STEPS_TIMED, "run.log_every": 1,
                       "schedule.warmup_steps": 1, "data.validation": "[]"}
        self.nystrom("pretrain", config, "--quiet", *settings(keys))
        seconds = [line["seconds"] for line in metrics_of(directory)[0]]
        shutil.rmtree(directory)
        return (seconds[-1] - seconds[1]) / (len(seconds) - 2)

    def steps_of(self, variant, share=1.0):
        """Steps of a variant in its share of the budget."""
        if self.tiny:
            return max(4, round(10 * share))
        path = self.work / "costs.json"
        costs = json.loads(path.read_text()) if path.exists() else {"threads": self.threads, "rounds": {}}
        rounds = costs["rounds"].get(self.measured_as(variant))
        if not rounds or costs["threads"] != self.threads:
            sys.exit(f"{path} lacks the cost of {variant} on {self.threads} threads: run the stage `costs` first.")
        return max(1, round(60 * self.minutes * share / statistics.median(rounds)))

    # --- ablation: runs -------------------------------------------------------------------------------------------

    def ablation(self):
        for seed in self.seeds:
            for variant in self.variants:
                name = f"{variant}-seed{seed}"
                directory = self.work / "ablation" / name
                if (directory / "result.json").exists():
                    continue
                with self.taken(name) as mine:
                    if not mine or (directory / "result.json").exists():
                        print(f"{name}: done or taken by another process", flush=True)
                        continue
                    print(f"{name}: training", flush=True)
                    result = self.trained_and_scored(variant, seed, directory)
                    write_json(directory / "result.json", result)
                    for checkpoints in directory.glob("**/checkpoints"):
                        shutil.rmtree(checkpoints)
                    print(f"{name}: {result['steps']} steps, loss per byte {result['loss_per_byte']:.4f}", flush=True)
                    self.write(self.ablation_results())
        self.print_ablation()

    def trained_and_scored(self, variant, seed, directory):
        resumed, before = directory.exists(), processor_seconds()
        runs = self.train_variant(variant, seed, directory)
        seconds = None if resumed else round(processor_seconds() - before, 1)
        training = [metrics_of(run)[0] for run in runs]
        vocabulary = VARIANTS[variant].get("tokenizer.vocabulary_size", VOCABULARIES[0])
        scores = {condition: self.score(directory, vocabulary, keys) for condition, keys in CONDITIONS.items()}
        return {"variant": variant, "seed": seed, **self.provenance(), "steps": training[-1][-1]["step"],
                "minutes": self.minutes, "seconds": training[-1][-1]["seconds"], "processor_seconds": seconds,
                "tokens": round(tokens_of(sum(training, []))), "training_loss": training[-1][-1]["loss"],
                "loss_per_byte": scores["pairs"]["mlm_loss"] * tokens_per_byte(manifest_of(self.prepared(vocabulary))),
                "scores": scores}

    def train_variant(self, variant, seed, directory):
        """Trains a variant; returns its run directories in order, `directory` last."""
        if variant not in PHASES:
            steps = self.steps_of(variant)
            self.pretrain_variant(self.training_keys(variant, directory, steps, seed), steps)
            return [directory]
        (first, share), (second, rest) = PHASES[variant]
        steps = self.steps_of(first, share)
        total = steps + self.steps_of(second, rest)
        start = directory / "first"
        # The linear schedule of all steps as far as the first phase goes: a line to where the second begins.
        keys = self.training_keys(first, start, total, seed)
        left = (total - steps) / (total - keys["schedule.warmup_steps"] + 1)
        keys |= {"training.steps": steps, "schedule.kind": "polynomial", "schedule.end_share": left}
        self.pretrain_variant(keys, steps)
        self.pretrain_variant(self.training_keys(second, directory, total, seed), total,
                              "--resume", checkpoint_of(start, steps))
        return [start, directory]

    def pretrain_variant(self, keys, steps, *arguments):
        if not checkpoint_of(keys["run.directory"], steps).exists():
            kept = {"run.log_every": 10, "checkpoint.every_steps": max(1, steps // 4), "checkpoint.keep": 1}
            self.nystrom("pretrain", BASELINE, "--quiet", *arguments, *settings(kept | keys))

    def score(self, run, vocabulary, condition):
        """Losses and accuracies of a run's model on all validation text, with the masks that every model gets."""
        keys = {"model.from": run, "data.validation": f"[{self.prepared(vocabulary)}/validation/*.h5]", "seed": 1,
                "data.masking.probability": 0.15, "data.masking.unit": "token", "data.packing": "sentences",
                "training.global_batch": 8, "evaluation.batches": 1000000, "run.threads": self.threads, **condition}
        done = self.nystrom("evaluate", run / "config.yaml", "--quiet", *settings(keys), stdout=subprocess.PIPE)
        scores = json.loads(done.stdout.strip().splitlines()[-1])
        scores.pop("model")
        return scores

    def ablation_results(self):
        found = [json.loads(path.read_text()) for path in (self.work / "ablation").glob("*/result.json")]
        return sorted(found, key=lambda result: (list(VARIANTS).index(result["variant"]), result["seed"]))

    # --- report ---------------------------------------------------------------------------------------------------

    def print_ablation(self):
        results = self.stage_results("ablation") or []
        base = [result["loss_per_byte"] for result in results if result["variant"] == "baseline"]
        print("\n| variant | seeds | steps | M tokens | MLM loss | accuracy | loss per byte | range | "
              "against baseline | SOP accuracy | single segments | 128 tokens |")
        print("|---" * 12 + "|")
        for variant in dict.fromkeys(result["variant"] for result in results):
            of_seeds = [result for result in results if result["variant"] == variant]
            each = [result["loss_per_byte"] for result in of_seeds]
            difference = f"{statistics.median(each) - statistics.median(base):+.4f}" if base else "-"
            print(f"| {variant} | {len(each)} | {of_seeds[0]['steps']:,} | {median(of_seeds, 'tokens') / 1e6:.2f} | "
                  f"{median(of_seeds, 'scores', 'pairs', 'mlm_loss'):.3f} | "
                  f"{100 * median(of_seeds, 'scores', 'pairs', 'mlm_accuracy'):.1f} % | "
                  f"{statistics.median(each):.4f} | {min(each):.4f} to {max(each):.4f} | {difference} | "
                  f"{100 * median(of_seeds, 'scores', 'pairs', 'sop_accuracy'):.1f} % | "
                  f"{median(of_seeds, 'scores', 'single', 'mlm_loss'):.3f} | "
                  f"{median(of_seeds, 'scores', 'short', 'mlm_loss'):.3f} |")


def median(results, *path):
    """The median over results of the number at a path of keys."""
    def at(value):
        for key in path:
            value = value[key]
        return value
    return statistics.median(at(result) for result in results)


def tokens_of(training):
    """Tokens trained on, by the lines of the metrics of a run or of a run and its fork. Too many for a run that was
    stopped by a signal and then resumed: the time between is in the seconds, not in the rate."""
    before = [0.0] + [line["seconds"] for line in training]
    return sum((line["seconds"] - start) * line["tokens_per_second"] for start, line in zip(before, training))


def sizes_of(manifest):
    return {"tokens_per_byte": tokens_per_byte(manifest),
            "sources": [{key: value for key, value in source.items() if key != "files"}
                        for source in manifest["sources"]],
            "splits": {name: {key: split[key] for key in ("documents", "sentences", "tokens", "by_source")}
                       for name, split in manifest["splits"].items()}}


def tokens_per_byte(manifest):
    """Tokens per byte of the validation text, from those of its sources."""
    split = {name: part["tokens"] for name, part in manifest["splits"]["validation"]["by_source"].items()}
    size = sum(split[source["name"]] * source["bytes"] / source["tokens"] for source in manifest["sources"])
    return sum(split.values()) / size


def processor_seconds():
    """Processor time of the processes that this one has started and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
