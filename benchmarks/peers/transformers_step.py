"""Times training steps of a masked language model of transformers and prints one line of JSON.

NystromformerForMaskedLM, with its own attention or plain softmax; or, for a comparison of attention kinds, BERT with
PyTorch's fused attention (`sdpa`), Longformer or Reformer. Forward, backward and AdamW with dropout, on random tokens,
15 % of them with labels, in full or padded rows. Run by the other benchmarks in their virtual environment, and by
benchmarks/gpu/run.sh with --device cuda: in bf16 with autocast, fp32 without TF32, times by the clock around work that
has ended. Several batch sizes (--batch 32,64) give a line each; one that does not fit in memory is reported so.
"""
import argparse
import json
import pathlib
import resource
import statistics
import time

import torch
import transformers
from transformers import (BertConfig, BertForMaskedLM, LongformerConfig, LongformerForMaskedLM, NystromformerConfig,
                          NystromformerForMaskedLM, ReformerConfig, ReformerForMaskedLM)


def model_of(args):
    return {"sdpa": bert, "longformer": longformer, "reformer": reformer}.get(args.attention, nystromformer)(args).train()


def common(args):
    return dict(vocab_size=args.vocabulary, hidden_size=args.hidden, num_hidden_layers=args.layers,
                num_attention_heads=args.heads, intermediate_size=args.intermediate)


def bert(args):
    config = BertConfig(**common(args), max_position_embeddings=args.length, attn_implementation="sdpa")
    return BertForMaskedLM(config)


def longformer(args):
    config = LongformerConfig(**common(args), max_position_embeddings=args.length + 2, attention_window=256)
    return LongformerForMaskedLM(config)


def reformer(args):
    buckets = 2 * args.length // 64  # a chunk of 64 holds two buckets on average, as transformers chooses by default
    config = ReformerConfig(
        vocab_size=args.vocabulary, hidden_size=args.hidden, num_attention_heads=args.heads,
        attention_head_size=args.hidden // args.heads, feed_forward_size=args.intermediate,
        attn_layers=["lsh"] * args.layers, num_hashes=2, num_buckets=buckets, lsh_attn_chunk_length=64,
        max_position_embeddings=args.length, axial_pos_embds=False, is_decoder=False)
    return ReformerForMaskedLM(config)


def nystromformer(args):
    config = NystromformerConfig(
        **common(args), max_position_embeddings=args.length, num_landmarks=args.landmarks, conv_kernel_size=65,
        # With the default of 64, equal to num_landmarks, transformers would run plain softmax attention.
        segment_means_seq_len=args.landmarks if args.attention == "softmax" else args.length)
    model = NystromformerForMaskedLM(config)
    drop_attention_mask(model)
    return model


def batches_of(args, batch):
    """Yields batches: random ids, labels, and the number of real tokens. Padding has no labels."""
    lengths = args.lengths or [args.length] * batch
    for first in range(0, len(lengths), batch):
        rows = torch.tensor(lengths[first:first + batch])
        ids = torch.randint(5, args.vocabulary, (len(rows), args.length))
        real = torch.arange(args.length) < rows[:, None]
        labels = torch.where((torch.rand(ids.shape) < 0.15) & real, ids, -100)
        yield torch.where(real, ids, 1).to(args.device), labels.to(args.device), int(rows.sum())


def drop_attention_mask(model):
    """Removes the attention mask, whose shape fails in transformers' Nystrom path. On full rows it has no effect."""
    for layer in model.nystromformer.encoder.layer:
        attention = layer.attention.self
        forward = attention.forward
        attention.forward = lambda x, mask=None, *rest, _f=forward, **more: _f(x, None)


def synchronize(args):
    if args.device == "cuda":
        torch.cuda.synchronize()


def peak_memory_bytes(args):
    if args.device == "cuda":
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def wait_for_the_machine(args):
    """With --turn FILE: says in FILE.ready that what comes next is timed, and waits for FILE."""
    if not args.turn:
        return
    pathlib.Path(f"{args.turn}.ready").touch()
    while not pathlib.Path(args.turn).exists():
        time.sleep(0.05)


def measure(args, model, step_model, optimizer, batch):
    batches = list(batches_of(args, batch))
    seconds, tokens = [], []
    for step in range(args.warmup + max(args.steps, len(batches))):
        ids, labels, real = batches[step % len(batches)]
        if step == args.warmup:
            wait_for_the_machine(args)
        synchronize(args)
        start = time.perf_counter()
        with torch.autocast(args.device, dtype=torch.bfloat16, enabled=args.precision == "bf16"):
            loss = step_model(input_ids=ids, labels=labels).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        synchronize(args)
        if step >= args.warmup:
            seconds.append(time.perf_counter() - start)
            tokens.append(real)
    median = statistics.median(seconds)
    return {"tokens_per_second": sum(tokens) / sum(seconds) if args.lengths else tokens[0] / median,
            "milliseconds_per_step": 1000 * median,
            "peak_memory_bytes": peak_memory_bytes(args),
            "loss": float(loss.detach())}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("vocabulary", 30000), ("hidden", 768), ("layers", 12), ("heads", 12),
                          ("intermediate", 3072), ("landmarks", 64), ("length", 512),
                          ("threads", 2), ("warmup", 1), ("steps", 3)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--attention", choices=("nystrom", "softmax", "sdpa", "longformer", "reformer"), default="nystrom")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--batch", type=lambda text: [int(n) for n in text.split(",")], default=[4],
                        help="rows of a batch, or several sizes, of which each is measured")
    parser.add_argument("--turn", metavar="FILE", help="begin to time when this file is there")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--lengths", type=lambda text: [int(n) for n in text.split(",")],
                        help="real tokens per row; rows are padded to --length")
    parser.add_argument("--memory", type=float, help="address space limit in GiB")
    args = parser.parse_args()
    if args.memory:
        resource.setrlimit(resource.RLIMIT_AS, (int(args.memory * 2**30),) * 2)
    transformers.logging.set_verbosity_error()
    torch.set_num_threads(args.threads)
    torch.manual_seed(1)
    model = model_of(args).to(args.device)
    step_model = torch.compile(model) if args.compile else model
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, **({"fused": True} if args.device == "cuda" else {}))
    versions = {"torch": torch.__version__, "transformers": transformers.__version__}
    if args.device == "cuda":
        versions["gpu"] = torch.cuda.get_device_name()
    for batch in args.batch:
        line = {"batch": batch} if len(args.batch) > 1 else {}
        try:
            line.update(measure(args, model, step_model, optimizer, batch))
        except torch.OutOfMemoryError:  # of the GPU alone
            line["problem"] = "out of memory"
            optimizer.zero_grad(set_to_none=True)
            torch.cuda.empty_cache()
        print(json.dumps({**line, **versions}), flush=True)


if __name__ == "__main__":
    main()
