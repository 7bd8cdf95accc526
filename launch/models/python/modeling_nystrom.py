"""Nystromformer for transformers, with the attention that this model was trained with (`trust_remote_code=True`).

transformers' own Nystrom path takes one sequence length, no padding, and one pseudo-inverse scale for a whole batch.
Here any length works, padding takes part in nothing, and a sequence's output does not depend on its neighbours in the
batch. Everything but self-attention (embeddings, feed-forward, heads, losses) is transformers' own code.

Notation: B sequences of T tokens (padding included), H heads of D channels, M landmarks. A sequence of n real tokens:
  n <= M:     context = softmax(Q K^T / sqrt(D)) V
  otherwise:  landmark j is the mean of queries (keys) floor(j n / M) <= i < floor((j + 1) n / M);
              context = softmax(Q Kl^T / sqrt(D)) pinv(softmax(Ql Kl^T / sqrt(D))) softmax(Ql K^T / sqrt(D)) V
In both cases a depthwise convolution of V is added. (Xiong et al., AAAI 2021, arXiv 2102.03902)

`attention_mask` has one run of ones a sequence: padding at the right, at the left, or none. There is no branch on
data, so that torch.compile and torch.onnx.export see one graph.
"""

import torch
from torch import nn
from transformers import NystromformerConfig
from transformers.models.nystromformer import modeling_nystromformer as hf


def pseudo_inverse(a, iterations, batch_max=False):
    """Moore-Penrose inverse of softmax matrices a [..., M, M] by Razavi et al.'s third-order iteration, in fp32."""
    one_norm = a.sum(-2).amax(-1)[..., None, None]  # rows sum to 1, so the infinity norm is 1
    z = a.transpose(-1, -2) / (one_norm.max() if batch_max else one_norm)
    eye = torch.eye(a.size(-1), dtype=a.dtype, device=a.device)
    for _ in range(iterations):
        az = a @ z
        z = 0.25 * z @ (13 * eye - az @ (15 * eye - az @ (7 * eye - az)))
    return z


def real_tokens(attention_mask, hidden_states):
    """[B, T] bool from what transformers hands to self-attention: nothing, or a bool or additive [B, 1, ., T]."""
    if attention_mask is None:
        return torch.ones(hidden_states.shape[:2], dtype=torch.bool, device=hidden_states.device)
    mask = attention_mask if attention_mask.dim() == 2 else attention_mask[:, 0, -1]
    return mask if mask.dtype == torch.bool else mask > -1.0 if attention_mask.dim() > 2 else mask > 0


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


class NystromSelfAttention(hf.NystromformerSelfAttention):
    """transformers' projections and convolution weights around the attention defined above."""

    def __init__(self, config):
        super().__init__(config)
        own = getattr(config, "nystrom", None) or {}
        self.kind = own.get("kind", "nystrom")
        self.landmarks = own.get("landmarks", config.num_landmarks)
        self.iterations = own.get("pinv_iterations", 6)
        self.batch_max = own.get("pinv_init", "per_matrix") == "batch_max"  # one scale for the whole batch
        self.padding_is_text = own.get("padding", "exact") == "huggingface"  # masked in softmaxes over keys alone
        if own.get("convolution", 1) == 0:  # stored as one tap of zero, which transformers needs
            self.conv_kernel_size = None
        if self.kind not in ("nystrom", "softmax"):
            raise ValueError(f"config.json: nystrom.kind is {self.kind!r}; this file knows nystrom and softmax.")

    def forward(self, hidden_states, attention_mask=None, output_attentions=False, **unused):
        if output_attentions:
            raise ValueError("Nystrom attention has no attention matrix to return; leave out output_attentions.")
        batch, length, _ = hidden_states.shape
        q, k, v = (
            project(hidden_states).view(batch, length, -1, self.attention_head_size).transpose(1, 2)
            for project in (self.query, self.key, self.value)
        )
        keys = real_tokens(attention_mask, hidden_states)
        rows = torch.ones_like(keys) if self.padding_is_text else keys
        v = v * rows[:, None, :, None].to(v.dtype)
        attend = self.softmax if self.kind == "softmax" else self.nystrom
        context = attend(q * self.attention_head_size**-0.5, k, v, rows, keys)
        if self.conv_kernel_size is not None:
            context = context + self.conv(v)
        return (context.transpose(1, 2).reshape(batch, length, -1),)

    def softmax(self, q, k, v, rows, keys):
        scores = (q @ k.transpose(-1, -2)).masked_fill(~keys[:, None, None], torch.finfo(q.dtype).min)
        return self.dropout(scores.softmax(-1, dtype=self.statistics(q)).to(v.dtype)) @ v

    def nystrom(self, q, k, v, rows, keys):
        dtype = self.statistics(q)
        with torch.autocast(q.device.type, enabled=False):  # landmarks, softmaxes and inverse in fp32
            return self.nystrom_exactly(q.to(dtype), k.to(dtype), v.to(dtype), rows, keys).to(v.dtype)

    @staticmethod
    def statistics(x):
        return torch.float64 if x.dtype == torch.float64 else torch.float32

    def nystrom_exactly(self, q, k, v, rows, keys):
        lowest = torch.finfo(q.dtype).min
        means, used, exact = landmark_weights(rows, self.landmarks, q.dtype)
        means, exact = means[:, None], exact[:, None, None]  # over heads
        q_landmarks, k_landmarks = means @ q, means @ k
        unused = (torch.arange(self.landmarks, device=q.device) >= used)[:, None, None]  # [B, 1, 1, M]
        kernel_1 = (q @ k_landmarks.transpose(-1, -2)).masked_fill(unused, lowest).softmax(-1)
        kernel_2 = (q_landmarks @ k_landmarks.transpose(-1, -2)).softmax(-1)
        kernel_3 = (q_landmarks @ k.transpose(-1, -2)).masked_fill(~keys[:, None, None], lowest).softmax(-1)
        eye = torch.eye(self.landmarks, dtype=q.dtype, device=q.device)
        inverse = pseudo_inverse(torch.where(exact, eye, kernel_2), self.iterations, self.batch_max)
        # An exact sequence's landmarks are its tokens, so kernel 1 is its softmax and meets the values themselves.
        if self.padding_is_text:  # ... but for the padding among its keys
            masked = (means @ keys[:, None, :, None].to(q.dtype)).squeeze(-1)[:, :, None] == 0
            kernel_1 = torch.where(exact, kernel_1.masked_fill(masked, 0.0), kernel_1)
            kernel_1 = torch.where(exact, kernel_1 / kernel_1.sum(-1, keepdim=True), kernel_1)
        return kernel_1 @ torch.where(exact, means @ v, inverse @ (kernel_3 @ v))


class NystromModel(hf.NystromformerModel):
    """Encoder whose positions count real tokens alone, so that padding at the left changes nothing either."""

    config_class = NystromformerConfig

    def __init__(self, config):
        super().__init__(config)
        for layer in self.encoder.layer:
            layer.attention.self = NystromSelfAttention(config)
        self.padding_is_text = self.encoder.layer[0].attention.self.padding_is_text
        self.post_init()

    def forward(self, input_ids=None, attention_mask=None, token_type_ids=None, position_ids=None, **kwargs):
        if position_ids is None and attention_mask is not None and not self.padding_is_text:
            offset = 2  # of the position table, as in RoBERTa
            position_ids = (attention_mask.long().cumsum(-1) - 1).clamp(min=0) + offset
        return super().forward(input_ids, attention_mask, token_type_ids, position_ids, **kwargs)


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

    def forward(self, *args, output_hidden_states=None, return_dict=None, **kwargs):
        out = super().forward(*args, output_hidden_states=True, return_dict=True, **kwargs)
        pooled = torch.tanh(self.nystromformer.pooler["dense"](out.hidden_states[-1][:, 0]))
        out["sop_logits"] = self.cls.seq_relationship(pooled)
        if not output_hidden_states:
            out["hidden_states"] = None
        return out


class NystromForSequenceClassification(hf.NystromformerForSequenceClassification):
    def __init__(self, config):
        super().__init__(config)
        self.nystromformer = NystromModel(config)
        self.post_init()


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
        self.nystromformer = NystromModel(config)
        self.post_init()


# So that save_pretrained writes this file beside the weights: transformers 4.45 does not by itself.
for model, auto in (
    (NystromModel, "AutoModel"),
    (NystromForMaskedLM, "AutoModelForMaskedLM"),
    (NystromForPreTraining, "AutoModelForPreTraining"),
    (NystromForSequenceClassification, "AutoModelForSequenceClassification"),
    (NystromForTokenClassification, "AutoModelForTokenClassification"),
    (NystromForQuestionAnswering, "AutoModelForQuestionAnswering"),
    (NystromForMultipleChoice, "AutoModelForMultipleChoice"),
):
    model.register_for_auto_class(auto)
