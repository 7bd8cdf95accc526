"""Times fine-tuning steps or predictions of transformers' NystromformerForSequenceClassification on given token ids,
and prints one line of JSON. Run by finetuning_against_transformers.py in its virtual environment.

A batch is padded to its longest sequence and to a multiple of the landmarks. The padding mask is added in the third
softmax, the only place where transformers adds it. Its shapes do not match there, so the attention is patched.
"""
import argparse
import json
import statistics
import time

import torch
import transformers
from transformers import NystromformerForSequenceClassification

PAD = 1


def patch(model):
    """Patches attention: the third softmax gets the mask as [B, 1, 1, T]; the first two get none, as in transformers."""
    for layer in model.nystromformer.encoder.layer:
        attention = layer.attention.self
        attention.forward = lambda hidden, mask=None, *rest, _a=attention, **more: (nystrom(_a, hidden, model.lengths), None)[:1]


def nystrom(a, hidden, lengths):
    b, t, _ = hidden.shape
    heads, size, m = a.num_attention_heads, a.attention_head_size, a.num_landmarks
    split = lambda x: x.view(b, t, heads, size).transpose(1, 2)
    scale = size ** -0.25
    q, k, v = split(a.query(hidden)) * scale, split(a.key(hidden)) * scale, split(a.value(hidden))
    mask = (torch.arange(t)[None] >= lengths[:, None])[:, None, None].to(q.dtype) * torch.finfo(q.dtype).min
    if t == m:
        out = torch.softmax(q @ k.transpose(-1, -2) + mask, -1) @ v
    else:
        ql, kl = (x.reshape(b, heads, m, t // m, size).mean(-2) for x in (q, k))
        first = torch.softmax(q @ kl.transpose(-1, -2), -1)
        second = torch.softmax(ql @ kl.transpose(-1, -2), -1)
        third = torch.softmax(ql @ k.transpose(-1, -2) + mask, -1)
        out = (first @ a.iterative_inv(second)) @ (third @ v)
    if a.conv_kernel_size is not None:
        out = out + a.conv(v)
    return out.transpose(1, 2).reshape(b, t, heads * size)


def batches_of(args, data):
    order = list(range(len(data["ids"])))
    if args.work == "predict":
        order.sort(key=lambda i: -len(data["ids"][i]))
    for begin in range(0, len(order), args.batch):
        chosen = order[begin:begin + args.batch]
        longest = max(len(data["ids"][i]) for i in chosen)
        width = -(-longest // args.landmarks) * args.landmarks
        ids = torch.full((len(chosen), width), PAD)
        for row, i in enumerate(chosen):
            ids[row, :len(data["ids"][i])] = torch.tensor(data["ids"][i])
        yield ids, torch.tensor([len(data["ids"][i]) for i in chosen]), torch.tensor([data["labels"][i] for i in chosen])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--ids", required=True)
    for name, default in (("batch", 8), ("landmarks", 64), ("threads", 2)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--work", choices=("finetune", "predict"), default="finetune")
    args = parser.parse_args()
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(args.threads)
    torch.manual_seed(1)
    data = json.load(open(args.ids))
    model = NystromformerForSequenceClassification.from_pretrained(args.model)
    patch(model)
    train = args.work == "finetune"
    model.train(train)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-5)
    seconds, examples = [], []
    for ids, lengths, labels in batches_of(args, data):
        model.lengths = lengths
        start = time.perf_counter()
        with torch.set_grad_enabled(train), torch.autocast("cpu", dtype=torch.bfloat16, enabled=args.precision == "bf16"):
            out = model(input_ids=ids, labels=labels if train else None)
        if train:
            out.loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        seconds.append(time.perf_counter() - start)
        examples.append(len(labels))
    skip = 1 if len(seconds) > 1 else 0  # the first batch is a warm-up
    print(json.dumps({"examples_per_second": sum(examples[skip:]) / sum(seconds[skip:]),
                      "median_seconds_per_batch": statistics.median(seconds[skip:]),
                      "torch": torch.__version__, "transformers": transformers.__version__}))


if __name__ == "__main__":
    main()
