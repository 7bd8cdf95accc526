#!/usr/bin/env python3
"""Reports of a nystrom run to Weights & Biases:

    nystrom pretrain my.yaml --set 'run.on_report=python3 contrib/to_wandb.py --project my-project'

Reads one JSON object a line on standard input (docs/operations.md). The run's id is made from its directory, so that a
resumed run continues the same curves. WANDB_MODE=offline writes to ./wandb, for `wandb sync`. What is after -- goes to
wandb.init as key=value.
"""
import argparse
import hashlib
import json
import pathlib
import sys

import wandb


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--project", default="nystrom")
    parser.add_argument("rest", nargs="*", metavar="KEY=VALUE", help="further arguments of wandb.init")
    options = parser.parse_args()
    run = None
    for line in sys.stdin:
        report = json.loads(line)
        event = report.pop("event")
        if event == "start":
            directory = pathlib.Path(report["run"]).resolve()
            name = hashlib.sha256(str(directory).encode()).hexdigest()[:16]
            run = wandb.init(project=options.project, id=name, name=directory.name, resume="allow",
                             config=report["configuration"], **dict(pair.split("=", 1) for pair in options.rest))
            run.define_metric("*", step_metric="step")  # validation comes at a step that was logged before
            run.summary.update({key: report[key] for key in ("parameters", "ranks", "precision", "version")})
        elif event in ("step", "validation"):
            run.log({f"epochs_of/{k}": v for k, v in report.pop("epochs_of", {}).items()} |
                    {key: value for key, value in report.items() if isinstance(value, (int, float))} |
                    {f"{key}/{layer}": value for key, values in report.items() if isinstance(values, list)
                     for layer, value in enumerate(values)})
        elif event == "checkpoint":
            run.summary["checkpoint"] = report["path"]
        elif event == "warning":
            run.alert("nystrom", report["text"], level="WARN")
        elif event == "end":
            run.finish(exit_code=int(report["reason"] == "failed"))


if __name__ == "__main__":
    main()
