#include "kernels/attention/value.h"

#include "kernels/cpu/ops.h"
#include "kernels/cuda/attention/kinds/workspace.h"
#include "kernels/cuda/ops.h"
#include "kernels/dispatch/attention/attention.h"

namespace nystrom {
namespace {

void check_value_attention(const AttentionInputs& inputs) {
  check_attention(inputs, 1);
  check_no_dropout("none", inputs);
}

double convolution_flops(const Context& context, const AttentionInputs& inputs, double convolutions) {
  return column_flops(context, inputs, {0, convolutions}, 0);
}

}  // namespace

Tensor plan_value_attention_workspace(Planner& planner, DType activation, const AttentionLimits& limits) {
  return plan_attention_workspace(
      planner, activation, limits, [&] { return cuda::value_attention_workspace(limits); },
      [&] { return cpu::value_attention_workspace(limits); });
}

void value_attention_forward(Context& context, const AttentionInputs& inputs) {
  check_value_attention(inputs);
  const OpScope scope(context, "attention_forward", convolution_flops(context, inputs, 1),
                      forward_bytes(inputs));
  NYSTROM_ON_CUDA(value_attention_forward, context, inputs);
  cpu::value_attention_forward(context, inputs);
}

void value_attention_backward(Context& context, const AttentionInputs& inputs,
                              const AttentionGradients& gradients) {
  check_value_attention(inputs);
  const OpScope scope(context, "attention_backward", convolution_flops(context, inputs, 2),
                      backward_bytes(inputs, gradients));
  NYSTROM_ON_CUDA(value_attention_backward, context, inputs, gradients);
  cpu::value_attention_backward(context, inputs, gradients);
}

}  // namespace nystrom
