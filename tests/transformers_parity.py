#!/usr/bin/env python3
"""Does transformers compute what we compute, on folders that `nystrom convert` wrote?

usage: transformers_parity.py PATH_OF_NYSTROM        (needs torch, transformers, h5py; tests/with_transformers.sh)

For every head a model of random weights goes through `nystrom convert` (folder -> checkpoint -> folder) and is run by
transformers in float64, on unpadded text of exactly the length that the folder is written for, in one batch. Our
logits, in fp32 with pinv_init batch_max, must lie within 1e-5 of them (`nystrom verify` measures it). How far
per_matrix, our default, lies from them is printed. Prints "skipped" where a package is missing.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

try:
    import h5py
    import numpy as np
    import torch
    import transformers
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(0)

LANDMARKS, LENGTH, CHOICES = 8, 48, 4
HEADS = {"masked_lm": "MaskedLM", "sequence_classification": "SequenceClassification",
         "regression": "SequenceClassification",
         "token_classification": "TokenClassification", "question_answering": "QuestionAnswering",
         "multiple_choice": "MultipleChoice"}


def made(head, folder):
    """A folder of a model with this head, with weights large enough that attention is not flat."""
    more = {"regression": dict(num_labels=1), "sequence_classification": dict(num_labels=3),
            "token_classification": dict(num_labels=5)}.get(head, {})
    config = transformers.NystromformerConfig(
        vocab_size=97, hidden_size=64, num_hidden_layers=3, num_attention_heads=4, intermediate_size=96,
        max_position_embeddings=62, num_landmarks=LANDMARKS, segment_means_seq_len=LANDMARKS, conv_kernel_size=9, **more)
    model = getattr(transformers, f"NystromformerFor{HEADS[head]}")(config)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.randn_like(weight) * (0.15 if weight.dim() > 1 else 0.05))
    model.save_pretrained(folder)


def nystrom(program, *arguments):
    subprocess.run([program, *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)


def write_case(path, folder, head):
    """The outputs of transformers on the folder, in the form that `nystrom verify` reads."""
    kind = getattr(transformers, f"NystromformerFor{HEADS[head]}")
    model = kind.from_pretrained(folder, dtype=torch.float64).eval()
    config = model.config
    assert config.segment_means_seq_len == LENGTH and config.num_landmarks == LANDMARKS, "it would run softmax"
    rng = np.random.default_rng(7)
    rows = 2 * CHOICES if head == "multiple_choice" else 3
    ids = rng.integers(3, config.vocab_size, (rows, LENGTH))
    types = np.repeat([np.arange(LENGTH) >= LENGTH // 2], rows, 0).astype("i8")
    shape = (2, CHOICES, LENGTH) if head == "multiple_choice" else (rows, LENGTH)
    as_input = lambda a: torch.from_numpy(np.ascontiguousarray(a)).reshape(shape)
    with torch.no_grad():
        out = model(input_ids=as_input(ids), token_type_ids=as_input(types))
    names = ("start_logits", "end_logits") if head == "question_answering" else ("logits",)
    with h5py.File(path, "w") as file:
        file.attrs.update(head=head, attention="nystrom",
                          num_landmarks=LANDMARKS, pinv_iterations=6, pinv_init="batch_max", padding="exact")
        inputs = file.create_group("inputs")
        inputs["input_ids"], inputs["token_type_ids"] = ids.astype("i4"), types.astype("i1")
        inputs["attention_mask"] = np.ones_like(ids, dtype="i1")
        add_labels(inputs, head, config, rows, rng)
        for name in names:
            file[f"outputs/{name}"] = out[name].numpy()


def add_labels(inputs, head, config, rows, rng):
    """Our heads want labels; the losses are not compared."""
    if head == "masked_lm":
        inputs["mlm_labels"] = rng.integers(3, config.vocab_size, (rows, LENGTH)).astype("i4")
    elif head == "question_answering":
        inputs["start_positions"] = np.zeros(rows, "i4")
        inputs["end_positions"] = np.ones(rows, "i4")
    elif head == "regression":
        inputs["labels"] = np.zeros(rows)
    elif head == "token_classification":
        inputs["labels"] = np.zeros((rows, LENGTH), "i4")
    else:
        inputs["labels"] = np.zeros(2 if head == "multiple_choice" else rows, "i4")


def distances(program, folder, case, init):
    with h5py.File(case, "a") as file:
        file.attrs["pinv_init"] = init
    result = subprocess.run([program, "verify", str(folder), str(case), "--json"], capture_output=True, text=True)
    if result.returncode not in (0, 1):
        sys.exit(result.stderr)
    return json.loads(result.stdout.splitlines()[-1])["outputs"]


def check(program, head, work):
    made(head, work / "made")
    nystrom(program, "convert", "--from", work / "made", "--to", work / "m.h5")
    nystrom(program, "convert", "--from", work / "m.h5", "--to", work / "m", "--sequence-length", LENGTH)
    write_case(work / "case.h5", work / "m", head)
    ours = {init: distances(program, work / "m", work / "case.h5", init) for init in ("batch_max", "per_matrix")}
    for name, distance in ours["batch_max"].items():
        print(f"{head:24s} {name:13s} batch_max {distance:.2e}   per_matrix {ours['per_matrix'][name]:.2e}")
    return all(distance <= 1e-5 for distance in ours["batch_max"].values())


def main():
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    torch.manual_seed(3)
    program, good = sys.argv[1], True
    print("relative distance of our logits (fp32) from those of transformers (fp64)")
    for head in HEADS:
        with tempfile.TemporaryDirectory() as work:
            good = check(program, head, pathlib.Path(work)) and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
