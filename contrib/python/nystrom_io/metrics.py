"""metrics.jsonl (docs/training.md): a JSON object a line, of training steps and of validations."""

import json
import os
import pathlib

import numpy as np


def _table(rows):
    keys = list(dict.fromkeys(key for row in rows for key in row))
    try:
        import pandas
    except ImportError:
        return {key: _column([row.get(key) for row in rows]) for key in keys}
    return pandas.DataFrame(rows, columns=keys).set_index("step") if rows else pandas.DataFrame()


def _column(values):
    numbers = all(value is None or isinstance(value, (int, float)) for value in values)
    if not numbers:
        return np.array(values, dtype=object)
    if all(isinstance(value, int) for value in values):
        return np.array(values)
    return np.array([np.nan if value is None else value for value in values], dtype=float)


def read_metrics(run):
    """(training, validation) of a run directory or a metrics.jsonl: pandas tables with the step as index, or dicts of
    arrays where there is no pandas. A last line that is being written is left out."""
    path = pathlib.Path(run, "metrics.jsonl") if os.path.isdir(run) else pathlib.Path(run)
    training, validation = [], []
    for line in path.read_text().splitlines(keepends=True):
        if not line.endswith("\n"):
            break
        row = json.loads(line)
        (validation if "validation_loss" in row else training).append(row)
    return _table(training), _table(validation)
