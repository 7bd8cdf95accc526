#!/usr/bin/env python3
"""Writes in_batch_loss.json: losses and gradients of sentence-transformers' MultipleNegativesRankingLoss under
MatryoshkaLoss, in double precision, for vectors that are written beside them.

    python tests/model/heads/make_in_batch_loss.py     needs torch and sentence-transformers
"""

import json
import pathlib

import sentence_transformers
import torch
from sentence_transformers.sentence_transformer import losses

WIDTH = 6


class Vectors(torch.nn.Module):
    """A model that is given the vectors of its texts."""

    def forward(self, features):
        return {"sentence_embedding": features["vectors"]}

    def get_embedding_dimension(self):
        return WIDTH

    get_sentence_embedding_dimension = get_embedding_dimension


def case(rows, row_sequences, temperature, sizes, seed):
    torch.manual_seed(seed)
    vectors = torch.randn(rows, row_sequences, WIDTH, dtype=torch.float64, requires_grad=True)
    model = Vectors()
    loss = losses.MultipleNegativesRankingLoss(model, scale=1 / temperature)
    if sizes != [WIDTH]:
        loss = losses.MatryoshkaLoss(model, loss, sizes)
    value = loss([{"vectors": vectors[:, s]} for s in range(row_sequences)], torch.zeros(rows))
    value.backward()
    return {
        "row_sequences": row_sequences,
        "temperature": temperature,
        "sizes": sizes,
        "vectors": vectors.detach().flatten().tolist(),
        "loss": value.item(),
        "gradient": vectors.grad.flatten().tolist(),
    }


def main():
    cases = [case(4, 2, 0.05, [WIDTH], 1), case(3, 3, 0.2, [WIDTH], 2), case(5, 2, 0.1, [WIDTH, 4, 2], 3),
             case(4, 3, 0.05, [WIDTH, 3], 4)]
    text = json.dumps({"made_by": f"sentence-transformers {sentence_transformers.__version__}, torch {torch.__version__}",
                       "width": WIDTH, "cases": cases}, indent=1)
    (pathlib.Path(__file__).parent / "in_batch_loss.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
