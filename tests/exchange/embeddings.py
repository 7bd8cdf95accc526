#!/usr/bin/env python3
"""Embeddings fine-tuned by nystrom, in sentence-transformers: the same vectors, and the same scores by its evaluators.

    tests/exchange/embeddings.py build/nystrom        skipped, with a sentence, where a package is not installed

The texts are made up: each word has a partner, and a text matches that of its words' partners.
"""

import itertools
import json
import pathlib
import sys
import tempfile

try:
    import numpy as np
    import sentence_transformers
    from sentence_transformers.sentence_transformer import evaluation
except ImportError as missing:
    print(f"skipped: {missing}; tests/exchange/with_transformers.sh makes a venv")
    sys.exit(0)

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import parity  # noqa: E402
import usage  # noqa: E402  (its predict)

WIDTH, SMALL = 32, 8


def write(path, header, rows):
    path.write_text("\n".join("\t".join(row) for row in [header, *rows]) + "\n")


def made_rows(words, count):
    """Words 0 to 9 and, as the matching text, their partners: words 10 to 19."""
    return [(" ".join(words[i] for i in picked), " ".join(words[10 + i] for i in picked))
            for picked in itertools.combinations(range(10), count)]


def made_task(work, tokenizer, pooling, normalize):
    words = (work / "text.txt").read_text().lower().replace(".", "").split()
    words = list(dict.fromkeys(words))[:20]
    data = work / "data"
    data.mkdir()
    write(data / "train.tsv", ("anchor", "positive"), made_rows(words, 3))
    pairs = made_rows(words, 2)
    write(data / "dev.tsv", ("anchor", "positive"), pairs)
    scored = [(pairs[i][0], pairs[(i * i) % 45][1], f"{(i * 7) % 11 / 2}") for i in range(45)]
    write(data / "test.tsv", ("sentence1", "sentence2", "score"), scored)
    config = {"run": {"directory": str(work / "run")}, "tokenizer": {"path": str(tokenizer)},
              "task": {"kind": "embeddings", "path": str(data), "sizes": [WIDTH, SMALL]},
              "model": {"hidden_size": WIDTH, "layers": 2, "heads": 2, "intermediate_size": 64, "max_positions": 64,
                        "initializer_range": 0.2, "pooling": pooling, "normalize": normalize,
                        "attention": {"landmarks": 4, "convolution": 3}},
              "training": {"epochs": 12, "global_batch": 30, "precision": "fp32"}, "optimizer": {"learning_rate": 5e-3}}
    (work / "config.yaml").write_text(json.dumps(config))  # JSON is YAML
    return pairs, scored


def close(what, theirs, ours, tolerance=1e-6):
    if not abs(theirs - ours) < tolerance:
        yield f"{what}: {theirs} by sentence-transformers, {ours} by nystrom"


def check_scores(model, results, pairs, scored):
    queries, documents = dict(enumerate(anchor for anchor, _ in pairs)), dict(enumerate(text for _, text in pairs))
    for prefix, size in ("", None), (f"size_{SMALL}_", SMALL):
        theirs = evaluation.InformationRetrievalEvaluator(
            {str(i): text for i, text in queries.items()}, {str(i): text for i, text in documents.items()},
            {str(i): {str(i)} for i in queries}, truncate_dim=size, precision_recall_at_k=[1, 10], name="x",
            write_csv=False)(model)
        ours = results["validation"]
        yield from close(f"{prefix}ndcg", theirs["x_cosine_ndcg@10"], ours[prefix + "ndcg_at_10"])
        if size is None:
            for name, key in ("mrr@10", "mrr_at_10"), ("recall@1", "recall_at_1"), ("recall@10", "recall_at_10"):
                yield from close(name, theirs["x_cosine_" + name], ours[key])
    anchors, texts, scores = zip(*scored)
    theirs = evaluation.EmbeddingSimilarityEvaluator(list(anchors), list(texts), [float(score) for score in scores],
                                                     name="x", write_csv=False)(model)
    yield from close("spearman", theirs["x_spearman_cosine"], results["test"]["spearmanr"])
    yield from close("pearson", theirs["x_pearson_cosine"], results["test"]["pearson"])


def check(program, work, pooling, normalize):
    pairs, scored = made_task(work, parity.made_tokenizer(program, work), pooling, normalize)
    parity.nystrom(program, "finetune", work / "config.yaml")
    parity.nystrom(program, "convert", "--from", work / "run", "--to", work / "model")
    results = json.loads((work / "run" / "results.json").read_text())
    model = sentence_transformers.SentenceTransformer(str(work / "model"), trust_remote_code=True, device="cpu")
    texts = [pairs[0][0], pairs[9][1], " ".join(anchor for anchor, _ in pairs[:4])]
    for options, size in [(), None], [("--size", str(SMALL)), SMALL]:
        ours = np.array([a["embedding"] for a in usage.predict(program, work / "run", texts, *options)])
        theirs = model.encode(texts, truncate_dim=size, normalize_embeddings=normalize)
        distance = np.linalg.norm(theirs - ours) / np.linalg.norm(ours)
        if not distance < 1e-5:
            yield f"{pooling}, {normalize}: vectors of size {size} differ by {distance:.1e}"
    yield from check_scores(model, results, pairs, scored)


def main():
    problems = []
    for pooling, normalize in ("mean", True), ("max", False), ("first", True):
        with tempfile.TemporaryDirectory() as folder:
            problems += check(sys.argv[1], pathlib.Path(folder), pooling, normalize)
    print(f"sentence-transformers {sentence_transformers.__version__}: "
          + ("; ".join(problems) or "the vectors and scores of fine-tuned embeddings are the same"))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
