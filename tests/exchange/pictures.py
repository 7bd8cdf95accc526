"""An exported model of pictures, with positions by row and column, in transformers (`trust_remote_code=True`).

    tests/exchange/pictures.py build/nystrom        skipped, with a sentence, where transformers is not installed

Made-up pictures of 5 rows and 7 columns are pretrained on and exported. The folder gives, in float64 within 1e-10, what
launch/verify/make_case.py defines, on which `nystrom verify --gradients` agrees too. Where pixels are left out
(`position_ids`), the others have the embeddings that they have in the whole picture.
"""

import pathlib
import random
import struct
import subprocess
import sys
import tempfile

try:
    import h5py
    import torch
    import transformers
except ImportError as missing:
    print(f"skipped: {missing}; tests/exchange/with_transformers.sh makes a venv")
    sys.exit(0)

ROWS, COLUMNS = 5, 7
ROOT = pathlib.Path(__file__).resolve().parents[2]
CONFIG = """
run: {directory: run, threads: 1}
task: {kind: lra, name: image, path: .}
model: {hidden_size: 32, layers: 2, heads: 2, intermediate_size: 48, positions: row_column, norm: pre,
        embedding_norm: false, initializer_range: 0.3, attention: {landmarks: 6, convolution: 5}}
data: {masking: {probability: 0.5}}
training: {steps: 5, global_batch: 8, precision: fp32}
"""


def write_pictures(folder, part, count):
    """IDX files of `count` pictures."""
    numbers = random.Random(part)
    pixels = bytes(numbers.randrange(256) for _ in range(count * ROWS * COLUMNS))
    (folder / f"{part}-images-idx3-ubyte").write_bytes(struct.pack(">HBBIII", 0, 8, 3, count, ROWS, COLUMNS) + pixels)
    labels = bytes(numbers.randrange(10) for _ in range(count))
    (folder / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">HBBI", 0, 8, 1, count) + labels)


def run(work, *command):
    done = subprocess.run(command, cwd=work, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}: {done.stdout}{done.stderr}")


def main():
    program = pathlib.Path(sys.argv[1]).resolve()
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    with tempfile.TemporaryDirectory() as top:
        work = pathlib.Path(top)
        write_pictures(work, "train", 40)
        write_pictures(work, "t10k", 8)
        (work / "c.yaml").write_text(CONFIG)
        run(work, program, "pretrain", "c.yaml")
        run(work, program, "convert", "--from", "run", "--to", "folder")
        run(work, sys.executable, ROOT / "launch/verify/make_case.py", "folder", "case.h5", "--lengths", "35,20,3")
        run(work, program, "verify", "folder", "case.h5", "--gradients")
        model = transformers.AutoModelForMaskedLM.from_pretrained(work / "folder", trust_remote_code=True).double().eval()
        with h5py.File(work / "case.h5") as case, torch.no_grad():
            named = {name: torch.from_numpy(case[f"inputs/{name}"][()]).long()
                     for name in ("input_ids", "attention_mask", "token_type_ids")}
            real, expected = named["attention_mask"].bool(), torch.from_numpy(case["outputs/logits"][()])
            far = float((model(**named).logits[real] - expected[real]).norm() / expected[real].norm())
            left = torch.tensor([[3, 11, 17, 34]])
            whole = model(input_ids=named["input_ids"][:1], output_hidden_states=True).hidden_states[0]
            part = model(input_ids=named["input_ids"][:1].gather(1, left), position_ids=left + 2,
                         output_hidden_states=True).hidden_states[0]
            apart = float((part - whole[:, left[0]]).norm() / part.norm())
    print(f"outputs {far:.1e}, embeddings of pixels that are left over {apart:.1e}")
    return 0 if far <= 1e-10 and apart <= 1e-12 else 1


if __name__ == "__main__":
    sys.exit(main())
