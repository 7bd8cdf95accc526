#include "kernels/attention/softmax.h"

#include "kernels/cpu/ops.h"
#include "kernels/cuda/attention/workspace.h"
#include "kernels/cuda/ops.h"
#include "kernels/dispatch/attention/attention.h"

namespace nystrom {
namespace {

double flops(const Context& context, const AttentionInputs& inputs, const ExactCost& cost) {
  return attention_flops(context, inputs,
                         [&](std::int64_t rows, std::int64_t keys) { return cost.of(inputs, rows, keys); });
}

}  // namespace

Tensor plan_softmax_attention_stats(Planner& planner, DType activation, const AttentionLimits& limits) {
  return plan_row_stats(planner, activation, limits);
}

Tensor plan_softmax_attention_workspace(Planner& planner, DType activation, const AttentionLimits& limits) {
  return plan_attention_workspace(
      planner, activation, limits, [&] { return cuda::softmax_attention_workspace(limits); },
      [&] { return cpu::softmax_attention_workspace(limits); });
}

std::int64_t softmax_cut_rows(std::int64_t rows) {
  constexpr std::int64_t kBlock = 64,
                         kShort = 1024;  // rows: queries taken together, and what is not worth a cut
  return rows > kShort ? kBlock : 0;
}

void softmax_attention_forward(Context& context, const SoftmaxAttention& args) {
  check_attention(args.inputs);
  check_spans(context, args.inputs);
  const OpScope scope(context, "attention_forward", flops(context, args.inputs, {2, 1}),
                      forward_bytes(args.inputs));
  NYSTROM_ON_CUDA(softmax_attention_forward, context, args);
  cpu::softmax_attention_forward(context, args);
}

void softmax_attention_backward(Context& context, const SoftmaxAttention& args,
                                const AttentionGradients& gradients) {
  check_attention(args.inputs);
  check_spans(context, args.inputs);
  const OpScope scope(context, "attention_backward", flops(context, args.inputs, {5, 2}),
                      backward_bytes(args.inputs, gradients));
  NYSTROM_ON_CUDA(softmax_attention_backward, context, args, gradients);
  cpu::softmax_attention_backward(context, args, gradients);
}

}  // namespace nystrom
