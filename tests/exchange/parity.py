#!/usr/bin/env python3
"""Parity test with transformers: logits agree on models that transformers wrote (import) and on models that
`nystrom convert` wrote (export).

usage: tests/exchange/parity.py PATH_OF_NYSTROM        (needs torch, transformers, h5py; tests/exchange/with_transformers.sh)

For every head transformers saves a model with random weights. transformers runs that model (import), and the model that
`nystrom convert` makes of it through a checkpoint (export), in float64: one batch, no padding, at exactly the exported
sequence length. Our fp32 logits with pinv_init batch_max must be within 1e-5 of them, as measured by `nystrom verify`.
The distance of per_matrix, our default, is printed. The AutoModel class of the head must load the exported model without
warnings, except for one that names only the tensors of the pooler and the sentence-order head, and config.json must keep
labels and problem type. Prints "skipped" if a package is missing.
"""
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

try:
    import h5py
    import numpy as np
    import safetensors.torch
    import torch
    import transformers
    from transformers_warnings import collected
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(0)

LANDMARKS, LENGTH, CHOICES, VOCABULARY = 8, 48, 4, 97
# Our name of the head: its class, and keys of its config.json. "pretraining" is a MaskedLM with the extra tensors.
HEADS = {"masked_lm": ("MaskedLM", {}),
         "pretraining": ("MaskedLM", {}),
         "sequence_classification": ("SequenceClassification", {"num_labels": 3}),
         "multi_label": ("SequenceClassification", {"num_labels": 4, "problem_type": "multi_label_classification"}),
         "regression": ("SequenceClassification", {"num_labels": 1, "problem_type": "regression"}),
         "token_classification": ("TokenClassification", {"num_labels": 5}),
         "question_answering": ("QuestionAnswering", {}),
         "multiple_choice": ("MultipleChoice", {})}
CASE_HEADS = {"pretraining": "masked_lm", "multi_label": "sequence_classification"}  # the head with the same logits
EXTRA = ("nystromformer.pooler.dense.weight", "nystromformer.pooler.dense.bias", "cls.seq_relationship.weight",
         "cls.seq_relationship.bias")


def made(head, folder, tokenizer=None, convolution=9):
    """Saves a model with this head, with weights large enough that attention is not uniform; `tokenizer`: a file."""
    name, more = HEADS[head]
    config = transformers.NystromformerConfig(
        vocab_size=VOCABULARY, hidden_size=64, num_hidden_layers=3, num_attention_heads=4, intermediate_size=96,
        max_position_embeddings=62, num_landmarks=LANDMARKS, segment_means_seq_len=LENGTH, conv_kernel_size=convolution or 1, **more)
    if more.get("num_labels", 1) > 1:
        config.id2label = {i: f"label {i}" for i in range(config.num_labels)}
        config.label2id = {name: i for i, name in config.id2label.items()}
    model = getattr(transformers, f"NystromformerFor{name}")(config)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.randn_like(weight) * (0.15 if weight.dim() > 1 else 0.05))
    model.save_pretrained(folder)
    if head == "pretraining":
        add_extra_tensors(folder / "model.safetensors")
    if convolution == 0:
        drop_convolution(folder)
    if tokenizer:
        shutil.copy(tokenizer, folder / "spiece.model")


def made_tokenizer(program, folder, vocabulary=VOCABULARY):
    """The tokenizer of a small preparation, by default with as many tokens as the models of made() embed."""
    rng = np.random.default_rng(5)
    letters = np.array(list("abcdefghijklmnopqrstuvw"))
    words = ["".join(rng.choice(letters, rng.integers(2, 6))) for _ in range(60)]
    lines = [" ".join(rng.choice(words, 9)).capitalize() + "." for _ in range(200)]
    (folder / "text.txt").write_text("\n".join(lines))
    settings = {"corpus": f"[{{kind: lines, path: {folder}/text.txt}}]", "output.directory": folder / "prepared",
                "tokenizer.kind": "bpe", "tokenizer.vocabulary_size": vocabulary}
    (folder / "prepare.yaml").write_text("")
    nystrom(program, "prepare", folder / "prepare.yaml", *(f"--set={key}={value}" for key, value in settings.items()))
    return folder / "prepared" / "tokenizer.model"


def drop_convolution(folder):
    """As transformers documents a model without one, but cannot load it: `conv_kernel_size` null."""
    weights, config = folder / "model.safetensors", folder / "config.json"
    kept = {name: tensor for name, tensor in safetensors.torch.load_file(weights).items() if ".conv." not in name}
    safetensors.torch.save_file(kept, weights, {"format": "pt"})
    config.write_text(json.dumps(json.loads(config.read_text()) | {"conv_kernel_size": None}))


def add_extra_tensors(path):
    tensors = safetensors.torch.load_file(path)
    for name in EXTRA:
        rows = 2 if "relationship" in name else 64
        tensors[name] = torch.randn((rows, 64) if name.endswith("weight") else (rows,))
    safetensors.torch.save_file(tensors, path, metadata={"format": "pt"})


def nystrom(program, *arguments):
    result = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)
    if result.returncode != 0:
        sys.exit(result.stderr)


def write_case(path, folder, head):
    """Writes the outputs of transformers as a case file of `nystrom verify`."""
    kind = getattr(transformers, f"NystromformerFor{HEADS[head][0]}")
    model = kind.from_pretrained(folder, dtype=torch.float64).eval()
    config = model.config
    assert config.segment_means_seq_len == LENGTH and config.num_landmarks == LANDMARKS, "transformers would run softmax"
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
        file.attrs.update(head=CASE_HEADS.get(head, head), attention="nystrom",
                          num_landmarks=LANDMARKS, pinv_iterations=6, pinv_init="batch_max", padding="exact")
        inputs = file.create_group("inputs")
        inputs["input_ids"], inputs["token_type_ids"] = ids.astype("i4"), types.astype("i1")
        inputs["attention_mask"] = np.ones_like(ids, dtype="i1")
        add_labels(inputs, head, config, rows, rng)
        for name in names:
            file[f"outputs/{name}"] = out[name].numpy()


def add_labels(inputs, head, config, rows, rng):
    """Adds the labels that our heads require. Losses are not compared."""
    if HEADS[head][0] == "MaskedLM":
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


def complaints(head, folder):
    """Lists problems with loading the folder as a user would, through its AutoModel class."""
    kind = getattr(transformers, f"AutoModelFor{HEADS[head][0]}")
    with collected() as said:
        model = kind.from_pretrained(folder)
    known = [text for text in said if head == "pretraining" and all(name in text for name in EXTRA)]
    found = [f"unexpected warning: {text}" for text in said if text not in known]
    for key, value in HEADS[head][1].items():
        if getattr(model.config, key) != value:
            found.append(f"config.json: {key} is {getattr(model.config, key)}, not {value}")
    if model.config.num_labels > 1 and "num_labels" in HEADS[head][1] and model.config.id2label[1] != "label 1":
        found.append(f"config.json: id2label is {model.config.id2label}")
    return found


def check(program, head, work):
    made(head, work / "import")
    nystrom(program, "convert", "--from", work / "import", "--to", work / "m.h5")
    nystrom(program, "convert", "--from", work / "m.h5", "--to", work / "export", "--sequence-length", LENGTH)
    good = True
    for direction in ("import", "export"):
        folder, case = work / direction, work / f"{direction}.h5"
        write_case(case, folder, head)
        ours = {init: distances(program, folder, case, init) for init in ("batch_max", "per_matrix")}
        for name, distance in ours["batch_max"].items():
            print(f"{head:24s} {direction} {name:13s} batch_max {distance:.2e}   per_matrix "
                  f"{ours['per_matrix'][name]:.2e}", flush=True)
        good = good and all(distance <= 1e-5 for distance in ours["batch_max"].values())
    for sentence in complaints(head, work / "export"):
        print(f"{head}: {sentence}")
        good = False
    return good


def main():
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    torch.manual_seed(3)
    program, good = sys.argv[1], True
    print("relative distance of our fp32 logits from the fp64 logits of transformers")
    for head in HEADS:
        with tempfile.TemporaryDirectory() as work:
            good = check(program, head, pathlib.Path(work)) and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
