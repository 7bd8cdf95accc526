"""Sentence splitting benchmark: the share of pysbd's golden rules for English that our splitter passes.

The rules are read from the benchmark in pysbd's wheel on PyPI. They are not stored here.

    python3 benchmarks/data/golden_rules.py [--show] [--output results.json]
"""

import ast
import importlib.util
import json
import pathlib
import sys

from common import arguments_of, in_peers_environment, ours, report

in_peers_environment(["pysbd==0.3.4"])


def golden_rules():
    """[(text, sentences)], from the benchmark that pysbd's wheel installs."""
    spec = importlib.util.find_spec("benchmarks.english_golden_rules")
    for node in ast.walk(ast.parse(pathlib.Path(spec.origin).read_text())):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.List) and "RULES" in ast.unparse(node.targets[0]):
            return ast.literal_eval(node.value)
    sys.exit("pysbd's benchmark contains no golden rules.")


def plain(sentences):
    return [" ".join(s.split()) for s in sentences]


def main():
    arguments = arguments_of(__doc__, show={"action": "store_true", "help": "print the rules that fail"})
    import pysbd

    rules = golden_rules()
    splits = ours("sentences", input=json.dumps([text for text, _ in rules]))
    peer = pysbd.Segmenter(language="en", clean=False)
    met = {"ours": 0, "pysbd": 0}
    for (text, expected), got in zip(rules, splits):
        met["ours"] += plain(got) == plain(expected)
        met["pysbd"] += plain(peer.segment(text)) == plain(expected)
        if arguments.show and plain(got) != plain(expected):
            print(plain(expected), plain(got), sep="\n  ", end="\n\n")
    report({"rules": len(rules), "met": met, "share": {k: round(v / len(rules), 3) for k, v in met.items()}},
           arguments.output)


main()
