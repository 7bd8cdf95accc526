#include "kernels/attention/longformer.h"

#include "kernels/cpu/ops.h"
#include "kernels/cuda/attention/kinds/workspace.h"
#include "kernels/cuda/ops.h"
#include "kernels/dispatch/attention/attention.h"

namespace nystrom {
namespace {

void check_longformer_attention(const LongformerAttention& args) {
  check_attention(args.inputs);
  NYSTROM_CHECK(args.window >= 2 && args.window % 2 == 0, "a window of {} tokens; it must be even",
                args.window);
}

/// Keys of a token: those of its window.
double flops(const Context& context, const LongformerAttention& args, const ExactCost& cost) {
  return attention_flops(context, args.inputs, [&](std::int64_t rows, std::int64_t keys) {
    return cost.of(args.inputs, rows, std::min(keys, args.window + 1));
  });
}

}  // namespace

Tensor plan_longformer_attention_stats(Planner& planner, DType activation, const AttentionLimits& limits) {
  return plan_row_stats(planner, activation, limits);
}

Tensor plan_longformer_attention_workspace(Planner& planner, DType activation,
                                           const AttentionLimits& limits) {
  return plan_attention_workspace(
      planner, activation, limits, [&] { return cuda::longformer_attention_workspace(limits); },
      [&] { return cpu::longformer_attention_workspace(limits); });
}

void longformer_attention_forward(Context& context, const LongformerAttention& args) {
  check_longformer_attention(args);
  const OpScope scope(context, "attention_forward", flops(context, args, {2, 1}), forward_bytes(args.inputs));
  NYSTROM_ON_CUDA(longformer_attention_forward, context, args);
  cpu::longformer_attention_forward(context, args);
}

void longformer_attention_backward(Context& context, const LongformerAttention& args,
                                   const AttentionGradients& gradients) {
  check_longformer_attention(args);
  const OpScope scope(context, "attention_backward", flops(context, args, {5, 2}),
                      backward_bytes(args.inputs, gradients));
  NYSTROM_ON_CUDA(longformer_attention_backward, context, args, gradients);
  cpu::longformer_attention_backward(context, args, gradients);
}

}  // namespace nystrom
