"""Nystromformer for transformers, as this model was trained (`trust_remote_code=True`).

transformers' own Nystrom path takes one sequence length, no padding, and one pseudo-inverse scale for a whole batch.
Here any length works, padding takes part in nothing, and a sequence's output does not depend on its neighbours in the
batch. The object `nystrom` of config.json names the kind of attention and the options of the network around it; heads
and losses are transformers' own code.

Notation: B sequences of T tokens (padding included), H heads of D channels, n real tokens in a sequence. Each kind of
attention is a class below with its formula. In all of them a depthwise convolution of V is added where there is one.

`attention_mask` [B, T] has one run of ones a sequence: padding at the right, at the left, or none. `position_ids`
count from 2, as transformers' Nystromformer has it. There is no branch on data, so that torch.compile and
torch.onnx.export see one graph.
"""

from typing import NamedTuple, Optional, Tuple

import torch
from torch import nn
from torch.nn import functional
from transformers import NystromformerConfig
from transformers.modeling_outputs import BaseModelOutput, SequenceClassifierOutput
from transformers.models.nystromformer import modeling_nystromformer as hf

POSITION_OFFSET = 2  # rows of the position table before position 0, as in RoBERTa

# What `nystrom` of config.json does not name.
DEFAULTS = {
    "kind": "nystrom", "padding": "exact", "convolution": 1, "pinv_iterations": 6, "pinv_init": "per_matrix",
    "window": 256, "global_tokens": "none", "projection": 256, "projection_sharing": "none", "features": 256,
    "hashes": 2, "chunk": 64,
    "norm": "post", "embedding_norm": True, "positions": "learned", "pooling": "first", "classifier": "activation",
}  # fmt: skip


def options_of(config):
    own = DEFAULTS | {"landmarks": config.num_landmarks} | (getattr(config, "nystrom", None) or {})
    if own["kind"] not in ATTENTION:
        raise ValueError(f"config.json: nystrom.kind is {own['kind']!r}; this file knows {', '.join(ATTENTION)}.")
    return own


class Tokens(NamedTuple):
    """What a layer knows of the batch besides its hidden states."""

    real: torch.Tensor  # [B, T] bool: no padding
    rows: torch.Tensor  # [B, T] bool: taken for text; all with `padding: huggingface`, else `real`
    positions: torch.Tensor  # [B, T] from 0
    longest: int  # positions are below it
    turn: Optional[Tuple[torch.Tensor, torch.Tensor]]  # cosine and sine [B, 1, T, D / 2] of rotary positions


def statistics(x):
    """The type of softmaxes and sums over tokens."""
    return torch.float64 if x.dtype == torch.float64 else torch.float32


def waves(positions, width):
    """Cosine and sine [B, T, width / 2] of p / 10000^(2 i / width)."""
    channels = torch.arange(0, width, 2, dtype=torch.float64, device=positions.device)
    angles = positions.double()[..., None] * 10000.0 ** (-channels / width)
    return angles.cos(), angles.sin()


def turned(x, turn):
    """Rotary positions of x [B, H, T, D]: channels i and i + D / 2 are a pair."""
    cos, sin = (wave.to(x.dtype) for wave in turn)
    a, b = x.chunk(2, -1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), -1)


def padded_to(x, rows, axis):
    """x with zeros (or False) behind its end, up to `rows` along the negative axis."""
    return functional.pad(x, (0, 0) * (-1 - axis) + (0, rows - x.size(axis)))


class NystromSelfAttention(nn.Module):
    """Projections and convolution around `attend`, which each kind of attention defines."""

    projections = ("query", "key", "value")
    in_fp32 = True  # all of `attend`, also where activations are bf16

    def __init__(self, config, own):
        super().__init__()
        self.heads, self.width = config.num_attention_heads, config.hidden_size // config.num_attention_heads
        self.scale = self.width**-0.5
        for name in self.projections:
            setattr(self, name, nn.Linear(config.hidden_size, config.hidden_size))
        self.dropout = nn.Dropout(config.attention_probs_dropout_prob)
        taps = config.conv_kernel_size or 1
        self.conv = nn.Conv2d(self.heads, self.heads, (taps, 1), padding=(taps // 2, 0), bias=False, groups=self.heads)
        self.convolves = own["convolution"] != 0  # none is stored as one tap of zero, which transformers needs

    def forward(self, hidden_states, tokens):
        batch, length, _ = hidden_states.shape
        projected = {
            name: getattr(self, name)(hidden_states).view(batch, length, -1, self.width).transpose(1, 2)
            for name in self.projections
        }
        values = projected.pop("value")
        values = values * tokens.rows[:, None, :, None].to(values.dtype)
        if tokens.turn is not None:
            projected = {name: turned(x, tokens.turn) for name, x in projected.items()}
        with torch.autocast(values.device.type, enabled=torch.is_autocast_enabled() and not self.in_fp32):
            dtype = statistics(values) if self.in_fp32 else values.dtype
            context = self.attend(*(x.to(dtype) for x in projected.values()), values.to(dtype), tokens)
        context = context.to(values.dtype)
        if self.convolves:
            context = context + self.conv(values)
        return context.transpose(1, 2).reshape(batch, length, -1)


class SoftmaxAttention(NystromSelfAttention):
    """softmax(Q K^T / sqrt(D)) V"""

    in_fp32 = False

    def attend(self, q, k, v, tokens):
        scores = (q * self.scale) @ k.transpose(-1, -2)
        scores = scores.masked_fill(~tokens.real[:, None, None], torch.finfo(q.dtype).min)
        return self.dropout(scores.softmax(-1, dtype=statistics(q)).to(v.dtype)) @ v


def pseudo_inverse(a, iterations, batch_max=False):
    """Moore-Penrose inverse of softmax matrices a [..., M, M] by Razavi et al.'s third-order iteration, in fp32."""
    one_norm = a.sum(-2).amax(-1)[..., None, None]  # rows sum to 1, so the infinity norm is 1
    z = a.transpose(-1, -2) / (one_norm.max() if batch_max else one_norm)
    eye = torch.eye(a.size(-1), dtype=a.dtype, device=a.device)
    for _ in range(iterations):
        az = a @ z
        z = 0.25 * z @ (13 * eye - az @ (15 * eye - az @ (7 * eye - az)))
    return z


def landmark_weights(keep, landmarks, dtype):
    """Averaging matrix [B, M, T], landmarks in use [B, 1], and which sequences are exact [B, 1].

    Where a sequence has at most M tokens, each token is its own landmark and the rest are unused (rows of zeros).
    """
    index = keep.long().cumsum(-1) - 1  # of a token among the real ones
    tokens = keep.long().sum(-1, keepdim=True).clamp(min=1)
    # The last j with floor(j n / M) <= i, that is j < (i + 1) M / n.
    segment = torch.where(tokens <= landmarks, index, ((index + 1) * landmarks + tokens - 1) // tokens - 1)
    member = (segment[:, None] == torch.arange(landmarks, device=keep.device)[:, None]) & keep[:, None]
    weights = member.to(dtype)
    return weights / weights.sum(-1, keepdim=True).clamp(min=1), tokens.clamp(max=landmarks), tokens <= landmarks


class NystromAttention(NystromSelfAttention):
    """Attention through M landmarks (Xiong et al., AAAI 2021, arXiv 2102.03902). For a sequence of n tokens

    n <= M:     context = softmax(Q K^T / sqrt(D)) V
    otherwise:  landmark j is the mean of queries (keys) floor(j n / M) <= i < floor((j + 1) n / M);
                context = softmax(Q Kl^T / sqrt(D)) pinv(softmax(Ql Kl^T / sqrt(D))) softmax(Ql K^T / sqrt(D)) V
    """

    def __init__(self, config, own):
        super().__init__(config, own)
        self.landmarks, self.iterations = own["landmarks"], own["pinv_iterations"]
        self.batch_max = own["pinv_init"] == "batch_max"  # one scale for the whole batch
        self.padding_is_text = own["padding"] == "huggingface"  # masked in softmaxes over keys alone

    def attend(self, q, k, v, tokens):
        q, lowest = q * self.scale, torch.finfo(q.dtype).min
        means, used, exact = landmark_weights(tokens.rows, self.landmarks, q.dtype)
        means, exact = means[:, None], exact[:, None, None]  # over heads
        q_landmarks, k_landmarks = means @ q, means @ k
        unused = (torch.arange(self.landmarks, device=q.device) >= used)[:, None, None]  # [B, 1, 1, M]
        kernel_1 = (q @ k_landmarks.transpose(-1, -2)).masked_fill(unused, lowest).softmax(-1)
        kernel_2 = (q_landmarks @ k_landmarks.transpose(-1, -2)).softmax(-1)
        kernel_3 = (q_landmarks @ k.transpose(-1, -2)).masked_fill(~tokens.real[:, None, None], lowest).softmax(-1)
        eye = torch.eye(self.landmarks, dtype=q.dtype, device=q.device)
        inverse = pseudo_inverse(torch.where(exact, eye, kernel_2), self.iterations, self.batch_max)
        # An exact sequence's landmarks are its tokens, so kernel 1 is its softmax and meets the values themselves.
        if self.padding_is_text:  # ... but for the padding among its keys
            masked = (means @ tokens.real[:, None, :, None].to(q.dtype)).squeeze(-1)[:, :, None] == 0
            kernel_1 = torch.where(exact, kernel_1.masked_fill(masked, 0.0), kernel_1)
            kernel_1 = torch.where(exact, kernel_1 / kernel_1.sum(-1, keepdim=True), kernel_1)
        return kernel_1 @ torch.where(exact, means @ v, inverse @ (kernel_3 @ v))


class LongformerAttention(NystromSelfAttention):
    """Softmax attention to the tokens at most w / 2 away; with `global_tokens: first` token 0 sees all, and all see it.

    In blocks of w / 2 queries, which see their own block of keys and its two neighbours: linear in T. (Beltagy et al.,
    arXiv 2004.05150)
    """

    def __init__(self, config, own):
        super().__init__(config, own)
        self.reach, self.has_global = own["window"] // 2, own["global_tokens"] == "first"

    def attend(self, q, k, v, tokens):
        q, lowest, length, block = q * self.scale, torch.finfo(q.dtype).min, q.size(2), max(self.reach, 1)
        blocks = (length + block - 1) // block
        first = tokens.real & (tokens.real.long().cumsum(-1) == 1)  # [B, T]
        seen = tokens.real & ~first if self.has_global else tokens.real

        def in_blocks(x):  # [..., T, E] to [..., blocks, block, E]
            return padded_to(x, blocks * block, -2).unflatten(-2, (blocks, block))

        def around(x):  # [..., T, E] to [..., blocks, 3 block, E]
            x = functional.pad(in_blocks(x), (0, 0, 0, 0, 1, 1))
            return torch.cat((x[..., :-2, :, :], x[..., 1:-1, :, :], x[..., 2:, :, :]), -2)

        apart = torch.arange(3 * block, device=q.device) - block - torch.arange(block, device=q.device)[:, None]
        visible = (apart.abs() <= self.reach) & around(seen[:, None, :, None]).transpose(-1, -2)
        scores = (in_blocks(q) @ around(k).transpose(-1, -2)).masked_fill(~visible, lowest)
        if not self.has_global:
            return (self.dropout(scores.softmax(-1)) @ around(v)).flatten(2, 3)[:, :, :length]
        at_first = first[:, None, :, None].to(q.dtype)
        q_first, k_first, v_first = ((at_first * x).sum(2, keepdim=True) for x in (q, k, v))
        to_first = in_blocks(q @ k_first.transpose(-1, -2))  # [B, H, blocks, block, 1]
        weights = self.dropout(torch.cat((scores, to_first), -1).softmax(-1))
        context = weights[..., :-1] @ around(v) + weights[..., -1:] * v_first[:, :, None]
        from_first = (q_first @ k.transpose(-1, -2)).masked_fill(~tokens.real[:, None, None], lowest).softmax(-1)
        return torch.where(first[:, None, :, None], self.dropout(from_first) @ v, context.flatten(2, 3)[:, :, :length])


class LinformerAttention(NystromSelfAttention):
    """softmax(Q K~^T / sqrt(D)) V~ with k~_r = sum_j E[r, p_j] k_j and v~_r = sum_j F[r, p_j] v_j, p_j the position.

    (Wang et al., arXiv 2006.04768)
    """

    def __init__(self, config, own):
        super().__init__(config, own)
        shape = (self.heads, own["projection"], config.max_position_embeddings)
        shared = own["projection_sharing"] == "kv"
        for name in ("projection_key",) if shared else ("projection_key", "projection_value"):
            setattr(self, name, nn.Parameter(torch.randn(shape) * own["projection"] ** -0.5))
        self.name_of_value = "projection_key" if shared else "projection_value"

    def attend(self, q, k, v, tokens):
        at = (tokens.positions * tokens.real)[:, None, :, None].expand_as(k)
        real = tokens.real[:, None, :, None].to(k.dtype)

        def projected(x, name):  # rows of x at their positions, then the sum over positions
            rows = x.new_zeros(x.size(0), x.size(1), tokens.longest, x.size(3)).scatter_add(2, at, x * real)
            return getattr(self, name)[:, :, : tokens.longest].to(x.dtype) @ rows

        scores = (q * self.scale) @ projected(k, "projection_key").transpose(-1, -2)
        return scores.softmax(-1) @ projected(v, self.name_of_value)


class PerformerAttention(NystromSelfAttention):
    """FAVOR+: phi(q)^T sum_j phi(k_j) v_j^T / phi(q)^T sum_j phi(k_j), phi_r(x) = exp(w_r x^ - |x^|^2 / 2), x^ = x / D^1/4.

    It is a softmax over the keys for each feature, and one over the features for each query, so nothing overflows.
    `features` w [H, m, D] are those that nystrom evaluates the model with. (Choromanski et al., arXiv 2009.14794)
    """

    def __init__(self, config, own):
        super().__init__(config, own)
        self.register_buffer("features", torch.randn(self.heads, own["features"], self.width))

    def attend(self, q, k, v, tokens):
        features = self.features.to(q.dtype).transpose(-1, -2)
        q, k = q * self.scale**0.5, k * self.scale**0.5
        keys = k @ features - 0.5 * k.square().sum(-1, keepdim=True)  # [B, H, T, m]
        keys = keys.masked_fill(~tokens.real[:, None, :, None], torch.finfo(q.dtype).min)
        values = keys.softmax(2).transpose(-1, -2) @ v  # [B, H, m, D]
        return (q @ features + keys.logsumexp(2, keepdim=True)).softmax(-1) @ values


class LinearAttention(NystromSelfAttention):
    """sum_j (phi(q_i) phi(k_j)) v_j / sum_j phi(q_i) phi(k_j), phi = elu + 1 (Katharopoulos et al., arXiv 2006.16236)"""

    @staticmethod
    def phi(x):  # elu(x) + 1 would round e^x to a multiple of 1's rounding
        return torch.where(x > 0, x + 1, x.clamp(max=0).exp())

    def attend(self, q, k, v, tokens):
        q, k = self.phi(q), self.phi(k) * tokens.real[:, None, :, None].to(k.dtype)
        total = q @ k.sum(2)[..., None]  # [B, H, T, 1]
        return q @ (k.transpose(-1, -2) @ v) / total.clamp(min=torch.finfo(q.dtype).tiny)


class ReformerAttention(NystromSelfAttention):
    """Softmax attention within chunks of c tokens that hash alike (Kitaev et al., ICLR 2020, arXiv 2001.04451).

    k_j = q_j / (|q_j|^2 + 10^-6 D)^1/2, logits q_i k_j. In each round the tokens are sorted by (bucket, index) and cut
    into chunks; a token sees its own chunk and the one before it (before the first: the last), not itself unless n = 1.
    The rounds are one softmax, in which a token counts as often as it is seen. `rotations` R [r, H, ., D] are those that
    nystrom evaluates the model with; in training each batch is hashed again.
    """

    projections = ("query", "value")

    def __init__(self, config, own):
        super().__init__(config, own)
        self.chunk = own["chunk"]
        most = max(config.max_position_embeddings // self.chunk, 1)
        rotations = 1 << (most.bit_length() - 1)  # half the buckets of the longest sequence
        self.register_buffer("rotations", torch.randn(own["hashes"], self.heads, rotations, self.width))

    def buckets(self, q, tokens):
        """[B, H, r, T]: argmax over (R q, -R q), R the first b / 2 rows, the largest power of 2 up to floor(n / c)."""
        rotations = torch.randn_like(self.rotations) if self.training else self.rotations
        x = q[:, :, None] @ rotations.to(q.dtype).permute(1, 0, 3, 2)
        needs = [1 << row.bit_length() for row in range(x.size(-1))]  # floor(n / c) from which b / 2 is above a row
        whole = (tokens.real.long().sum(-1) // self.chunk).clamp(min=1)  # [B]
        unused = torch.tensor(needs, device=q.device) > whole[:, None]
        lowest = torch.finfo(q.dtype).min
        return torch.cat([y.masked_fill(unused[:, None, None, None], lowest) for y in (x, -x)], -1).argmax(-1)

    def attend(self, q, v, tokens):
        chunk, length, lowest = self.chunk, q.size(2), torch.finfo(q.dtype).min
        chunks = (length + chunk - 1) // chunk
        k = q * (q.square().sum(-1, keepdim=True) + 1e-6 * self.width).rsqrt()
        count = tokens.real.long().sum(-1)[:, None, None, None]  # [B, 1, 1, 1]
        column = torch.arange(length, device=q.device)
        key = self.buckets(q.detach(), tokens) * length + column
        order = key.masked_fill(~tokens.real[:, None, None], torch.iinfo(key.dtype).max).argsort(-1)  # [B, H, r, T]
        last = ((count - 1).clamp(min=0) // chunk)[..., None, None]  # the last chunk that holds tokens

        def in_chunks(x):  # [B, H, T, E], sorted: [B, H, r, chunks, chunk, E]
            rows = x[:, :, None].expand(-1, -1, order.size(2), -1, -1)
            rows = rows.gather(3, order[..., None].expand(-1, -1, -1, -1, x.size(-1)))
            return padded_to(rows, chunks * chunk, -2).unflatten(3, (chunks, chunk))

        def with_previous(x):  # [B, H, r, chunks, chunk, E] to [..., 2 chunk, E]
            before_first = x.gather(3, last.expand(-1, x.size(1), x.size(2), 1, chunk, x.size(-1)))
            return torch.cat((torch.cat((before_first, x[:, :, :, :-1]), 3), x), 4)

        place = torch.arange(2 * chunk, device=q.device)
        start = torch.arange(chunks, device=q.device)[:, None] * chunk  # of a chunk among the sorted tokens
        own = (place >= chunk) & (start + place - chunk < count)  # [B, 1, chunks, 2 chunk]
        before = torch.where(start > 0, start - chunk, last[..., 0, 0] * chunk)  # where the chunk before it starts
        previous = (place < chunk) & (count > chunk) & (before + place < count)
        itself = (place - chunk == torch.arange(chunk, device=q.device)[:, None]) & (count > 1)[..., None]
        visible = (own | previous)[:, :, :, None] & ~itself  # [B, 1, chunks, chunk, 2 chunk]
        scores = in_chunks(q) @ with_previous(in_chunks(k)).transpose(-1, -2)
        scores = scores.masked_fill(~visible[:, None], lowest)
        context = scores.softmax(-1) @ with_previous(in_chunks(v))
        rank = order.argsort(-1)[..., None]  # where a token went

        def in_order(x):  # [B, H, r, chunks, chunk, E] to [B, H, r, T, E]
            return x.flatten(3, 4).gather(3, rank.expand(-1, -1, -1, -1, x.size(-1)))

        share = in_order(scores.logsumexp(-1, keepdim=True)).softmax(2)  # of a round
        return (share * in_order(context)).sum(2)


class NoAttention(NystromSelfAttention):
    """The values themselves: the convolution alone mixes tokens."""

    projections = ("value",)

    def attend(self, v, tokens):
        return v


ATTENTION = {
    "nystrom": NystromAttention, "softmax": SoftmaxAttention, "longformer": LongformerAttention,
    "linformer": LinformerAttention, "performer": PerformerAttention, "linear": LinearAttention,
    "reformer": ReformerAttention, "none": NoAttention,
}  # fmt: skip


class NystromEmbeddings(nn.Module):
    def __init__(self, config, own):
        super().__init__()
        width, positions = config.hidden_size, own["positions"]
        self.word_embeddings = nn.Embedding(config.vocab_size, width, padding_idx=config.pad_token_id)
        self.token_type_embeddings = nn.Embedding(config.type_vocab_size, width)
        if positions == "learned":
            self.position_embeddings = nn.Embedding(config.max_position_embeddings + POSITION_OFFSET, width)
        if positions == "row_column":
            self.picture_width = own["picture_width"]
            rows = -(-config.max_position_embeddings // self.picture_width)
            self.row_embeddings = nn.Embedding(rows, width)
            self.column_embeddings = nn.Embedding(self.picture_width, width)
        self.position_kind = positions
        self.LayerNorm = nn.LayerNorm(width, eps=config.layer_norm_eps) if own["embedding_norm"] else nn.Identity()
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def forward(self, embedded, token_type_ids, positions):
        x = embedded + self.token_type_embeddings(token_type_ids)
        if self.position_kind == "learned":
            x = x + self.position_embeddings(positions + POSITION_OFFSET)
        if self.position_kind == "row_column":
            x = x + self.row_embeddings(positions // self.picture_width)
            x = x + self.column_embeddings(positions % self.picture_width)
        if self.position_kind == "sinusoidal":
            cos, sin = waves(positions, x.size(-1))
            x = x + torch.stack((sin, cos), -1).flatten(-2).to(x.dtype)
        return self.dropout(self.LayerNorm(x))


class NystromLayer(nn.Module):
    """norm: post, LN(x + f(x)); pre, x + f(LN(x))."""

    def __init__(self, config, own):
        super().__init__()
        self.attention = nn.ModuleDict(
            {"self": ATTENTION[own["kind"]](config, own), "output": hf.NystromformerSelfOutput(config)}
        )
        self.intermediate = hf.NystromformerIntermediate(config)
        self.output = hf.NystromformerOutput(config)
        self.norm_is_first = own["norm"] == "pre"

    def forward(self, x, tokens):
        attend, output = self.attention["self"], self.attention["output"]
        if not self.norm_is_first:
            x = output(attend(x, tokens), x)
            return self.output(self.intermediate(x), x)
        x = x + output.dropout(output.dense(attend(output.LayerNorm(x), tokens)))
        return x + self.output.dropout(self.output.dense(self.intermediate(self.output.LayerNorm(x))))


class NystromEncoder(nn.Module):
    def __init__(self, config, own):
        super().__init__()
        self.layer = nn.ModuleList(NystromLayer(config, own) for _ in range(config.num_hidden_layers))
        if own["norm"] == "pre":
            self.final_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.gradient_checkpointing = False

    def forward(self, x, tokens):
        """The embeddings and what each layer makes of them."""
        states = (x,)
        for layer in self.layer:
            if self.gradient_checkpointing and self.training:
                x = self._gradient_checkpointing_func(layer.__call__, x, tokens)
            else:
                x = layer(x, tokens)
            states = states + (x,)
        return states

    def normed(self, x):
        return self.final_norm(x) if hasattr(self, "final_norm") else x


class NystromModel(hf.NystromformerPreTrainedModel):
    """Encoder whose positions count real tokens alone, so that padding at the left changes nothing either."""

    config_class = NystromformerConfig

    def __init__(self, config):
        super().__init__(config)
        own = options_of(config)
        self.embeddings = NystromEmbeddings(config, own)
        self.encoder = NystromEncoder(config, own)
        self.padding_is_text = own["padding"] == "huggingface"
        self.turns = own["positions"] == "rotary"
        self.post_init()

    def get_input_embeddings(self):
        return self.embeddings.word_embeddings

    def set_input_embeddings(self, value):
        self.embeddings.word_embeddings = value

    def tokens(self, shape, device, attention_mask, position_ids):
        every = torch.ones(shape, dtype=torch.long, device=device)
        mask = every if attention_mask is None else attention_mask
        if mask.dim() != 2:
            raise ValueError(f"attention_mask has {mask.dim()} dimensions; it must be [batch, tokens].")
        real = mask > 0
        longest = shape[1]
        if position_ids is None:
            positions = ((every if self.padding_is_text else real.long()).cumsum(-1) - 1).clamp(min=0)
        else:
            positions, longest = (position_ids - POSITION_OFFSET).expand(shape), self.config.max_position_embeddings
        turn = None
        if self.turns:
            width = self.config.hidden_size // self.config.num_attention_heads
            turn = tuple(wave[:, None] for wave in waves(positions, width))
        return Tokens(real, every > 0 if self.padding_is_text else real, positions, longest, turn)

    def forward(
        self,
        input_ids=None,
        attention_mask=None,
        token_type_ids=None,
        position_ids=None,
        inputs_embeds=None,
        output_attentions=None,
        output_hidden_states=None,
        return_dict=None,
        **unused,
    ):
        if output_attentions:
            raise ValueError("There is no attention matrix to return; leave out output_attentions.")
        if (input_ids is None) == (inputs_embeds is None):
            raise ValueError("Either input_ids or inputs_embeds must be given.")
        embedded = self.embeddings.word_embeddings(input_ids) if inputs_embeds is None else inputs_embeds
        shape = embedded.shape[:2]
        tokens = self.tokens(shape, embedded.device, attention_mask, position_ids)
        types = torch.zeros_like(tokens.positions) if token_type_ids is None else token_type_ids
        states = self.encoder(self.embeddings(embedded, types, tokens.positions), tokens)
        if output_hidden_states is None:
            output_hidden_states = self.config.output_hidden_states
        last = self.summary(self.encoder.normed(states[-1]), tokens)
        out = BaseModelOutput(last_hidden_state=last, hidden_states=states if output_hidden_states else None)
        return out.to_tuple() if return_dict is False else out

    def summary(self, last, tokens):
        return last


class NystromPooledModel(NystromModel):
    """Its `last_hidden_state` [B, 1, C] is what a classifier sees of a sequence."""

    def __init__(self, config, pooling):
        super().__init__(config)
        self.pooling = pooling

    def summary(self, last, tokens):
        real = tokens.real[..., None]
        if self.pooling == "mean":
            total = (last * real.to(last.dtype)).sum(1, keepdim=True, dtype=statistics(last))
            return (total / real.sum(1, keepdim=True).clamp(min=1)).to(last.dtype)
        if self.pooling == "max":
            return last.masked_fill(~real, torch.finfo(last.dtype).min).amax(1, keepdim=True)
        return first_rows(last, tokens.rows)


def first_rows(x, rows):
    """[B, 1, C]: each sequence's first token."""
    first = rows & (rows.long().cumsum(-1) == 1)
    return (x * first[..., None].to(x.dtype)).sum(1, keepdim=True)


class NystromClassificationHead(nn.Module):
    """logits = out_proj(f(dense(x))) of the rows x that NystromPooledModel gives."""

    def __init__(self, config, inputs):
        super().__init__()
        own = options_of(config)
        size = own.get("classifier_size") or config.hidden_size
        self.dense = nn.Linear(inputs, size)
        self.out_proj = nn.Linear(size, config.num_labels)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)
        functions = {"activation": config.hidden_act, "tanh": "tanh", "relu_mlp": "relu"}
        self.function = hf.ACT2FN[functions[own["classifier"]]]

    def forward(self, features, **unused):
        x = self.dropout(features[:, 0])
        return self.out_proj(self.dropout(self.function(self.dense(x))))


class NystromForMaskedLM(hf.NystromformerForMaskedLM):
    # The sentence-order head of pretraining: NystromForPreTraining has it.
    _keys_to_ignore_on_load_unexpected = [r"pooler", r"seq_relationship"]

    def __init__(self, config):
        super().__init__(config)
        self.nystromformer = NystromModel(config)
        self.post_init()


class NystromForPreTraining(hf.NystromformerForMaskedLM):
    """Masked language model and sentence order: `sop_logits` [B, 2]; label 1 means that the segments were swapped."""

    def __init__(self, config):
        super().__init__(config)
        self.nystromformer = NystromModel(config)
        self.nystromformer.pooler = nn.ModuleDict({"dense": nn.Linear(config.hidden_size, config.hidden_size)})
        self.cls.seq_relationship = nn.Linear(config.hidden_size, 2)
        self.post_init()

    def forward(self, input_ids=None, attention_mask=None, output_hidden_states=None, return_dict=None, **kwargs):
        out = super().forward(
            input_ids, attention_mask=attention_mask, output_hidden_states=True, return_dict=True, **kwargs
        )
        last = self.nystromformer.encoder.normed(out.hidden_states[-1])
        rows = torch.ones_like(last[..., 0]) if attention_mask is None else attention_mask
        first = last[:, 0] if self.nystromformer.padding_is_text else first_rows(last, rows > 0)[:, 0]
        out["sop_logits"] = self.cls.seq_relationship(torch.tanh(self.nystromformer.pooler["dense"](first)))
        if not output_hidden_states:
            out["hidden_states"] = None
        return out


class NystromForSequenceClassification(hf.NystromformerForSequenceClassification):
    def __init__(self, config):
        super().__init__(config)
        self.nystromformer = NystromPooledModel(config, options_of(config)["pooling"])
        self.classifier = NystromClassificationHead(config, config.hidden_size)
        self.post_init()


class NystromForPairClassification(hf.NystromformerPreTrainedModel):
    """Classifies (a, b, a b, a - b) of pairs: rows 2 i and 2 i + 1 of inputs [B, T], or inputs [B / 2, 2, T]."""

    def __init__(self, config):
        super().__init__(config)
        self.nystromformer = NystromPooledModel(config, options_of(config)["pooling"])
        self.classifier = NystromClassificationHead(config, 4 * config.hidden_size)
        self.post_init()

    def forward(self, input_ids=None, attention_mask=None, token_type_ids=None, position_ids=None, labels=None, **kwargs):
        given = {"attention_mask": attention_mask, "token_type_ids": token_type_ids, "position_ids": position_ids}
        given = {name: None if x is None else x.flatten(0, -2) for name, x in given.items()}
        if input_ids is not None:
            input_ids = input_ids.flatten(0, -2)
        out = self.nystromformer(input_ids, **given, **(kwargs | {"return_dict": True}))
        a, b = out.last_hidden_state.unflatten(0, (-1, 2)).unbind(1)  # [B / 2, 1, C]
        logits = self.classifier(torch.cat((a, b, a * b, a - b), -1))
        loss = None if labels is None else functional.cross_entropy(logits, labels.view(-1))
        result = SequenceClassifierOutput(loss=loss, logits=logits, hidden_states=out.hidden_states)
        return result.to_tuple() if kwargs.get("return_dict") is False else result


class NystromForTokenClassification(hf.NystromformerForTokenClassification):
    def __init__(self, config):
        super().__init__(config)
        self.nystromformer = NystromModel(config)
        self.post_init()


class NystromForQuestionAnswering(hf.NystromformerForQuestionAnswering):
    def __init__(self, config):
        super().__init__(config)
        self.nystromformer = NystromModel(config)
        self.post_init()


class NystromForMultipleChoice(hf.NystromformerForMultipleChoice):
    def __init__(self, config):
        super().__init__(config)
        self.nystromformer = NystromPooledModel(config, "first")
        self.post_init()


# So that save_pretrained writes this file next to the weights, which transformers 4.45 does not do.
for model, auto in (
    (NystromModel, "AutoModel"),
    (NystromForMaskedLM, "AutoModelForMaskedLM"),
    (NystromForPreTraining, "AutoModelForPreTraining"),
    (NystromForSequenceClassification, "AutoModelForSequenceClassification"),
    (NystromForPairClassification, "AutoModelForSequenceClassification"),
    (NystromForTokenClassification, "AutoModelForTokenClassification"),
    (NystromForQuestionAnswering, "AutoModelForQuestionAnswering"),
    (NystromForMultipleChoice, "AutoModelForMultipleChoice"),
):
    model.register_for_auto_class(auto)
