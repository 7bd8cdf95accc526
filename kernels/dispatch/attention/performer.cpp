#include "kernels/attention/performer.h"

#include "kernels/cpu/ops.h"
#include "kernels/cuda/attention/kinds/workspace.h"
#include "kernels/cuda/ops.h"
#include "kernels/dispatch/attention/attention.h"

namespace nystrom {
namespace {

void check_performer_attention(const PerformerAttention& args) {
  check_attention(args.inputs);
  check_no_dropout("performer", args.inputs);
  NYSTROM_CHECK(args.features.dim(0) == args.inputs.heads && args.features.dim(2) == args.inputs.width(),
                "features {} for {} heads of {} channels", args.features.shape.text(), args.inputs.heads,
                args.inputs.width());
}

/// `products` of n x m x D.
double flops(const Context& context, const PerformerAttention& args, const ExactCost& cost) {
  return column_flops(context, args.inputs, cost, args.features.dim(1));
}

}  // namespace

PerformerSaved PerformerSaved::plan(Planner& planner, std::int64_t features, DType activation,
                                    const AttentionLimits& limits) {
  const DType type = compute_dtype(activation);
  const std::int64_t batch = limits.batch, heads = limits.heads;
  PerformerSaved saved;
  saved.values = planner.saved("attention.feature_values", type, {batch, heads, features, limits.width()});
  saved.key_stats = planner.saved("attention.key_stats", type, {batch, heads, features, 2});
  saved.row_stats = plan_row_stats(planner, activation, limits);
  return saved;
}

Tensor plan_performer_attention_workspace(Planner& planner, std::int64_t features, DType activation,
                                          const AttentionLimits& limits) {
  return plan_attention_workspace(
      planner, activation, limits, [&] { return cuda::performer_attention_workspace(features, limits); },
      [&] { return cpu::performer_attention_workspace(features, limits); });
}

void performer_attention_forward(Context& context, const PerformerAttention& args) {
  check_performer_attention(args);
  const OpScope scope(context, "attention_forward", flops(context, args, {4, 1}), forward_bytes(args.inputs));
  NYSTROM_ON_CUDA(performer_attention_forward, context, args);
  cpu::performer_attention_forward(context, args);
}

void performer_attention_backward(Context& context, const PerformerAttention& args,
                                  const AttentionGradients& gradients) {
  check_performer_attention(args);
  const OpScope scope(context, "attention_backward", flops(context, args, {8, 2}),
                      backward_bytes(args.inputs, gradients));
  NYSTROM_ON_CUDA(performer_attention_backward, context, args, gradients);
  cpu::performer_attention_backward(context, args, gradients);
}

}  // namespace nystrom
