"""Exported folders of every attention kind and every option of the network, in transformers (`trust_remote_code=True`).

    tests/exchange/kinds.py build/nystrom        skipped, with a sentence, without transformers or the reference numbers

For each case of ../shared/golden/kinds (or $NYSTROM_SHARED/golden/kinds), on its padded batch of ragged lengths:

- its folder, converted to a checkpoint and back, gives the case's outputs and gradients, with the case's random numbers:
  outputs in float64 within 1e-10 and in float32 within 1e-5, gradients in float64 within 1e-6 (they are stored in fp32);
- with the random numbers of the folder, `nystrom verify --precision fp64` is within 1e-10 of it, and what
  `nystrom predict` says of texts within 1e-5;
- a row alone, and with its padding at the left, gives what it gives in the batch; bf16 runs; torch.compile sees one graph
  (fullgraph, dynamic lengths).
"""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import types

try:
    import h5py
    import torch
    import transformers
except ImportError as missing:
    print(f"skipped: {missing}; tests/exchange/with_transformers.sh makes a venv")
    sys.exit(0)

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import parity  # noqa: E402  (its tokenizer, and how it runs nystrom)

OUTPUTS = ("logits", "sop_logits", "hidden_states")
TEXTS = ["Abc def gh.", "A longer text, abc def", "b c"]


def cases():
    shared = os.environ.get("NYSTROM_SHARED") or pathlib.Path(__file__).resolve().parents[3] / "shared"
    return sorted(path.parent for path in pathlib.Path(shared).glob("golden/kinds/*/case.h5"))


def load(folder, head, dtype=torch.float64):
    name = "PreTraining" if head == "pretraining" else "SequenceClassification"
    kind = getattr(transformers, f"AutoModelFor{name}")
    return kind.from_pretrained(folder, trust_remote_code=True).to(dtype).eval()


def inputs_of(case):
    inputs = {name: torch.from_numpy(case[f"inputs/{name}"][()]).long()
              for name in ("input_ids", "attention_mask", "token_type_ids")}
    if "inputs/position_ids" in case:
        inputs["position_ids"] = torch.from_numpy(case["inputs/position_ids"][()]).long() + 2  # as transformers counts
    return inputs


def run(model, inputs):
    out = model(**inputs, output_hidden_states=True)
    found = {name: out[name] for name in OUTPUTS if name in out}
    return found | {"hidden_states": torch.stack(found["hidden_states"])}


def distance(a, b, mask):
    """Over real tokens."""
    if b.shape[-3:-1] == mask.shape:
        a, b = a[..., mask.bool(), :], b[..., mask.bool(), :]
    return float((a.detach().double() - b.double()).norm() / b.double().norm())


def apart(found, expected, mask):
    return max(distance(found[name], expected[name], mask) for name in expected)


def give_random(model, case):
    """The random numbers of the case in place of the folder's."""
    for number, layer in enumerate(model.nystromformer.encoder.layer):
        attention = layer.attention["self"]
        if "random/features" in case:
            attention.features = torch.from_numpy(case["random/features"][number]).to(attention.features)
        if "random/rotations" in case:
            attention.rotations = torch.from_numpy(case["random/rotations"][number]).to(attention.rotations)
        elif "random/buckets" in case:
            given = torch.from_numpy(case["random/buckets"][number]).long().permute(1, 2, 0, 3)
            attention.buckets = types.MethodType(lambda self, q, tokens, given=given: given, attention)


def loss_of(found, case):
    labels = {name: torch.from_numpy(case[f"inputs/{name}"][()]).long()
              for name in ("labels", "mlm_labels", "sop_labels") if f"inputs/{name}" in case}
    cross_entropy = torch.nn.functional.cross_entropy
    if "labels" in labels:
        return cross_entropy(found["logits"], labels["labels"])
    return (cross_entropy(found["logits"].flatten(0, 1), labels["mlm_labels"].flatten())
            + cross_entropy(found["sop_logits"], labels["sop_labels"]))


def gradients_apart(model, case):
    """The largest distance of a gradient; those that are zero by nature count against the norm of all."""
    expected = {name: torch.from_numpy(values[()]).double() for name, values in named(case["gradients"])}
    whole = torch.stack([g.norm() for g in expected.values()]).norm()
    found = {name: p.grad for name, p in model.named_parameters() if name in expected}
    assert found.keys() == expected.keys(), expected.keys() ^ found.keys()
    return max(float(((0 if found[name] is None else found[name]) - g).norm() / max(g.norm(), 1e-3 * whole))
               for name, g in expected.items())


def named(group):
    found = []
    group.visititems(lambda name, item: found.append((name, item)) if isinstance(item, h5py.Dataset) else None)
    return found


def verify_apart(program, folder, case_path, found, work):
    """What `nystrom verify` says of the folder's own outputs."""
    own = work / "own.h5"
    shutil.copy(case_path, own)
    own.chmod(0o644)
    with h5py.File(own, "a") as file:
        del file["gradients"], file["outputs"]
        if "random" in file:
            del file["random"]
        for name, values in found.items():
            file[f"outputs/{name}"] = values.numpy()
    result = subprocess.run([program, "verify", folder, own, "--precision", "fp64", "--json"], capture_output=True, text=True)
    if result.returncode not in (0, 1):
        sys.exit(result.stderr)
    return max(json.loads(result.stdout.splitlines()[-1])["outputs"].values())


def predict_apart(program, folder, model, work):
    """Of texts, against the probabilities that `nystrom predict` gives them."""
    (work / "texts.txt").write_text("\n".join(TEXTS) + "\n")
    said = subprocess.run([program, "predict", "--model", folder, "--input", work / "texts.txt", "--format", "jsonl",
                           "--set", "training.precision=fp32"], capture_output=True, text=True)
    if said.returncode != 0:
        sys.exit(said.stderr)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    with torch.no_grad():
        shares = model(**tokenizer(TEXTS, padding=True, return_tensors="pt")).logits.softmax(-1)
    ours = [json.loads(line)["probabilities"] for line in said.stdout.splitlines()]
    ours = torch.tensor([list(row.values()) if isinstance(row, dict) else row for row in ours], dtype=shares.dtype)
    return float((ours - shares).abs().max())


def alone_apart(model, inputs, found):
    """Each row alone, and with its padding at the left."""
    worst = 0.0
    lengths = inputs["attention_mask"].sum(-1).tolist()
    for row, length in enumerate(lengths):
        for shifted in (False, True):
            one = {name: x[row:row + 1].roll(-length, -1) if shifted else x[row:row + 1, :length] for name, x in inputs.items()}
            with torch.no_grad():
                states = torch.stack(model.nystromformer(**one, output_hidden_states=True).hidden_states)
            worst = max(worst, distance(states[:, 0, -length:], found["hidden_states"][:, row, :length],
                                        inputs["attention_mask"]))
    return worst


def compiled_apart(model, batches):
    torch._dynamo.reset()
    program = torch.compile(model, fullgraph=True, dynamic=True, backend="aot_eager")
    with torch.no_grad():
        return max(float((program(**inputs).logits - model(**inputs).logits).abs().max()) for inputs in batches)


def shorter(inputs):
    """Fewer tokens in another number of rows, an even one for pairs."""
    length = max(inputs["input_ids"].size(1) // 2, 3)
    return {name: x[:2, :length] for name, x in inputs.items()}


def check(program, source, tokenizer_of, compiles, work):
    folder = work / "folder"
    copied = work / "with-tokenizer"
    shutil.copytree(source, copied)
    vocabulary = json.loads((source / "config.json").read_text())["vocab_size"]
    copied.chmod(0o755)
    shutil.copy(tokenizer_of(vocabulary), copied / "spiece.model")
    parity.nystrom(program, "convert", "--from", copied, "--to", work / "model.h5")
    parity.nystrom(program, "convert", "--from", work / "model.h5", "--to", folder)
    parity.nystrom(program, "convert", "--from", folder, "--to", work / "again.h5")
    parity.nystrom(program, "convert", "--from", work / "again.h5", "--to", work / "again")
    problems = []
    if (work / "again/model.safetensors").read_bytes() != (folder / "model.safetensors").read_bytes():
        problems.append("a folder through a checkpoint and back has other weights")
    far = {}
    with h5py.File(source / "case.h5") as case:
        head, inputs = case.attrs["head"], inputs_of(case)
        mask = inputs["attention_mask"]
        expected = {name: torch.from_numpy(case[f"outputs/{name}"][()]) for name in OUTPUTS if f"outputs/{name}" in case}
        for dtype, name, most in ((torch.float32, "fp32", 1e-5), (torch.float64, "fp64", 1e-10)):
            model = load(folder, head, dtype)
            give_random(model, case)
            found = run(model, inputs)
            far[name] = apart(found, expected, mask), most
        loss_of(found, case).backward()
        far["gradients"] = gradients_apart(model, case), 1e-6
    model = load(folder, head)
    with torch.no_grad():
        found = run(model, inputs)
        rough = run(load(folder, head, torch.bfloat16), inputs)
    far["verify"] = verify_apart(program, folder, source / "case.h5", found, work), 1e-10
    far["alone"] = alone_apart(model, inputs, found), 1e-10
    if compiles:
        far["compiled"] = compiled_apart(model, (inputs, shorter(inputs))), 1e-10
    # A bucket that flips by rounding makes other chunks.
    far["bf16"] = apart(rough, found, mask), 0.1 if model.config.nystrom["kind"] != "reformer" else 1
    if head == "sequence_classification":
        far["predict"] = predict_apart(program, folder, model, work), 1e-5
    print(f"{source.name:34s} " + "  ".join(f"{name} {d:.1e}" for name, (d, _) in far.items()), flush=True)
    problems += [f"{name} is {d:.2e} away, more than {most}" for name, (d, most) in far.items() if not d <= most]
    for problem in problems:
        print(f"{source.name}: {problem}", flush=True)
    return not problems


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--only", nargs="*", help="names of cases")
    parser.add_argument("--no-compile", action="store_true", help="leave out torch.compile, which takes most of the time")
    args = parser.parse_args()
    found = [case for case in cases() if not args.only or case.name in args.only]
    if not found:
        print("skipped: there are no reference numbers in ../shared/golden/kinds next to this checkout (NYSTROM_SHARED)")
        return 0
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    torch.manual_seed(3)
    program = os.path.realpath(args.program)
    print(f"transformers {transformers.__version__}, torch {torch.__version__}: distances of exported folders")
    good = True
    with tempfile.TemporaryDirectory() as top:
        tokenizers = {}

        def tokenizer_of(vocabulary):
            if vocabulary not in tokenizers:
                place = pathlib.Path(top) / f"tokenizer-{vocabulary}"
                place.mkdir()
                tokenizers[vocabulary] = parity.made_tokenizer(program, place, vocabulary)
            return tokenizers[vocabulary]

        for case in found:
            place = pathlib.Path(top) / case.name
            place.mkdir()
            good = check(program, case, tokenizer_of, not args.no_compile, place) and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
