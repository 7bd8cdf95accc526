#!/usr/bin/env python3
"""Reports of a nystrom run to MLflow:

    nystrom pretrain my.yaml --set 'run.on_report=python3 contrib/to_mlflow.py --experiment my-experiment'

Reads one JSON object a line on standard input (docs/operations.md). MLFLOW_TRACKING_URI names the server, or a local
store such as sqlite:///mlflow.db. A resumed run continues the same MLflow run, found by the tag nystrom.directory.
"""
import argparse
import json
import pathlib
import sys

import mlflow


def begin(report, experiment):
    chosen = mlflow.set_experiment(experiment)
    directory = str(pathlib.Path(report["run"]).resolve())
    found = mlflow.MlflowClient().search_runs([chosen.experiment_id], f"tags.`nystrom.directory` = '{directory}'")
    if found and report["first_step"] > 1:
        mlflow.start_run(run_id=found[0].info.run_id)
        return
    mlflow.start_run(run_name=pathlib.Path(directory).name)
    mlflow.set_tags({"nystrom.directory": directory, "nystrom.version": report["version"]})
    mlflow.log_params({key: str(value)[:500] for key, value in report["configuration"].items()})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiment", default="nystrom")
    options = parser.parse_args()
    for line in sys.stdin:
        report = json.loads(line)
        event = report.pop("event")
        if event == "start":
            begin(report, options.experiment)
        elif event in ("step", "validation"):
            numbers = {key: value for key, value in report.items() if isinstance(value, (int, float))}
            step = numbers.pop("step")
            mlflow.log_metrics({key: float(value) for key, value in numbers.items()}, step=step)
        elif event == "checkpoint":
            mlflow.set_tag("nystrom.checkpoint", report["path"])
        elif event == "end":
            mlflow.end_run({"done": "FINISHED", "stopped": "KILLED"}.get(report["reason"], "FAILED"))


if __name__ == "__main__":
    main()
