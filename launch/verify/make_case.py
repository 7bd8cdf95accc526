#!/usr/bin/env python3
"""Writes reference values of a pretrained model, computed by PyTorch in float64 from the definition below.

usage: launch/verify/make_case.py MODEL CASE.h5 [--lengths 40,23,5] [--attention softmax] [--seed N]
       launch/verify/make_case.py --self > launch/verify/self_cases.h      (the cases of `nystrom verify --self`)

MODEL is a Hugging Face folder that `nystrom convert` wrote, with a masked language model or a pretraining head. Then
`nystrom verify MODEL CASE.h5 --gradients` compares. The definition is the whole encoder in plain PyTorch, one sequence at
a time on its real tokens alone; gradients are PyTorch's own. Needs torch, and for MODEL h5py and safetensors.
"""
import argparse
import json
import pathlib
import sys

import torch
import torch.nn.functional as F

POSITION_OFFSET = 2  # rows of the position table before position 0


# --- The definition ----------------------------------------------------------------------------------------------

def pseudo_inverse(a, iterations):
    """Third-order iteration towards the Moore-Penrose inverse of each a [H, M, M], scaled by its one-norm."""
    z = a.transpose(-1, -2) / a.sum(-2).amax(-1)[:, None, None]
    eye = torch.eye(a.size(-1), dtype=a.dtype)
    for _ in range(iterations):
        az = a @ z
        z = 0.25 * z @ (13 * eye - az @ (15 * eye - az @ (7 * eye - az)))
    return z


def segment_means(x, m):
    """Landmark j of x [H, T, D] is the mean of rows [floor(j T / m), floor((j + 1) T / m))."""
    t = x.size(1)
    return torch.stack([x[:, j * t // m:(j + 1) * t // m].mean(1) for j in range(m)], 1)


def attention(q, k, v, conv, c):
    """Of one sequence: q, k, v [H, T, D], conv [H, 1, K, 1] or None."""
    q, k = q / q.size(-1) ** 0.25, k / k.size(-1) ** 0.25
    softmax = lambda a, b: torch.softmax(a @ b.transpose(-1, -2), -1)
    m = c["landmarks"]
    if c["attention"] == "softmax" or q.size(1) <= m:
        context = softmax(q, k) @ v
    else:
        ql, kl = segment_means(q, m), segment_means(k, m)
        inverse = pseudo_inverse(softmax(ql, kl), c["pinv_iterations"])
        context = (softmax(q, kl) @ inverse) @ (softmax(ql, k) @ v)
    if conv is not None:
        context = context + F.conv2d(v[None], conv, padding=(conv.size(2) // 2, 0), groups=conv.size(0))[0]
    return context


class Model:
    """The network over named weights: `w` of float64 tensors under transformers' names."""

    def __init__(self, w, c):
        self.w, self.c = w, c

    def linear(self, x, name):
        return F.linear(x, self.w[name + ".weight"], self.w[name + ".bias"])

    def norm(self, x, name):
        return F.layer_norm(x, x.shape[-1:], self.w[name + ".weight"], self.w[name + ".bias"], self.c["epsilon"])

    def activation(self, x):
        return F.gelu(x, approximate="none" if self.c["activation"] == "gelu" else "tanh")

    def block(self, x, layer):
        name = f"nystromformer.encoder.layer.{layer}."
        heads = lambda y: y.view(len(y), self.c["heads"], -1).transpose(0, 1)
        q, k, v = (heads(self.linear(x, f"{name}attention.self.{part}")) for part in ("query", "key", "value"))
        context = attention(q, k, v, self.w.get(name + "attention.self.conv.weight"), self.c)
        context = context.transpose(0, 1).reshape(len(x), -1)
        x = self.norm(x + self.linear(context, name + "attention.output.dense"), name + "attention.output.LayerNorm")
        inner = self.activation(self.linear(x, name + "intermediate.dense"))
        return self.norm(x + self.linear(inner, name + "output.dense"), name + "output.LayerNorm")

    def hidden_states(self, ids, types):
        """[layers + 1, T, C] of one sequence."""
        e = "nystromformer.embeddings."
        positions = torch.arange(len(ids)) + POSITION_OFFSET
        words = F.embedding(ids, self.w[e + "word_embeddings.weight"], padding_idx=self.c["pad"])  # no gradient of padding
        x = words + self.w[e + "position_embeddings.weight"][positions]
        states = [self.norm(x + self.w[e + "token_type_embeddings.weight"][types], e + "LayerNorm")]
        for layer in range(self.c["layers"]):
            states.append(self.block(states[-1], layer))
        return torch.stack(states)

    def token_logits(self, hidden):
        t = "cls.predictions.transform."
        x = self.norm(self.activation(self.linear(hidden, t + "dense")), t + "LayerNorm")
        return F.linear(x, self.w["nystromformer.embeddings.word_embeddings.weight"], self.w["cls.predictions.bias"])

    def order_logits(self, hidden):
        return self.linear(torch.tanh(self.linear(hidden[0], "nystromformer.pooler.dense")), "cls.seq_relationship")


def evaluate(model, batch):
    """Outputs by the names of a case, with gradients in the weights. Padding is zero."""
    longest = max(batch["lengths"])
    states = [model.hidden_states(batch["ids"][b][:t], batch["types"][b][:t]) for b, t in enumerate(batch["lengths"])]
    pad = lambda x, dim: F.pad(x, [0, 0] * (x.dim() - 1 - dim) + [0, longest - x.size(dim)])
    logits = torch.stack([pad(model.token_logits(s[-1]), 0) for s in states])
    out = {"hidden_states": torch.stack([pad(s, 1) for s in states], 1), "logits": logits}
    out["mlm_loss"] = F.cross_entropy(logits.flatten(0, 1), batch["mlm_labels"].flatten(), ignore_index=-100)
    out["loss"] = out["mlm_loss"]
    if model.c["head"] == "pretraining":
        out["sop_logits"] = torch.stack([model.order_logits(s[-1]) for s in states])
        out["sop_loss"] = F.cross_entropy(out["sop_logits"], batch["sop_labels"])
        out["loss"] = out["mlm_loss"] + out["sop_loss"]
    else:
        del out["mlm_loss"]
    out["loss"].backward()
    return {name: value.detach() for name, value in out.items()}


# --- A case file of a model --------------------------------------------------------------------------------------

def read_model(folder, kind):
    import safetensors.torch
    config = json.loads((folder / "config.json").read_text())
    own = config.get("nystrom", {})
    raw = {}
    for file in sorted(folder.glob("*.safetensors")):
        raw |= safetensors.torch.load_file(file)
    pretraining = "cls.seq_relationship.weight" in raw
    if "cls.predictions.transform.dense.weight" not in raw:
        sys.exit(f"{folder} has no head of a language model.")
    c = dict(head="pretraining" if pretraining else "masked_lm", attention=kind or own.get("kind", "nystrom"),
             landmarks=own.get("landmarks", config["num_landmarks"]), pinv_iterations=own.get("pinv_iterations", 6),
             layers=config["num_hidden_layers"], heads=config["num_attention_heads"],
             activation=config["hidden_act"], epsilon=config["layer_norm_eps"], pad=config.get("pad_token_id"))
    tied = ("cls.predictions.decoder.weight", "cls.predictions.decoder.bias")
    no_convolution = own.get("convolution", 1) == 0
    w = {name: value.double().requires_grad_() for name, value in raw.items()
         if name not in tied and not name.endswith("_ids") and not (no_convolution and name.endswith("conv.weight"))}
    return Model(w, c), config["vocab_size"], config["max_position_embeddings"]


def random_batch(lengths, vocabulary, seed):
    generator = torch.Generator().manual_seed(seed)
    longest = max(lengths)
    draw = lambda high, *shape: torch.randint(high, shape, generator=generator)
    real = torch.arange(longest)[None] < torch.tensor(lengths)[:, None]
    second = torch.arange(longest)[None] >= torch.tensor(lengths)[:, None] // 2
    chosen = real & (torch.rand(real.shape, generator=generator) < 0.2)
    chosen[:, 0] = True
    return dict(lengths=lengths, real=real, ids=draw(vocabulary, *real.shape) * real, types=(real & second).long(),
                mlm_labels=torch.where(chosen, draw(vocabulary, *real.shape), -100), sop_labels=draw(2, len(lengths)))


def write_case(args):
    import h5py
    model, vocabulary, positions = read_model(args.model, args.attention)
    lengths = [int(t) for t in args.lengths.split(",")]
    if min(lengths) < 1 or max(lengths) > positions:
        sys.exit(f"--lengths must be 1 to {positions}.")
    batch = random_batch(lengths, vocabulary, args.seed)
    outputs = evaluate(model, batch)
    with h5py.File(args.case, "w") as file:
        file.attrs.update(head=model.c["head"], attention=model.c["attention"], num_landmarks=model.c["landmarks"],
                          pinv_iterations=model.c["pinv_iterations"], pinv_init="per_matrix", padding="exact")
        inputs = dict(input_ids=batch["ids"], attention_mask=batch["real"], token_type_ids=batch["types"],
                      mlm_labels=batch["mlm_labels"])
        if model.c["head"] == "pretraining":
            inputs["sop_labels"] = batch["sop_labels"]
        for name, value in inputs.items():
            file["inputs/" + name] = value.numpy().astype("i4")
        for name, value in outputs.items():
            file["outputs/" + name] = value.numpy()
        for name, weight in model.w.items():
            gradient = weight.grad if weight.grad is not None else torch.zeros_like(weight)
            file["gradients/" + name] = gradient.numpy()
    print(f"{args.case}: {len(outputs)} outputs and {len(model.w)} gradients, loss {outputs['loss'].item():.9f}")


# --- The cases of `nystrom verify --self` ------------------------------------------------------------------------

VOCABULARY, HIDDEN, INNER, POSITIONS, LAYERS, HEADS = 23, 8, 12, 32, 2, 2
CASES = [("Nystrom attention with convolution", dict(attention="nystrom", landmarks=4, taps=5), [29, 13, 3]),
         ("Nystrom attention, convolution longer than a sequence", dict(attention="nystrom", landmarks=3, taps=17), [11, 7]),
         ("softmax attention without convolution", dict(attention="softmax", landmarks=4, taps=0), [17, 6])]


def hashed(name, count):
    """Numbers in [-1, 1) that are exact in fp32: a hash of a name and 0 .. count - 1. As in self_check.cpp."""
    seed = 2166136261
    for byte in name.encode():
        seed = (seed ^ byte) * 16777619 % 2**32
    numbers = []
    for i in range(count):
        x = (seed + i * 0x9E3779B9) % 2**32
        x = (x ^ x >> 16) * 0x85EBCA6B % 2**32
        x = (x ^ x >> 13) * 0xC2B2AE35 % 2**32
        x ^= x >> 16
        numbers.append((x >> 8) / 2**23 - 1)
    return torch.tensor(numbers, dtype=torch.float64)


def self_shapes(taps):
    shapes = {"nystromformer.embeddings.word_embeddings.weight": (VOCABULARY, HIDDEN),
              "nystromformer.embeddings.position_embeddings.weight": (POSITIONS + POSITION_OFFSET, HIDDEN),
              "nystromformer.embeddings.token_type_embeddings.weight": (2, HIDDEN)}
    linear = lambda name, to, of: shapes.update({name + ".weight": (to, of), name + ".bias": (to,)})
    norm = lambda name: shapes.update({name + ".weight": (HIDDEN,), name + ".bias": (HIDDEN,)})
    norm("nystromformer.embeddings.LayerNorm")
    for layer in range(LAYERS):
        name = f"nystromformer.encoder.layer.{layer}."
        for part in ("query", "key", "value"):
            linear(f"{name}attention.self.{part}", HIDDEN, HIDDEN)
        if taps:
            shapes[name + "attention.self.conv.weight"] = (HEADS, 1, taps, 1)
        linear(name + "attention.output.dense", HIDDEN, HIDDEN)
        norm(name + "attention.output.LayerNorm")
        linear(name + "intermediate.dense", INNER, HIDDEN)
        linear(name + "output.dense", HIDDEN, INNER)
        norm(name + "output.LayerNorm")
    linear("nystromformer.pooler.dense", HIDDEN, HIDDEN)
    shapes["cls.predictions.bias"] = (VOCABULARY,)
    linear("cls.predictions.transform.dense", HIDDEN, HIDDEN)
    norm("cls.predictions.transform.LayerNorm")
    linear("cls.seq_relationship", 2, HIDDEN)
    return shapes


def self_weight(name, shape):
    """Matrices in [-1, 1), vectors in [-1/8, 1/8), around 1 where they scale; rounded to fp32."""
    values = hashed(name, int(torch.tensor(shape).prod())).reshape(shape)
    if len(shape) > 1:
        return values
    return (values / 8 + (1 if name.endswith("LayerNorm.weight") else 0)).float().double()


def self_batch(lengths):
    longest = max(lengths)
    draw = lambda name, high: (hashed(name, len(lengths) * longest).reshape(-1, longest) + 1).mul(high / 2).long()
    at = torch.arange(longest)[None]
    end = torch.tensor(lengths)[:, None]
    return dict(lengths=lengths, ids=draw("ids", VOCABULARY), types=(2 * at >= end).long(),
                mlm_labels=torch.where((at < end) & (at % 3 == 1), draw("labels", VOCABULARY), -100),
                sop_labels=torch.arange(len(lengths)) % 2)


def numbers_text(values):
    lines, line = [], "   "
    for value in values:
        text = f" {value:.11g},"
        if len(line) + len(text) > 108:
            lines.append(line)
            line = "   "
        line += text
    return "\n".join(lines + [line])


def print_self_cases():
    print("""#pragma once
// Reference values of `nystrom verify --self`. Made by launch/verify/make_case.py --self: do not edit.
// clang-format off

#include "launch/verify/self_case.h"

namespace nystrom::self_cases {
""")
    rows = []
    for number, (name, attention_of, lengths) in enumerate(CASES):
        c = dict(head="pretraining", pinv_iterations=6, layers=LAYERS, heads=HEADS, activation="gelu_new", epsilon=1e-5,
                 pad=None, **attention_of)
        model = Model({n: self_weight(n, s).requires_grad_() for n, s in self_shapes(c["taps"]).items()}, c)
        out = evaluate(model, self_batch(lengths))
        hidden = torch.cat([out["hidden_states"][-1, b, :t] for b, t in enumerate(lengths)])
        print(f"inline constexpr std::int32_t kLengths{number}[] = {{{', '.join(map(str, lengths))}}};")
        print(f"inline constexpr double kHidden{number}[] = {{\n{numbers_text(hidden.flatten().tolist())}\n}};")
        print(f"inline constexpr GradientSum kGradients{number}[] = {{")
        for n, weight in model.w.items():
            along = (weight.grad.flatten() * hashed("along " + n, weight.numel())).sum()
            print(f'    {{"{n}", {weight.grad.norm().item():.11g}, {along.item():.11g}}},')
        print("};")
        rows.append(f'    {{"{name}", "{c["attention"]}", {c["landmarks"]}, {c["taps"]}, kLengths{number}, '
                    f'{out["mlm_loss"].item():.11g},\n     {out["sop_loss"].item():.11g}, kHidden{number}, '
                    f'kGradients{number}}},')
    print("\ninline constexpr SelfCase kAll[] = {\n" + "\n".join(rows) + "\n};\n\n}  // namespace nystrom::self_cases")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", type=pathlib.Path)
    parser.add_argument("case", nargs="?", type=pathlib.Path)
    parser.add_argument("--self", action="store_true", dest="own", help="print self_cases.h")
    parser.add_argument("--lengths", default="40,23,5", help="tokens of each sequence (default: %(default)s)")
    parser.add_argument("--attention", choices=("nystrom", "softmax"), help="default: the model's")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    if args.own:
        print_self_cases()
    elif args.model and args.case:
        write_case(args)
    else:
        parser.error("name a model and a case, or --self")


if __name__ == "__main__":
    main()
