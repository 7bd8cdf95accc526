#include "kernels/dispatch/attention/attention.h"

#include "kernels/cuda/attention/workspace.h"

namespace nystrom {

void check_attention(const AttentionInputs& inputs, std::int64_t projections) {
  const Tensor &qkv = inputs.qkv, &out = inputs.out;
  const std::int64_t taps = inputs.taps();
  NYSTROM_CHECK(out.dim(1) % inputs.heads == 0 && qkv.dim(1) == projections * out.dim(1),
                "qkv has {} columns for {} projections to {} channels of {} heads", qkv.dim(1), projections,
                out.dim(1), inputs.heads);
  NYSTROM_CHECK(taps == 0 || inputs.conv_weight.dim(0) == inputs.heads,
                "the convolution's weight is {}, not of {} heads", inputs.conv_weight.shape.text(),
                inputs.heads);
  NYSTROM_CHECK(taps == 0 || taps % 2 == 1, "the convolution's kernel size is {}; it must be odd", taps);
}

void check_spans(const Context& context, const AttentionInputs& inputs) {
  NYSTROM_CHECK(!inputs.spans.split() || context.cuda() == nullptr, "a GPU is given sequences on {} ranks",
                inputs.spans.group->ranks());
}

void check_no_dropout(std::string_view kind, const AttentionInputs& inputs) {
  NYSTROM_CHECK(!inputs.dropout.active(), "attention of kind {} has no probabilities to drop, but dropout {}",
                kind, inputs.dropout.probability);
}

void check_gpu_attention(DType activation, const AttentionLimits& limits) {
  const std::int64_t width = limits.width();
  if (width % 8 != 0 || width > 128)
    refuse(
        "Attention on a GPU takes heads of a multiple of 8 channels, at most 128; these have {}: choose "
        "another number of heads, or the CPU.",
        width);
  using cuda::kNarrowHeads, cuda::kWideSharedBytes;
  if (width > kNarrowHeads && limits.shared_bytes > 0 && limits.shared_bytes < kWideSharedBytes)
    refuse(
        "Attention with heads of more than {} channels (these have {}) needs a GPU that gives {} KiB of shared memory "
        "to a block, as those of compute capability 8.0, 9.0 and 10.0 do; this one gives {} KiB: choose more heads, or "
        "another GPU.",
        kNarrowHeads, width, kWideSharedBytes >> 10U, limits.shared_bytes >> 10U);
  if (activation == DType::kF64)
    refuse("Attention on a GPU computes in fp32 or bf16, not in {}.", name_of(activation));
}

Tensor plan_row_stats(Planner& planner, DType activation, const AttentionLimits& limits) {
  return planner.saved("attention.row_stats", compute_dtype(activation), {limits.tokens, limits.heads, 2});
}

double forward_bytes(const AttentionInputs& inputs) {
  return static_cast<double>(inputs.qkv.bytes() + inputs.out.bytes());
}

double backward_bytes(const AttentionInputs& inputs, const AttentionGradients& gradients) {
  return static_cast<double>(inputs.qkv.bytes() + gradients.d_out.bytes() + gradients.d_qkv.bytes());
}

}  // namespace nystrom
