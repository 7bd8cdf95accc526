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
  return attention_flops(context, inputs, [&](std::int64_t rows, std::int64_t) {
    return ExactCost{0, convolutions}.of(inputs, rows, 0);
  });
}

}  // namespace

Tensor plan_value_attention_workspace(Planner& planner, DType activation, const AttentionLimits& limits) {
  if (limits.cuda) check_gpu_attention(activation, limits);
  const std::int64_t elements =
      limits.cuda ? cuda::value_attention_workspace(limits) : cpu::value_attention_workspace(limits);
  return planner.scratch("attention.workspace", compute_dtype(activation), {elements});
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
