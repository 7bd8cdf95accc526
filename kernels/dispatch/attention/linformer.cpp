#include "kernels/attention/linformer.h"

#include "kernels/cpu/ops.h"
#include "kernels/cuda/attention/kinds/workspace.h"
#include "kernels/cuda/ops.h"
#include "kernels/dispatch/attention/attention.h"

namespace nystrom {
namespace {

void check_linformer_attention(const LinformerAttention& args) {
  check_attention(args.inputs);
  check_no_dropout("linformer", args.inputs);
  const Tensor &key = args.projection_key, &value = args.projection_value;
  NYSTROM_CHECK(key.dim(0) == args.inputs.heads, "the projection of keys is {}, not of {} heads",
                key.shape.text(), args.inputs.heads);
  NYSTROM_CHECK(value.empty() || value.shape == key.shape, "the projection of values is {}, that of keys {}",
                value.shape.text(), key.shape.text());
  NYSTROM_CHECK(args.positions.dim(0) == args.inputs.qkv.dim(0), "{} positions of {} tokens",
                args.positions.dim(0), args.inputs.qkv.dim(0));
}

/// `products` of n x R x D.
double flops(const Context& context, const LinformerAttention& args, const ExactCost& cost) {
  return column_flops(context, args.inputs, cost, args.projection_key.dim(1));
}

}  // namespace

LinformerSaved LinformerSaved::plan(Planner& planner, std::int64_t projection, DType activation,
                                    const AttentionLimits& limits) {
  const DType type = compute_dtype(activation);
  const Shape projected{limits.batch, limits.heads, projection, limits.width()};
  LinformerSaved saved;
  saved.keys = planner.saved("attention.projected_keys", type, projected);
  saved.values = planner.saved("attention.projected_values", type, projected);
  saved.row_stats = plan_row_stats(planner, activation, limits);
  return saved;
}

Tensor plan_linformer_attention_workspace(Planner& planner, std::int64_t projection, DType activation,
                                          const AttentionLimits& limits) {
  return plan_attention_workspace(
      planner, activation, limits, [&] { return cuda::linformer_attention_workspace(projection, limits); },
      [&] { return cpu::linformer_attention_workspace(projection, limits); });
}

void linformer_attention_forward(Context& context, const LinformerAttention& args) {
  check_linformer_attention(args);
  const OpScope scope(context, "attention_forward", flops(context, args, {4, 1}), forward_bytes(args.inputs));
  NYSTROM_ON_CUDA(linformer_attention_forward, context, args);
  cpu::linformer_attention_forward(context, args);
}

void linformer_attention_backward(Context& context, const LinformerAttention& args,
                                  const AttentionGradients& gradients,
                                  const ProjectionGradients& projections) {
  check_linformer_attention(args);
  const OpScope scope(context, "attention_backward", flops(context, args, {9, 2}),
                      backward_bytes(args.inputs, gradients));
  NYSTROM_ON_CUDA(linformer_attention_backward, context, args, gradients, projections);
  cpu::linformer_attention_backward(context, args, gradients, projections);
}

}  // namespace nystrom
