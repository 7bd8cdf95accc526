"""Times training steps of transformers' NystromformerForMaskedLM and prints one line of JSON.

Forward, backward and AdamW with dropout on, on random tokens in full rows, 15 % of them with labels. Run by
against_pytorch.py, in its virtual environment.
"""
import argparse
import json
import resource
import statistics
import time

import torch
import transformers
from transformers import NystromformerConfig, NystromformerForMaskedLM


def model_of(args):
    config = NystromformerConfig(
        vocab_size=args.vocabulary, hidden_size=args.hidden, num_hidden_layers=args.layers,
        num_attention_heads=args.heads, intermediate_size=args.intermediate,
        max_position_embeddings=args.length, num_landmarks=args.landmarks, conv_kernel_size=65,
        # Left at its default of 64, transformers would run plain softmax attention.
        segment_means_seq_len=args.landmarks if args.attention == "softmax" else args.length)
    return NystromformerForMaskedLM(config).train()


def batch_of(args):
    ids = torch.randint(5, args.vocabulary, (args.batch, args.length))
    labels = torch.where(torch.rand(ids.shape) < 0.15, ids, -100)
    return ids, labels


def drop_attention_mask(model):
    """transformers' mask has a shape that its Nystrom path cannot add; on full rows it changes nothing."""
    for layer in model.nystromformer.encoder.layer:
        attention = layer.attention.self
        forward = attention.forward
        attention.forward = lambda x, mask=None, *rest, _f=forward, **more: _f(x, None)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("vocabulary", 30000), ("hidden", 768), ("layers", 12), ("heads", 12),
                          ("intermediate", 3072), ("landmarks", 64), ("length", 512), ("batch", 4),
                          ("threads", 2), ("warmup", 1), ("steps", 3)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--attention", choices=("nystrom", "softmax"), default="nystrom")
    parser.add_argument("--compile", action="store_true")
    args = parser.parse_args()
    transformers.logging.set_verbosity_error()
    torch.set_num_threads(args.threads)
    torch.manual_seed(1)
    model = model_of(args)
    drop_attention_mask(model)
    step_model = torch.compile(model) if args.compile else model
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    ids, labels = batch_of(args)
    seconds = []
    for step in range(args.warmup + args.steps):
        start = time.perf_counter()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=args.precision == "bf16"):
            loss = step_model(input_ids=ids, labels=labels).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if step >= args.warmup:
            seconds.append(time.perf_counter() - start)
    median = statistics.median(seconds)
    print(json.dumps({
        "tokens_per_second": args.batch * args.length / median,
        "milliseconds_per_step": 1000 * median,
        "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "loss": float(loss.detach()),
        "torch": torch.__version__, "transformers": transformers.__version__}))


if __name__ == "__main__":
    main()
