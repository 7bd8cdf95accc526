#!/usr/bin/env python3
"""contrib/to_wandb.py and to_mlflow.py under the program, with the offline modes of their services.

usage: tests/contrib/sinks.py PATH_OF_NYSTROM

Trains a tiny run with `run.on_report`, stops it half-way and resumes it, and reads what the service has then. Prints
"skipped" where neither wandb nor mlflow is installed.
"""
import importlib.util
import json
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONFIG = """\
corpus: [{kind: lines, path: text.txt}]
tokenizer: {kind: bpe, vocabulary_size: 60}
output: {directory: prepared, validation_fraction: 0.2}
run: {directory: run, log_every: 1}
model: {hidden_size: 16, layers: 1, heads: 2, intermediate_size: 32, max_positions: 32,
        attention: {landmarks: 4, convolution: 3}}
data: {sequence_length: 32}
training: {steps: 4, global_batch: 4, precision: fp32}
evaluation: {every_steps: 2, batches: 1}
checkpoint: {every_steps: 2}
"""


def train(program, folder, sink, environment, steps):
    command = f"{sys.executable} {ROOT / 'contrib' / sink}"
    done = subprocess.run([program, "pretrain", "my.yaml", "--set", f"run.on_report={command}",
                           "--set", f"training.steps={steps}", "--set", "run.directory=" + sink],
                          cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    warnings = [line for line in done.stderr.splitlines() if "warning" in line]  # such as that the command failed
    assert not any("run.on_report" in line for line in warnings), done.stderr


def check_wandb(program, folder):
    environment = {"WANDB_MODE": "offline", "WANDB_DIR": str(folder), "WANDB_SILENT": "true",
                   "WANDB_CONFIG_DIR": str(folder), "WANDB_CACHE_DIR": str(folder), "WANDB_DATA_DIR": str(folder)}
    train(program, folder, "to_wandb.py", environment, 2)
    train(program, folder, "to_wandb.py", environment, 4)
    runs = sorted(folder.glob("wandb/offline-run-*/*.wandb"))
    assert len(runs) == 2, runs
    assert len({path.stem for path in runs}) == 1, "the same run's id"
    content = b"".join(path.read_bytes() for path in runs)
    for word in (b"mlm_loss", b"validation_loss", b"model.hidden_size", b"step-00000004.h5"):
        assert word in content, word


def check_mlflow(program, folder):
    has_database = importlib.util.find_spec("sqlalchemy") is not None  # mlflow-skinny has none
    store = f"sqlite:///{folder}/mlflow.db" if has_database else f"file://{folder}/mlruns"
    environment = {"MLFLOW_TRACKING_URI": store, "GIT_PYTHON_REFRESH": "quiet", "MLFLOW_ALLOW_FILE_STORE": "true"}
    os.environ.update(environment)
    import mlflow

    mlflow.MlflowClient(store).search_experiments()  # makes the database, so that the run need not wait for it
    train(program, folder, "to_mlflow.py", environment, 2)
    train(program, folder, "to_mlflow.py", environment, 4)
    runs = mlflow.MlflowClient(store).search_runs(
        [mlflow.MlflowClient(store).get_experiment_by_name("nystrom").experiment_id])
    assert len(runs) == 1, runs
    run = runs[0]
    assert run.info.status == "FINISHED", run.info.status
    assert run.data.params["model.hidden_size"] == "16", run.data.params
    lines = [json.loads(line) for line in (folder / "to_mlflow.py" / "metrics.jsonl").read_text().splitlines()]
    history = mlflow.MlflowClient(store).get_metric_history(run.info.run_id, "mlm_loss")
    expected = {line["step"]: line["mlm_loss"] for line in lines if "mlm_loss" in line}
    assert {point.step: point.value for point in history} == expected, history
    assert "validation_mlm_loss" in run.data.metrics
    assert run.data.tags["nystrom.checkpoint"].endswith("step-00000004.h5")


def main():
    program = os.path.abspath(sys.argv[1])
    checks = [("wandb", check_wandb), ("mlflow", check_mlflow)]
    there = [(name, check) for name, check in checks if importlib.util.find_spec(name)]
    if not there:
        print("skipped: neither wandb nor mlflow is installed")
        return
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        words = "river stone walks under light seven birds and the slow".split()
        (folder / "text.txt").write_text("".join(
            " ".join(f"The {words[(d + s) % 10]} {words[(d * s) % 10]} the {words[d % 7]}." for s in range(5)) + "\n"
            for d in range(40)))
        (folder / "my.yaml").write_text(CONFIG)
        subprocess.run([program, "prepare", "my.yaml"], cwd=folder, check=True, capture_output=True)
        for name, check in there:
            check(program, folder)
            print(f"{name}: ok")


main()
