"""Exported folders in transformers with their own code (`trust_remote_code=True`), for every head.

    tests/exchange/remote_code.py build/nystrom        skipped, with a sentence, where transformers is not installed

Each folder that `nystrom convert` writes is loaded through its AutoModel class and compared with `nystrom verify`: a
case file with the fp64 outputs of the folder's own code on padded batches of ragged lengths must be within 1e-5 of
ours. Then what a user does: padding at the left and a neighbour change nothing, gradients are finite, bf16 runs,
and the model card's snippet runs as it is.
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile

try:
    import h5py
    import numpy as np
    import torch
    import transformers
except ImportError as missing:
    print(f"skipped: {missing}; tests/exchange/with_transformers.sh makes a venv")
    sys.exit(0)

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import parity  # noqa: E402  (its folders of random weights, and its distances)

LENGTHS = (37, 62, 5, 8)  # above, far above, below and at the number of landmarks


def load(folder, head, dtype=torch.float32):
    kind = getattr(transformers, f"AutoModelFor{parity.HEADS[head][0]}")
    return kind.from_pretrained(folder, trust_remote_code=True).to(dtype).eval()


def batch(head, config):
    """input_ids, attention_mask, token_type_ids [B, T], padded at the right."""
    rng = np.random.default_rng(7)
    lengths = np.array(LENGTHS)
    longest = max(LENGTHS)
    mask = (np.arange(longest)[None] < lengths[:, None]).astype("i8")
    ids = np.where(mask == 1, rng.integers(3, config.vocab_size, mask.shape), config.pad_token_id)
    types = (mask * (np.arange(longest)[None] >= lengths[:, None] // 2)).astype("i8")
    return ids, mask, types


def inputs_of(head, ids, mask, types):
    shape = (-1, parity.CHOICES, ids.shape[1]) if head == "multiple_choice" else ids.shape
    named = {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}
    return {name: torch.from_numpy(np.ascontiguousarray(a)).reshape(shape) for name, a in named.items()}


def outputs_of(head, out):
    names = ("start_logits", "end_logits") if head == "question_answering" else ("logits",)
    return {name: out[name] for name in names}


def add_labels(inputs, head, mask):
    """Labels that our heads require. Losses are not compared."""
    rows = len(LENGTHS)
    if parity.HEADS[head][0] == "MaskedLM":
        inputs["mlm_labels"] = np.where(mask == 1, 3, -100).astype("i4")
    elif head == "question_answering":
        inputs["start_positions"], inputs["end_positions"] = np.zeros(rows, "i4"), np.ones(rows, "i4")
    elif head == "token_classification":
        inputs["labels"] = np.where(mask == 1, 0, -100).astype("i4")
    elif head == "regression":
        inputs["labels"] = np.zeros(rows)
    else:
        inputs["labels"] = np.zeros(rows // parity.CHOICES if head == "multiple_choice" else rows, "i4")


def write_case(path, model, head):
    ids, mask, types = batch(head, model.config)
    with torch.no_grad():
        out = model(**inputs_of(head, ids, mask, types))
    with h5py.File(path, "w") as file:
        own = model.config.nystrom
        file.attrs.update(head=parity.CASE_HEADS.get(head, head), attention=own["kind"], num_landmarks=own["landmarks"],
                          pinv_iterations=own["pinv_iterations"], pinv_init=own["pinv_init"], padding=own["padding"])
        inputs = file.create_group("inputs")
        inputs["input_ids"], inputs["token_type_ids"] = ids.astype("i4"), types.astype("i1")
        inputs["attention_mask"] = mask.astype("i1")
        add_labels(inputs, head, mask)
        for name, values in outputs_of(head, out).items():
            file[f"outputs/{name}"] = values.numpy()


def distance(a, b):
    return float((a - b).norm() / b.norm())


def real(values, mask):
    """Values of real tokens: rows of padding mean nothing."""
    return values[torch.from_numpy(mask).bool()] if values.shape[:2] == mask.shape else values


def check_uses(folder, head, problems):
    model = load(folder, head)
    ids, mask, types = batch(head, model.config)
    inputs = inputs_of(head, ids, mask, types)
    with torch.no_grad():
        whole = outputs_of(head, model(**inputs))
    if head != "multiple_choice":
        for row, length in enumerate(LENGTHS):  # alone, and with its padding at the left
            alone = inputs_of(head, *(a[row:row + 1, :length] for a in (ids, mask, types)))
            left = inputs_of(head, *(np.roll(a[row:row + 1], -length, 1) for a in (ids, mask, types)))
            with torch.no_grad():
                single, shifted = outputs_of(head, model(**alone)), outputs_of(head, model(**left))
            for name, values in whole.items():
                per_token = values.shape[:2] == mask.shape
                expected = values[row:row + 1, :length] if per_token else values[row:row + 1]
                got = shifted[name][:, -length:] if per_token else shifted[name]
                if distance(single[name], expected) > 1e-5:
                    problems.append(f"{name} of row {row} depends on its neighbours")
                if distance(got, expected) > 1e-5:
                    problems.append(f"{name} of row {row} depends on the side of its padding")
    model.train()
    loss = sum(values.float().square().mean() for values in outputs_of(head, model(**inputs)).values())
    loss.backward()
    if not all(p.grad is None or p.grad.isfinite().all() for p in model.parameters()):
        problems.append("a gradient is not finite")
    half = load(folder, head, dtype=torch.bfloat16)
    with torch.no_grad():
        rough = outputs_of(head, half(**inputs))
    for name, values in whole.items():
        if not distance(real(rough[name].float(), mask), real(values, mask)) < 0.1:
            problems.append(f"{name} in bf16 is far from fp32")


def check_snippet(folder, problems):
    code = re.search(r"```python\n(.*?)```", (folder / "README.md").read_text(), re.S).group(1)
    names = {}
    try:
        exec(compile(code.replace("this-folder", str(folder)), "README.md", "exec"), names)
        if not all(values.isfinite().all() for values in names["outputs"].values() if torch.is_tensor(values)):
            problems.append("the model card's snippet gives values that are not finite")
    except Exception as error:  # noqa: BLE001  (whatever it raises is the finding)
        problems.append(f"the model card's snippet raises {type(error).__name__}: {error}")


def check(program, head, tokenizer, work):
    parity.made(head, work / "import", tokenizer)
    parity.nystrom(program, "convert", "--from", work / "import", "--to", work / "m.h5")
    problems = []
    for init in ("per_matrix", "batch_max"):
        folder = work / init
        parity.nystrom(program, "convert", "--from", work / "m.h5", "--to", folder,
                       "--set", f"model.attention.pinv_init={init}")
        case = work / f"{init}.case.h5"
        write_case(case, load(folder, head, dtype=torch.float64), head)
        ours = parity.distances(program, folder, case, init)
        print(f"{head:24s} {init:10s} " + "  ".join(f"{n} {d:.1e}" for n, d in ours.items()), flush=True)
        if not all(d <= 1e-5 for d in ours.values()):
            problems.append(f"outputs with {init} differ from ours")
    check_uses(work / "per_matrix", head, problems)
    check_snippet(work / "per_matrix", problems)
    for problem in problems:
        print(f"{head}: {problem}")
    return not problems


def main():
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    torch.manual_seed(3)
    print(f"transformers {transformers.__version__}, torch {torch.__version__}: relative distances, our fp32 from fp64")
    good = True
    with tempfile.TemporaryDirectory() as work:
        tokenizer = parity.made_tokenizer(sys.argv[1], pathlib.Path(work))
        for head in parity.HEADS:
            place = pathlib.Path(work) / head
            place.mkdir()
            good = check(sys.argv[1], head, tokenizer, place) and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
