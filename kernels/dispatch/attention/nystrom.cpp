#include "kernels/attention/nystrom.h"

#include "kernels/cpu/ops.h"
#include "kernels/cuda/attention/workspace.h"
#include "kernels/cuda/ops.h"
#include "kernels/dispatch/attention/attention.h"

namespace nystrom {
namespace {

/// Flops of one head: as exact attention where n <= M; otherwise `products` of n x M x D on both sides of the
/// landmarks, and `squares` of M x M x M.
struct Cost {
  ExactCost exact;
  double squares;

  /// Of these, what is computed in fp32 in bf16 runs too: the pseudo-inverse, and the products of landmarks.
  [[nodiscard]] double fp32_of(const NystromAttention& args, std::int64_t rows) const {
    if (rows <= args.options.landmarks) return 0;
    const auto m = static_cast<double>(args.options.landmarks);
    return 2 * (squares * m * m * m + 2 * m * m * static_cast<double>(args.inputs.width()));
  }
  [[nodiscard]] double of(const NystromAttention& args, std::int64_t rows, std::int64_t keys) const {
    if (rows <= args.options.landmarks) return exact.of(args.inputs, rows, keys);
    const auto n = static_cast<double>(rows), m = static_cast<double>(args.options.landmarks);
    const auto d = static_cast<double>(args.inputs.width());
    const double convolution = exact.convolutions * n * static_cast<double>(args.inputs.taps()) * d;
    return 2 * (convolution + exact.products * 2 * n * m * d) + fp32_of(args, rows);
  }
};

double flops(const Context& context, const NystromAttention& args, const Cost& cost) {
  return attention_flops(context, args.inputs,
                         [&](std::int64_t rows, std::int64_t keys) { return cost.of(args, rows, keys); });
}

double fp32_flops(const Context& context, const NystromAttention& args, const Cost& cost) {
  return attention_flops(context, args.inputs,
                         [&](std::int64_t rows, std::int64_t) { return cost.fp32_of(args, rows); });
}

void check_nystrom_attention(const NystromAttention& args) {
  check_attention(args.inputs);
  check_no_dropout("nystrom", args.inputs);
}

}  // namespace

NystromSaved NystromSaved::plan(Planner& planner, const NystromOptions& options, DType activation,
                                const AttentionLimits& limits) {
  const DType type = compute_dtype(activation);
  const std::int64_t batch = limits.batch, heads = limits.heads, m = options.landmarks,
                     width = limits.width();
  NystromSaved saved;
  saved.row_stats = planner.saved("attention.row_stats", type, {limits.tokens, heads, 2});
  saved.q_landmarks = planner.saved("attention.q_landmarks", type, {batch, heads, m, width});
  saved.k_landmarks = planner.saved("attention.k_landmarks", type, {batch, heads, m, width});
  saved.pinv = planner.saved("attention.pinv", type, {batch, heads, m, m});
  saved.k3_v = planner.saved("attention.k3_v", type, {batch, heads, m, width});
  saved.k3_stats = planner.saved("attention.k3_stats", type, {batch, heads, m, 2});
  saved.residuals = planner.saved("attention.residuals", type, {batch, heads});
  if (!limits.cuda) return saved;
  saved.a = planner.saved("attention.a", type, {batch, heads, m, m});
  saved.norms = planner.saved("attention.norms", type, {batch, heads, 2});
  saved.w = planner.saved("attention.w", type, {batch, heads, m, width});
  if (m <= cuda::kSmallLandmarks && options.pinv_iterations > 1)
    saved.iterates =
        planner.saved("attention.iterates", type, {batch, heads, (options.pinv_iterations - 1) * m, m});
  return saved;
}

Tensor plan_nystrom_attention_workspace(Planner& planner, const NystromOptions& options, DType activation,
                                        const AttentionLimits& limits) {
  if (limits.cuda) {
    check_gpu_attention(activation, limits);
    if (options.landmarks > 256)
      refuse("Attention on a GPU takes at most 256 landmarks, not {}: choose fewer, or the CPU.",
             options.landmarks);
  }
  const std::int64_t elements = limits.cuda ? cuda::nystrom_attention_workspace(options, limits)
                                            : cpu::nystrom_attention_workspace(options, limits);
  return planner.scratch("attention.workspace", compute_dtype(activation), {elements});
}

std::int64_t nystrom_cut_rows(const NystromOptions& options, std::int64_t rows, int ranks) {
  return cpu::nystrom_cut_rows(options, rows, ranks);
}

void nystrom_attention_forward(Context& context, const NystromAttention& args) {
  check_nystrom_attention(args);
  const Cost cost{
      {2, 1}, static_cast<double>(4 * args.options.pinv_iterations + (args.saved.residuals.empty() ? 0 : 1))};
  const OpScope scope(context, "attention_forward", flops(context, args, cost), forward_bytes(args.inputs),
                      fp32_flops(context, args, cost));
  NYSTROM_ON_CUDA(nystrom_attention_forward, context, args);
  cpu::nystrom_attention_forward(context, args);
}

void nystrom_attention_backward(Context& context, const NystromAttention& args,
                                const AttentionGradients& gradients) {
  check_nystrom_attention(args);
  const Cost cost{{5, 2}, 12.0 * args.options.pinv_iterations};
  const OpScope scope(context, "attention_backward", flops(context, args, cost),
                      backward_bytes(args.inputs, gradients), fp32_flops(context, args, cost));
  NYSTROM_ON_CUDA(nystrom_attention_backward, context, args, gradients);
  cpu::nystrom_attention_backward(context, args, gradients);
}

}  // namespace nystrom
