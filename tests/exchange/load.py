#!/usr/bin/env python3
"""Export test: model directories written by `nystrom convert` load in transformers with all weights unchanged.

usage: tests/exchange/load.py PATH_OF_NYSTROM [FOLDER...]

Converts a model directory written by transformers, one without convolution, and each FOLDER (default: the reference
models next to the checkout, if any), directly and through an HDF5 checkpoint. No tensor may be missing, and none may be
unexpected except those of the pooler and the sentence-order head. A pickled model must be rejected, and the two lines of
Python in the message must fix it. Prints "skipped" if transformers is not installed.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

try:
    import safetensors.torch
    import torch
    import transformers
    from parity import drop_convolution
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(0)

EXTRA = ("nystromformer.pooler.", "cls.seq_relationship.")


def convert(program, source, target):
    subprocess.run([program, "convert", "--from", str(source), "--to", str(target)], check=True,
                   stdout=subprocess.DEVNULL)


def load(folder):
    config = transformers.AutoConfig.from_pretrained(folder)
    kind = getattr(transformers, config.architectures[0])
    return kind.from_pretrained(folder, output_loading_info=True)


def reference_model(folder):
    """Loads the folder in transformers. Where conv_kernel_size is null, which it cannot load, uses size 1 with zeros."""
    config = json.loads((folder / "config.json").read_text())
    if config.get("conv_kernel_size", 0) is not None:
        return load(folder)[0]
    kind = getattr(transformers, config["architectures"][0])
    config = transformers.NystromformerConfig(**config | {"conv_kernel_size": 1})
    model = kind.from_pretrained(folder, config=config)
    for name, parameter in model.named_parameters():
        if ".conv." in name:
            torch.nn.init.zeros_(parameter)
    return model


def problems_of(folder, reference):
    """Lists loading problems reported by transformers, and differences from the weights of `reference`."""
    model, info = load(folder)
    found = [f"{name} is missing" for name in info["missing_keys"]]
    found += [f"{name} is unexpected" for name in info["unexpected_keys"] if not name.startswith(EXTRA)]
    found += [f"{name} has another shape" for name, *_ in info["mismatched_keys"]]
    ours, theirs = model.state_dict(), reference.state_dict()
    found += [f"{name} differs" for name in theirs if not torch.equal(ours[name], theirs[name])]
    return found, model


def runs_nystrom(model, config):
    """Whether transformers runs Nystrom attention, not softmax, at the exported sequence length, with finite logits."""
    ids = torch.randint(5, config.vocab_size, (2, config.segment_means_seq_len))
    if isinstance(model, transformers.NystromformerForMultipleChoice):
        ids = ids[None]
    with torch.no_grad():
        output = model.eval()(ids)
    first = output[0]
    return config.segment_means_seq_len != config.num_landmarks and bool(torch.isfinite(first).all())


def check(program, source, work):
    reference = reference_model(source)
    convert(program, source, work / "direct")
    convert(program, source, work / "through.h5")
    convert(program, work / "through.h5", work / "through")
    problems = []
    for target in (work / "direct", work / "through"):
        found, model = problems_of(target, reference)
        problems += [f"{target.name}: {sentence}" for sentence in found]
        if not runs_nystrom(model, model.config):
            problems.append(f"{target.name}: transformers does not run Nystrom attention on it")
    return problems


def made_by_transformers(folder):
    config = transformers.NystromformerConfig(vocab_size=50, hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
                                              intermediate_size=48, max_position_embeddings=70, num_landmarks=8,
                                              segment_means_seq_len=8, conv_kernel_size=7)
    transformers.NystromformerForMaskedLM(config).save_pretrained(folder)
    return folder


def problems_of_pickle(program, folder, work):
    """A pickle instead of safetensors: refused, then mended by the lines that the refusal ends with."""
    weights = folder / "model.safetensors"
    torch.save(safetensors.torch.load_file(weights), folder / "pytorch_model.bin")
    weights.unlink()
    line = [program, "convert", "--from", str(folder), "--to", str(work / "unpickled.h5")]
    refusal = subprocess.run(line, capture_output=True, text=True)
    if refusal.returncode != 2:
        return [f"a pickled model was not rejected with status 2: status {refusal.returncode}"]
    mended = subprocess.run([sys.executable, "-c", "\n".join(refusal.stderr.strip().splitlines()[-2:])],
                            capture_output=True, text=True)
    if mended.returncode != 0:
        return [f"the suggested lines of Python fail: {mended.stderr[-500:]}"]
    return [] if subprocess.run(line, stdout=subprocess.DEVNULL).returncode == 0 else ["the fixed folder is rejected"]


def without_convolution(folder):
    """Creates a model without convolution, as transformers documents it: conv_kernel_size null."""
    made_by_transformers(folder)
    drop_convolution(folder)
    return folder


def main():
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    program, folders = sys.argv[1], [pathlib.Path(f) for f in sys.argv[2:]]
    shared = pathlib.Path(os.environ.get("NYSTROM_SHARED", "../shared")) / "golden"
    if not folders and shared.is_dir():
        folders = sorted(f.parent for f in shared.glob("*/config.json"))
    failures = 0
    with tempfile.TemporaryDirectory() as work:
        folders.insert(0, made_by_transformers(pathlib.Path(work) / "transformers"))
        folders.insert(1, without_convolution(pathlib.Path(work) / "without_convolution"))
        for number, folder in enumerate(folders):
            place = pathlib.Path(work) / str(number)
            place.mkdir()
            problems = check(program, folder, place)
            failures += len(problems)
            for sentence in problems:
                print(f"{folder}: {sentence}")
            if not problems:
                print(f"{folder}: ok")
        problems = problems_of_pickle(program, made_by_transformers(pathlib.Path(work) / "pickled"), pathlib.Path(work))
        failures += len(problems)
        print("; ".join(problems) or "a pickled model is rejected, and fixed by the suggested lines")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
