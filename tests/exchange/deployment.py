#!/usr/bin/env python3
"""Exported folders under torch.compile and as ONNX, for every head and every kind of attention.

    tests/exchange/deployment.py build/nystrom        skipped, with a sentence, where a package is not installed

torch.compile with fullgraph=True and dynamic=True: one graph, without a break, and for all lengths. torch.onnx.export
with dynamic batch and length, run by onnxruntime on batches of other sizes than the one that was exported. Both are
compared with the model itself on padded batches, below and above the number of landmarks: within 1e-5. By default the
graph is captured and run by PyTorch's operators (backend aot_eager); once it is compiled by inductor too.
"""

import logging
import os
import pathlib
import re
import sys
import tempfile
import warnings

try:
    import numpy as np
    import onnxruntime
    import onnxscript  # noqa: F401  (which torch.onnx.export needs)
    import torch
    import transformers
except ImportError as missing:
    print(f"skipped: {missing}; tests/exchange/with_transformers.sh makes a venv")
    sys.exit(0)

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import parity  # noqa: E402  (its folders of random weights)

SHAPES = ((37, 12, 8, 60), (62, 5, 9, 8, 33, 20, 61, 3))  # lengths of the rows; the first batch is exported
KINDS = {"nystrom": [], "batch_max": ["pinv_init=batch_max"], "huggingface padding": ["padding=huggingface"],
         "softmax": ["kind=softmax"], "no convolution": []}


def load(folder, head):
    kind = getattr(transformers, f"AutoModelFor{parity.HEADS[head][0]}")
    return kind.from_pretrained(folder, trust_remote_code=True).eval()


def batch(head, config, lengths):
    rng = np.random.default_rng(7)
    mask = (np.arange(max(lengths))[None] < np.array(lengths)[:, None]).astype("i8")
    ids = np.where(mask == 1, rng.integers(3, config.vocab_size, mask.shape), config.pad_token_id)
    shape = (-1, parity.CHOICES, ids.shape[1]) if head == "multiple_choice" else ids.shape
    named = {"input_ids": ids, "attention_mask": mask, "token_type_ids": mask * (ids % 2)}
    return {name: torch.from_numpy(values.reshape(shape)) for name, values in named.items()}


def outputs(out):
    return [values.detach().numpy() for values in out.to_tuple()]


def distance(ours, theirs):
    return max(float(np.linalg.norm(a - b) / np.linalg.norm(a)) for a, b in zip(ours, theirs, strict=True))


def compiled(model, batches, backend):
    torch._dynamo.reset()
    program = torch.compile(model, fullgraph=True, dynamic=True, backend=backend)
    with torch.no_grad():
        return max(distance(outputs(model(**inputs)), outputs(program(**inputs))) for inputs in batches)


def dynamic_shapes(inputs):
    """Every dimension but the number of choices."""
    sizes = {0: torch.export.Dim.DYNAMIC, -1: torch.export.Dim.DYNAMIC}
    return {name: {axis % values.dim(): size for axis, size in sizes.items()} for name, values in inputs.items()}


def exported(model, batches, path):
    torch.onnx.export(model, (), str(path), kwargs=batches[0], dynamo=True, dynamic_shapes=dynamic_shapes(batches[0]),
                      verbose=False)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    used = {put.name for put in session.get_inputs()}
    apart = 0
    for inputs in batches:
        with torch.no_grad():
            expected = outputs(model(**inputs))
        given = {name: values.numpy() for name, values in inputs.items() if name in used}
        apart = max(apart, distance(expected, session.run(None, given)))
    return apart


def run_document(folder):
    """The lines of docs/exchange.md, as they are."""
    document = (pathlib.Path(__file__).parents[2] / "docs/exchange.md").read_text()
    code = re.search(r"```python\n([^`]*torch\.onnx\.export[^`]*)```", document).group(1)
    exec(compile(code.replace("my-model", str(folder)).replace("model.onnx", str(folder / "model.onnx")), "exchange.md",
                 "exec"), {})
    onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])


def check(program, head, kind, work):
    first = head == "masked_lm" and kind == "nystrom"
    tokenizer = parity.made_tokenizer(program, work) if first else None
    parity.made(head, work / "import", tokenizer, convolution=0 if kind == "no convolution" else 9)
    settings = [f"--set=model.attention.{setting}" for setting in KINDS[kind]]
    parity.nystrom(program, "convert", "--from", work / "import", "--to", work / "model", *settings)
    model = load(work / "model", head)
    batches = [batch(head, model.config, lengths) for lengths in SHAPES]
    found = {"compiled": compiled(model, batches, "aot_eager"), "ONNX": exported(model, batches, work / "model.onnx")}
    if first:
        found["by inductor"] = compiled(model, batches, "inductor")
        run_document(work / "model")
    print(f"{head:24s} {kind:20s} " + "  ".join(f"{name} {apart:.1e}" for name, apart in found.items()), flush=True)
    return all(apart <= 1e-5 for apart in found.values())


def main():
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    torch.manual_seed(3)
    print(f"transformers {transformers.__version__}, torch {torch.__version__}, onnxruntime {onnxruntime.__version__}: "
          "relative distance from the model itself")
    cases = [(head, "nystrom") for head in parity.HEADS] + [("masked_lm", kind) for kind in list(KINDS)[1:]]
    good = True
    for head, kind in cases:
        with tempfile.TemporaryDirectory() as work:
            good = check(os.path.realpath(sys.argv[1]), head, kind, pathlib.Path(work)) and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
