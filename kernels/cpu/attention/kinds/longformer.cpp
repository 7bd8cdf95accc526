// Longformer attention on the CPU: exact attention within a window.

#include "kernels/cpu/attention/kinds/exact_attention.h"
#include "kernels/cpu/ops.h"

namespace nystrom::cpu {
namespace {

KeyWindow window_of(const LongformerAttention& args) {
  return {.half = args.window / 2, .first_is_global = args.global_tokens == GlobalTokens::kFirst};
}

}  // namespace

Index longformer_attention_workspace(const AttentionLimits& limits) {
  return exact_attention_workspace(limits);
}

void longformer_attention_forward(Context& context, const LongformerAttention& args) {
  exact_attention_forward(context, {args.inputs, args.row_stats}, window_of(args));
}

void longformer_attention_backward(Context& context, const LongformerAttention& args,
                                   const AttentionGradients& gradients) {
  exact_attention_backward(context, {args.inputs, args.row_stats}, gradients, window_of(args));
}

}  // namespace nystrom::cpu
