#!/usr/bin/env python3
"""Generates metrics.json: reference metrics by scikit-learn, scipy, seqeval and SQuAD's rules on random data with ties
and empty classes.

usage: make_metrics.py > metrics.json      (pip: scikit-learn scipy seqeval)
"""
import collections, json, re, string, warnings
import numpy as np
from scipy import stats
from seqeval.metrics import f1_score, precision_score, recall_score
from sklearn import metrics as sk

warnings.filterwarnings("ignore")
rng = np.random.default_rng(11)


def classes():
    for size, count in ((40, 2), (200, 3), (60, 7), (5, 9)):   # the last one has empty classes
        truth = rng.integers(0, count, size)
        predicted = np.where(rng.random(size) < 0.6, truth, rng.integers(0, count, size))
        yield dict(truth=truth.tolist(), predicted=predicted.tolist(), accuracy=sk.accuracy_score(truth, predicted),
                   f1_macro=sk.f1_score(truth, predicted, average="macro"),
                   f1_of_1=sk.f1_score(truth, predicted, labels=[1], average=None)[0],
                   matthews_correlation=sk.matthews_corrcoef(truth, predicted))


def values():
    for size, digits in ((30, 6), (100, 1), (50, 0)):          # rounding creates ties
        x = rng.normal(size=size).round(digits)
        y = (x + rng.normal(size=size)).round(digits)
        yield dict(x=x.tolist(), y=y.tolist(), pearson=stats.pearsonr(x, y)[0], spearman=stats.spearmanr(x, y)[0])


def entities():
    for tags in (["O", "B-a", "I-a", "B-b", "I-b"], ["O", "I-a", "I-b", "B-a"],
                 ["O", "B-a", "I-a", "E-a", "S-a", "B-b-c", "I-b-c"]):
        truth = [rng.choice(tags, rng.integers(1, 9)).tolist() for _ in range(30)]
        predicted = [[t if rng.random() < 0.7 else str(rng.choice(tags)) for t in sentence] for sentence in truth]
        yield dict(truth=truth, predicted=predicted, f1=f1_score(truth, predicted),
                   precision=precision_score(truth, predicted), recall=recall_score(truth, predicted))


def normalized(text):
    """SQuAD normalization: lower-cases, removes punctuation and articles, collapses white space."""
    kept = "".join(c for c in text.lower() if c not in set(string.punctuation))
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", kept).split())


def answer_f1(predicted, truth):
    p, t = normalized(predicted).split(), normalized(truth).split()
    if not p or not t:
        return float(p == t)
    same = sum((collections.Counter(p) & collections.Counter(t)).values())
    return 0.0 if same == 0 else 2 * same / (len(p) + len(t))


def answers():
    pairs = [("the Eiffel Tower", ["Eiffel tower", "tower"]), ("1984\u2013the year", ["year 1984\u2013"]),
             ("a", ["an apple"]), ("", ["x"]), ("", []), ("something", []), ("\u00c9cole  of an Arts!", ["\u00e9cole of arts"]),
             ("red red blue", ["red blue blue"]), ("the", [""]), ("an-other.", ["another"]), ("U.S.", ["us"])]
    words = "the red A fox, jumps; over an (old) fence".split()
    for _ in range(40):
        pairs.append((" ".join(rng.choice(words, rng.integers(1, 6))),
                      [" ".join(rng.choice(words, rng.integers(1, 6))) for _ in range(2)]))
    for predicted, truths in pairs:
        gold = [t for t in truths if normalized(t)] or [""]
        yield dict(predicted=predicted, truths=truths, f1=max(answer_f1(predicted, t) for t in gold),
                   exact=max(float(normalized(predicted) == normalized(t)) for t in gold))


if __name__ == "__main__":
    print(json.dumps(dict(classes=list(classes()), values=list(values()), entities=list(entities()),
                          answers=list(answers())), indent=None, separators=(",", ":")).replace("},{", "},\n{"))
