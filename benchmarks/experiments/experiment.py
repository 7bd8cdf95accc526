"""What the recorded experiments share: unpacking IMDB, running nystrom, results without paths of this machine."""
import argparse
import contextlib
import datetime
import fcntl
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tarfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from machine import ROOT, commit, processor  # noqa: E402

GLUE = {"RTE": "accuracy", "MRPC": "f1", "STS-B": "pearson", "CoLA": "matthews_correlation", "SST-2": "accuracy"}


class Experiment:
    """Stages of an experiment `name`, below the folder --work. Several processes may share that folder."""
    name = ""

    def __init__(self, options):
        self.stage, self.data, self.work = options.stage, options.data.resolve(), options.work.resolve()
        self.program, self.threads = options.program.resolve(), options.threads
        self.seeds, self.tasks, self.tiny = options.seeds, options.tasks, options.tiny
        self.results = self.work / "results" if self.tiny else ROOT / "benchmarks" / "results"
        self.lock = None
        self.work.mkdir(parents=True, exist_ok=True)

    def nystrom(self, command, *arguments, **how):
        """Runs a command of nystrom; ends this process if it fails. `how` is for subprocess.run."""
        self.record(" ".join(["nystrom", command, *map(str, arguments)]))
        done = subprocess.run([str(self.program), command, *map(str, arguments)], text=True,
                              pass_fds=[self.lock] if self.lock else [], **how)
        if done.returncode != 0:
            sys.exit(f"nystrom {command} ended with status {done.returncode}. The same command resumes from here.")
        return done

    def record(self, command):
        """Adds a command to those of this stage. Processes may append at the same time."""
        with self.commands_file().open("a") as out:
            out.write(f"{datetime.date.today().isoformat()} {self.without_places(command)}\n")

    def commands_file(self):
        return self.work / f"{self.stage}.commands"

    def write(self, results):
        """Writes the results of this stage, dated by its first command."""
        self.results.mkdir(parents=True, exist_ok=True)
        lines = self.commands_file().read_text().splitlines() if self.commands_file().exists() else []
        commands = [line.split(" ", 1)[1] for line in lines]
        day = lines[0].split(" ", 1)[0] if lines else datetime.date.today().isoformat()
        text = {"date": day, "stage": self.stage, **self.provenance(), "commands": list(dict.fromkeys(commands)),
                "results": results}
        path = self.results / f"{day}-{self.name}-{self.stage}.json"
        write_json(path, text, self.without_places)
        print(f"wrote {path}", flush=True)

    def provenance(self):
        """Machine and commit of this process."""
        return {"machine": f"{processor()}, {self.threads} threads", "commit": commit()}

    def without_places(self, text):
        """Removes absolute paths of this machine."""
        return text.replace(str(self.work), "WORK").replace(str(self.data), "DATA").replace(str(ROOT) + "/", "")

    def stage_results(self, stage):
        found = sorted(self.results.glob(f"????-??-??-{self.name}-{stage}.json"))
        return json.loads(found[-1].read_text())["results"] if found else None

    @contextlib.contextmanager
    def taken(self, name):
        """Takes `name` for this process, or yields False if another has it. The kernel frees it when this process and
        the nystrom that it started have ended, however they did."""
        (self.work / "locks").mkdir(exist_ok=True)
        with (self.work / "locks" / name).open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            self.lock = file.fileno()
            try:
                yield True
            finally:
                self.lock = None

    # --- data -----------------------------------------------------------------------------------------------------

    def reviews(self):
        """The tree aclImdb, unpacked."""
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
        partial.rmdir()
        return tree

    def chosen(self, packed):
        """Yields the members to unpack: all, or every hundredth review with --tiny."""
        for member in packed:
            number = pathlib.Path(member.name).name.split("_")[0]
            if not self.tiny or not member.isfile() or not number.isdigit() or int(number) % 100 == 0:
                yield member

    def prepare_text(self, config, directory, keys):
        """Tokenizer and shards of the shared text; returns None if they are there, else seconds and manifest."""
        if (directory / "manifest.json").exists():
            return None
        corpus = [f"{{kind: imdb, path: {self.reviews()}}}", f"{{kind: books, path: {self.data}/books}}",
                  f"{{kind: wikipedia, path: '{self.data}/wiki/enwiki-pages-articles-sample.xml.bz2'}}"]
        start = time.time()
        self.nystrom("prepare", config, *settings({"corpus": f"[{', '.join(corpus[:1] if self.tiny else corpus)}]",
                                                   "output.directory": directory, **keys}))
        manifest = manifest_of(directory)
        for source in manifest["sources"]:
            source.pop("files", None)
        return {"seconds": round(time.time() - start), "manifest": manifest}

    # --- fine-tuning ----------------------------------------------------------------------------------------------

    def finished(self, name, split, metric):
        """Scores of the finished runs of a grid over seeds, by seed; {} if there are none."""
        files = sorted((self.work / name).glob("seed=*/results.json"))
        scores = {file.parent.name.removeprefix("seed="): json.loads(file.read_text())[split][metric] for file in files}
        return {split: scores, **spread(list(scores.values()))} if scores else {}

    def seed_grid(self):
        return {"grid": f"{{seed: [{', '.join(map(str, self.seeds))}]}}"}


def write_json(path, value, edited=str):
    """Writes a file that other processes see complete or not at all."""
    partial = path.with_suffix(f".{os.getpid()}.partial")
    partial.write_text(edited(json.dumps(value, indent=1)) + "\n")
    partial.rename(path)


def settings(keys):
    """Arguments that override keys of a configuration."""
    return [part for key, value in keys.items() for part in ("--set", f"{key}={value}")]


def manifest_of(directory):
    return json.loads((directory / "manifest.json").read_text())


def checkpoint_of(run, step):
    return run / "checkpoints" / f"step-{step:08d}.h5"


def metrics_of(run):
    """(lines of training, lines of validation) of a run's metrics.jsonl."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [line for line in lines if "loss" in line], [line for line in lines if "validation_loss" in line]


def spread(values):
    known = [value for value in values if value is not None]
    return {"median": statistics.median(known), "min": min(known), "max": max(known)} if known else {}


def text_of(result):
    if not result or "median" not in result:
        return "-"
    return f"{result['median']:.4f} ({result['min']:.4f} to {result['max']:.4f})"


def words(text):
    return text.split(",")


def parser_of(doc, stages, *, work, threads, tasks):
    """Arguments of every experiment; `work`, `threads` and `tasks` are defaults."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stage", choices=stages)
    parser.add_argument("--data", type=pathlib.Path, default=ROOT / ".." / "shared" / "data")
    parser.add_argument("--work", type=pathlib.Path, default=ROOT / "build" / work)
    parser.add_argument("--program", type=pathlib.Path, default=ROOT / "build" / "nystrom")
    parser.add_argument("--seeds", type=lambda text: [int(seed) for seed in words(text)], default=[1, 2, 3])
    parser.add_argument("--threads", type=int, default=threads)
    parser.add_argument("--tasks", type=words, default=list(tasks))
    parser.add_argument("--tiny", action="store_true")
    return parser
