#include "kernels/attention/linear.h"

#include "kernels/cpu/ops.h"
#include "kernels/cuda/attention/kinds/workspace.h"
#include "kernels/cuda/ops.h"
#include "kernels/dispatch/attention/attention.h"

namespace nystrom {
namespace {

void check_linear_attention(const LinearAttention& args) {
  check_attention(args.inputs);
  check_no_dropout("linear", args.inputs);
}

/// `products` of n x D x (D + 1).
double flops(const Context& context, const AttentionInputs& inputs, const ExactCost& cost) {
  return column_flops(context, inputs, cost, inputs.width() + 1);
}

}  // namespace

Tensor plan_linear_attention_state(Planner& planner, DType activation, const AttentionLimits& limits) {
  return planner.saved("attention.state", compute_dtype(activation),
                       {limits.batch, limits.heads, limits.width(), limits.width() + 1});
}

Tensor plan_linear_attention_workspace(Planner& planner, DType activation, const AttentionLimits& limits) {
  return plan_attention_workspace(
      planner, activation, limits, [&] { return cuda::linear_attention_workspace(limits); },
      [&] { return cpu::linear_attention_workspace(limits); });
}

void linear_attention_forward(Context& context, const LinearAttention& args) {
  check_linear_attention(args);
  const OpScope scope(context, "attention_forward", flops(context, args.inputs, {2, 1}),
                      forward_bytes(args.inputs));
  NYSTROM_ON_CUDA(linear_attention_forward, context, args);
  cpu::linear_attention_forward(context, args);
}

void linear_attention_backward(Context& context, const LinearAttention& args,
                               const AttentionGradients& gradients) {
  check_linear_attention(args);
  const OpScope scope(context, "attention_backward", flops(context, args.inputs, {5, 2}),
                      backward_bytes(args.inputs, gradients));
  NYSTROM_ON_CUDA(linear_attention_backward, context, args, gradients);
  cpu::linear_attention_backward(context, args, gradients);
}

}  // namespace nystrom
