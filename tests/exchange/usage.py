#!/usr/bin/env python3
"""What users of transformers and sentence-transformers do with an exported folder (`trust_remote_code=True`).

    tests/exchange/usage.py build/nystrom        skipped, with a sentence, where a package is not installed

pipeline("fill-mask") and SentenceTransformer on texts of unequal length, against `nystrom predict`; two steps of
Trainer, and the saved model once more through from_pretrained.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

try:
    import numpy as np
    import sentence_transformers
    import torch
    import transformers
    from transformers.utils import is_accelerate_available
except ImportError as missing:
    print(f"skipped: {missing}; tests/exchange/with_transformers.sh makes a venv")
    sys.exit(0)

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import parity  # noqa: E402  (its folders of random weights)


def predict(program, folder, texts, *options):
    """Answers of `nystrom predict`, a JSON object a text."""
    result = subprocess.run([program, "predict", "--model", str(folder), "--input", "-", *options, "--format", "jsonl",
                             "--set", "training.precision=fp32"],
                            input="\n".join(texts), capture_output=True, text=True, check=True)
    return [json.loads(line) for line in result.stdout.splitlines()]


def texts_of(work):
    lines = (work / "text.txt").read_text().splitlines()
    return [lines[0], " ".join(lines[1].split()[:3]) + ".", lines[2]]


def check_pipeline(program, folder, texts):
    fill = transformers.pipeline("fill-mask", model=str(folder), trust_remote_code=True, top_k=3)
    masked = [" ".join([text.split()[0], fill.tokenizer.mask_token, *text.split()[2:]]) for text in texts]
    theirs = fill(masked, batch_size=len(masked))
    ours = predict(program, folder, masked, "--top", "3")
    for text, their, our in zip(masked, theirs, ours):
        for mine, other in zip(our["masks"][0], their):
            if abs(mine["probability"] - other["score"]) > 1e-4 * other["score"]:
                yield f"fill-mask on {text!r}: {other['score']}, nystrom {mine['probability']}"


def check_sentences(program, folder, texts):
    vectors = sentence_transformers.SentenceTransformer(str(folder), trust_remote_code=True, device="cpu").encode(texts)
    ours = np.array([answer["embedding"] for answer in predict(program, folder, texts, "--task", "embeddings")])
    distance = np.linalg.norm(vectors - ours) / np.linalg.norm(ours)
    if not distance < 1e-5:
        yield f"SentenceTransformer's vectors differ by {distance:.1e} from `--task embeddings`"


def check_trainer(folder, texts, work):
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForMaskedLM.from_pretrained(folder, trust_remote_code=True)
    arguments = transformers.TrainingArguments(output_dir=str(work / "trained"), max_steps=2, use_cpu=True,
                                               per_device_train_batch_size=2, report_to=[], learning_rate=1e-3)
    trainer = transformers.Trainer(model, arguments, train_dataset=[tokenizer(text) for text in texts * 2],
                                   data_collator=transformers.DataCollatorForLanguageModeling(tokenizer))
    result = trainer.train()
    if not (result.global_step == 2 and np.isfinite(result.training_loss)):
        yield f"Trainer: {result}"
    trainer.save_model(str(work / "saved"))
    again = transformers.AutoModelForMaskedLM.from_pretrained(work / "saved", trust_remote_code=True).eval()
    inputs = tokenizer(texts, padding=True, return_tensors="pt")
    with torch.no_grad():
        if not torch.equal(again(**inputs).logits, model.eval()(**inputs).logits):
            yield "what Trainer saved is another model when it is loaded"


def main():
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    torch.manual_seed(3)
    program, problems = sys.argv[1], []
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        parity.made("masked_lm", work / "import", parity.made_tokenizer(program, work))
        parity.nystrom(program, "convert", "--from", work / "import", "--to", work / "model")
        texts = texts_of(work)
        problems += check_pipeline(program, work / "model", texts)
        problems += check_sentences(program, work / "model", texts)
        if is_accelerate_available():
            problems += check_trainer(work / "model", texts, work)
        else:
            print("Trainer: not run, accelerate is not installed")
    print(f"transformers {transformers.__version__}, sentence-transformers {sentence_transformers.__version__}: "
          + ("; ".join(problems) or "pipeline, SentenceTransformer and Trainer run the folder as nystrom does"))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
