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
import math
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


def softmax(a, b, seen=None):
    """Of logits a b^T / sqrt(D); where `seen` is given, counted so often."""
    logits = a @ b.transpose(-1, -2) / a.size(-1) ** 0.5
    return torch.softmax(logits if seen is None else logits + torch.log(seen.double()), -1)


def nystrom(q, k, v, c):
    m = c["landmarks"]
    if q.size(1) <= m:
        return softmax(q, k) @ v
    ql, kl = segment_means(q, m), segment_means(k, m)
    return (softmax(q, kl) @ pseudo_inverse(softmax(ql, kl), c["pinv_iterations"])) @ (softmax(ql, k) @ v)


def in_window(n, c):
    """[n, n]: which keys a token sees."""
    at = torch.arange(n)
    sees = (at[:, None] - at[None]).abs() <= c["window"] // 2
    if c["global_tokens"] == "first":
        sees[0], sees[:, 0] = True, True
    return sees


def positive_features(x, w):
    x = x / x.size(-1) ** 0.25
    return torch.exp(x @ w.transpose(-1, -2) - x.square().sum(-1, keepdim=True) / 2)


def kernel_attention(q, k, v):
    """Of features: weights q k^T, divided by their sum."""
    return q @ (k.transpose(-1, -2) @ v) / (q @ k.sum(1)[..., None])


def reformer(q, v, buckets, c):
    """buckets [r, H, n]. One softmax over all rounds: a pair counts as often as rounds show it."""
    n = q.size(1)
    keys = q / (q.square().sum(-1, keepdim=True) + 1e-6 * q.size(-1)).sqrt()
    place = torch.argsort(torch.argsort(buckets * n + torch.arange(n), -1), -1)
    chunk, count = place // c["chunk"], -(-n // c["chunk"])
    sees = (chunk[..., None] == chunk[..., None, :]) | ((chunk[..., None] - 1) % count == chunk[..., None, :])
    if n > 1:
        sees = sees & ~torch.eye(n, dtype=torch.bool)
    return softmax(q * q.size(-1) ** 0.5, keys, sees.sum(0)) @ v


def attention(q, k, v, own, layer_random, c):
    """Of one sequence: q, k, v [H, T, D] (q and k as far as the kind has them); own: the layer's parameters by the
    ends of their names."""
    n, kind = v.size(1), c["attention"]
    if kind == "nystrom":
        context = nystrom(q, k, v, c)
    elif kind == "softmax":
        context = softmax(q, k) @ v
    elif kind == "longformer":
        context = softmax(q, k, in_window(n, c)) @ v
    elif kind == "linformer":
        e = own["projection_key"][:, :, :n]
        f = own["projection_value"][:, :, :n] if c["projection_sharing"] == "none" else e
        context = softmax(q, e @ k) @ (f @ v)
    elif kind == "performer":
        w = layer_random["features"]
        context = kernel_attention(positive_features(q, w), positive_features(k, w), v)
    elif kind == "linear":
        context = kernel_attention(F.elu(q) + 1, F.elu(k) + 1, v)
    elif kind == "reformer":
        context = reformer(q, v, layer_random["buckets"][:, :, :n], c)
    else:
        context = v
    conv = own.get("conv.weight")
    if conv is not None:
        context = context + F.conv2d(v[None], conv, padding=(conv.size(2) // 2, 0), groups=conv.size(0))[0]
    return context


def turned(x):
    """Rotary positions: channels i and i + D / 2 by the angle p / 10000^(2 i / D)."""
    d = x.size(-1)
    angle = torch.arange(x.size(1))[:, None] / 10000 ** (torch.arange(0, d, 2) / d)
    a, b = x[..., :d // 2], x[..., d // 2:]
    return torch.cat([a * angle.cos() - b * angle.sin(), b * angle.cos() + a * angle.sin()], -1)


def sinusoids(n, width):
    angle = torch.arange(n)[:, None] / 10000 ** (torch.arange(width) // 2 * 2 / width)
    return torch.where(torch.arange(width) % 2 == 0, angle.sin(), angle.cos())


class Model:
    """The network over named weights: `w` of float64 tensors under transformers' names. random[layer]: `features`
    [H, m, D], or `buckets` [r, B, H, T], of the kinds that have them."""

    def __init__(self, w, c, random=None):
        self.w, self.c, self.random = w, c, random or [{}] * c["layers"]

    def linear(self, x, name):
        return F.linear(x, self.w[name + ".weight"], self.w[name + ".bias"])

    def norm(self, x, name):
        return F.layer_norm(x, x.shape[-1:], self.w[name + ".weight"], self.w[name + ".bias"], self.c["epsilon"])

    def activation(self, x):
        return F.gelu(x, approximate="none" if self.c["activation"] == "gelu" else "tanh")

    def attend(self, x, layer, sequence):
        name = f"nystromformer.encoder.layer.{layer}.attention.self."
        own = {key[len(name):]: weight for key, weight in self.w.items() if key.startswith(name)}
        heads = lambda part: self.linear(x, name + part).view(len(x), self.c["heads"], -1).transpose(0, 1)
        q, k, v = (heads(part) if part + ".weight" in own else None for part in ("query", "key", "value"))
        if self.c["positions"] == "rotary":
            q, k = (None if part is None else turned(part) for part in (q, k))
        random = {key: value[:, sequence] if key == "buckets" else value for key, value in self.random[layer].items()}
        context = attention(q, k, v, own, random, self.c).transpose(0, 1).reshape(len(x), -1)
        return self.linear(context, f"nystromformer.encoder.layer.{layer}.attention.output.dense")

    def feed_forward(self, x, layer):
        name = f"nystromformer.encoder.layer.{layer}."
        return self.linear(self.activation(self.linear(x, name + "intermediate.dense")), name + "output.dense")

    def block(self, x, layer, sequence):
        name = f"nystromformer.encoder.layer.{layer}."
        first, second = name + "attention.output.LayerNorm", name + "output.LayerNorm"
        if self.c["norm"] == "pre":
            x = x + self.attend(self.norm(x, first), layer, sequence)
            return x + self.feed_forward(self.norm(x, second), layer)
        x = self.norm(x + self.attend(x, layer, sequence), first)
        return self.norm(x + self.feed_forward(x, layer), second)

    def embed(self, ids, types):
        e = "nystromformer.embeddings."
        x = F.embedding(ids, self.w[e + "word_embeddings.weight"], padding_idx=self.c["pad"])  # no gradient of padding
        x = x + self.w[e + "token_type_embeddings.weight"][types]
        if self.c["positions"] == "learned":
            x = x + self.w[e + "position_embeddings.weight"][torch.arange(len(ids)) + POSITION_OFFSET]
        if self.c["positions"] == "row_column":
            at, width = torch.arange(len(ids)), self.c["picture_width"]
            x = x + self.w[e + "row_embeddings.weight"][at // width] + self.w[e + "column_embeddings.weight"][at % width]
        if self.c["positions"] == "sinusoidal":
            x = x + sinusoids(len(ids), x.size(-1))
        return self.norm(x, e + "LayerNorm") if self.c["embedding_norm"] else x

    def hidden_states(self, ids, types, sequence):
        """[layers + 1, T, C] of one sequence."""
        states = [self.embed(ids, types)]
        for layer in range(self.c["layers"]):
            states.append(self.block(states[-1], layer, sequence))
        return torch.stack(states)

    def output(self, states):
        """What a head sees."""
        return self.norm(states[-1], "nystromformer.encoder.final_norm") if self.c["norm"] == "pre" else states[-1]

    def token_logits(self, hidden):
        t = "cls.predictions.transform."
        x = self.norm(self.activation(self.linear(hidden, t + "dense")), t + "LayerNorm")
        return F.linear(x, self.w["nystromformer.embeddings.word_embeddings.weight"], self.w["cls.predictions.bias"])

    def order_logits(self, hidden):
        return self.linear(torch.tanh(self.linear(hidden[0], "nystromformer.pooler.dense")), "cls.seq_relationship")


def evaluate(model, batch):
    """Outputs by the names of a case, with gradients in the weights. Padding is zero."""
    longest = max(batch["lengths"])
    states = [model.hidden_states(batch["ids"][b][:t], batch["types"][b][:t], b)
              for b, t in enumerate(batch["lengths"])]
    last = [model.output(s) for s in states]
    pad = lambda x, dim: F.pad(x, [0, 0] * (x.dim() - 1 - dim) + [0, longest - x.size(dim)])
    logits = torch.stack([pad(model.token_logits(x), 0) for x in last])
    out = {"hidden_states": torch.stack([pad(s, 1) for s in states], 1), "logits": logits}
    out["mlm_loss"] = F.cross_entropy(logits.flatten(0, 1), batch["mlm_labels"].flatten(), ignore_index=-100)
    out["loss"] = out["mlm_loss"]
    if model.c["head"] == "pretraining":
        out["sop_logits"] = torch.stack([model.order_logits(x) for x in last])
        out["sop_loss"] = F.cross_entropy(out["sop_logits"], batch["sop_labels"])
        out["loss"] = out["mlm_loss"] + out["sop_loss"]
    else:
        del out["mlm_loss"]
    out["loss"].backward()
    return {name: value.detach() for name, value in out.items()}


# What config.json's object `nystrom` need not name.
NETWORK = dict(norm="post", embedding_norm=True, positions="learned", picture_width=None)
OPTIONS = dict(window=256, global_tokens="none", projection=256, projection_sharing="none", features=256, hashes=2,
               chunk=64)
OPTIONS_OF = dict(longformer=("window", "global_tokens"), linformer=("projection", "projection_sharing"),
                  performer=("features",), reformer=("hashes", "chunk"))


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
    c = NETWORK | OPTIONS | {key: value for key, value in own.items() if key in NETWORK or key in OPTIONS}
    c |= dict(head="pretraining" if pretraining else "masked_lm", attention=kind or own.get("kind", "nystrom"),
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


def draw_random(model, lengths, seed):
    """Features or buckets of each layer, which the case holds."""
    c, generator = model.c, torch.Generator().manual_seed(seed)
    width = model.w["nystromformer.embeddings.word_embeddings.weight"].size(1) // c["heads"]
    if c["attention"] == "performer":
        return [dict(features=torch.randn(c["heads"], c["features"], width, generator=generator).float().double())
                for _ in range(c["layers"])]
    if c["attention"] == "reformer":
        shape = (c["hashes"], len(lengths), c["heads"], max(lengths))
        return [dict(buckets=torch.randint(2, shape, generator=generator)) for _ in range(c["layers"])]
    return None


def write_case(args):
    import h5py
    model, vocabulary, positions = read_model(args.model, args.attention)
    lengths = [int(t) for t in args.lengths.split(",")]
    if min(lengths) < 1 or max(lengths) > positions:
        sys.exit(f"--lengths must be 1 to {positions}.")
    batch = random_batch(lengths, vocabulary, args.seed)
    model = Model(model.w, model.c, draw_random(model, lengths, args.seed))
    outputs = evaluate(model, batch)
    with h5py.File(args.case, "w") as file:
        file.attrs.update(head=model.c["head"], attention=model.c["attention"], num_landmarks=model.c["landmarks"],
                          pinv_iterations=model.c["pinv_iterations"], pinv_init="per_matrix", padding="exact",
                          **{key: model.c[key] for key in OPTIONS_OF.get(model.c["attention"], ())})
        for key in model.random[0]:
            values = torch.stack([layer[key] for layer in model.random]).numpy()
            file["random/" + key] = values.astype("i4" if key == "buckets" else "f8")
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
SELF_OPTIONS = dict(window=4, global_tokens="first", projection=3, projection_sharing="none", features=6, hashes=2,
                    chunk=3)
CASES = [("Nystrom attention with convolution", dict(attention="nystrom", landmarks=4, taps=5), [29, 13, 3]),
         ("Nystrom attention, convolution longer than a sequence", dict(attention="nystrom", landmarks=3, taps=17), [11, 7]),
         ("softmax attention without convolution", dict(attention="softmax", landmarks=4, taps=0), [17, 6]),
         ("longformer attention with a global token", dict(attention="longformer", taps=3), [13, 6, 1]),
         ("linformer attention", dict(attention="linformer", taps=0), [12, 3]),
         ("performer attention", dict(attention="performer", taps=3), [13, 5]),
         ("linear attention", dict(attention="linear", taps=0), [12, 3]),
         ("reformer attention", dict(attention="reformer", taps=3), [14, 3, 2]),
         ("no attention but the convolution", dict(attention="none", taps=5), [9, 3]),
         ("Nystrom attention, pre-norm and rotary positions",
          dict(attention="nystrom", landmarks=4, taps=0, norm="pre", embedding_norm=False, positions="rotary"), [11, 4]),
         ("softmax attention, positions by row and column",
          dict(attention="softmax", landmarks=4, taps=3, positions="row_column", picture_width=5), [13, 6])]


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


def self_shapes(c):
    shapes = {"nystromformer.embeddings.word_embeddings.weight": (VOCABULARY, HIDDEN)}
    if c["positions"] == "learned":
        shapes["nystromformer.embeddings.position_embeddings.weight"] = (POSITIONS + POSITION_OFFSET, HIDDEN)
    if c["positions"] == "row_column":
        shapes["nystromformer.embeddings.row_embeddings.weight"] = (-(-POSITIONS // c["picture_width"]), HIDDEN)
        shapes["nystromformer.embeddings.column_embeddings.weight"] = (c["picture_width"], HIDDEN)
    shapes["nystromformer.embeddings.token_type_embeddings.weight"] = (2, HIDDEN)
    linear = lambda name, to, of: shapes.update({name + ".weight": (to, of), name + ".bias": (to,)})
    norm = lambda name: shapes.update({name + ".weight": (HIDDEN,), name + ".bias": (HIDDEN,)})
    if c["embedding_norm"]:
        norm("nystromformer.embeddings.LayerNorm")
    parts = {"none": ("value",), "reformer": ("query", "value")}.get(c["attention"], ("query", "key", "value"))
    for layer in range(LAYERS):
        name = f"nystromformer.encoder.layer.{layer}."
        for part in parts:
            linear(f"{name}attention.self.{part}", HIDDEN, HIDDEN)
        if c["taps"]:
            shapes[name + "attention.self.conv.weight"] = (HEADS, 1, c["taps"], 1)
        if c["attention"] == "linformer":
            for part in ("key", "value"):
                shapes[f"{name}attention.self.projection_{part}"] = (HEADS, c["projection"], POSITIONS)
        linear(name + "attention.output.dense", HIDDEN, HIDDEN)
        norm(name + "attention.output.LayerNorm")
        linear(name + "intermediate.dense", INNER, HIDDEN)
        linear(name + "output.dense", HIDDEN, INNER)
        norm(name + "output.LayerNorm")
    if c["norm"] == "pre":
        norm("nystromformer.encoder.final_norm")
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
    return (values / 8 + (1 if name.lower().endswith("norm.weight") else 0)).float().double()


def self_random(c, lengths):
    """Features in [-2, 2), three buckets."""
    if c["attention"] == "performer":
        shape = (HEADS, c["features"], HIDDEN // HEADS)
        return [dict(features=2 * hashed(f"features {layer}", math.prod(shape)).reshape(shape))
                for layer in range(LAYERS)]
    if c["attention"] == "reformer":
        shape = (c["hashes"], len(lengths), HEADS, max(lengths))
        return [dict(buckets=((hashed(f"buckets {layer}", math.prod(shape)) + 1) * 1.5).long().reshape(shape))
                for layer in range(LAYERS)]
    return None


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
// Reference values of `nystrom verify --self`. Generated by launch/verify/make_case.py --self: do not edit.
// clang-format off

#include "launch/verify/self_case.h"

namespace nystrom::self_cases {
""")
    rows = []
    for number, (name, attention_of, lengths) in enumerate(CASES):
        c = NETWORK | SELF_OPTIONS | dict(head="pretraining", landmarks=4, pinv_iterations=6, layers=LAYERS, heads=HEADS,
                                          activation="gelu_new", epsilon=1e-5, pad=None) | attention_of
        weights = {n: self_weight(n, s).requires_grad_() for n, s in self_shapes(c).items()}
        model = Model(weights, c, self_random(c, lengths))
        out = evaluate(model, self_batch(lengths))
        hidden = torch.cat([out["hidden_states"][-1, b, :t] for b, t in enumerate(lengths)])
        print(f"inline constexpr std::int32_t kLengths{number}[] = {{{', '.join(map(str, lengths))}}};")
        print(f"inline constexpr double kHidden{number}[] = {{\n{numbers_text(hidden.flatten().tolist())}\n}};")
        print(f"inline constexpr GradientSum kGradients{number}[] = {{")
        for n, weight in model.w.items():
            along = (weight.grad.flatten() * hashed("along " + n, weight.numel())).sum()
            print(f'    {{"{n}", {weight.grad.norm().item():.11g}, {along.item():.11g}}},')
        print("};")
        network = {"rotary": "kPreNormRotary", "row_column": "kRowColumn"}.get(c["positions"], "kDefaultNetwork")
        rows.append(f'    {{"{name}", "{c["attention"]}", {c["landmarks"]}, {c["taps"]}, {network}, kLengths{number}, '
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
