#include "kernels/optimizer/tensorwise_adam.h"

#include "kernels/cpu/ops.h"
#include "kernels/cuda/ops.h"

namespace nystrom {
namespace {

void check(const TensorwiseAdam& args) {
  const std::int64_t count = args.weights.numel(), parts = args.begins.numel();
  NYSTROM_CHECK(args.gradients.numel() == count && args.m.numel() == count && args.v.numel() == count &&
                    (args.copy.empty() || args.copy.numel() == count),
                "{} weights, {} gradients, {} and {} moments", count, args.gradients.numel(), args.m.numel(),
                args.v.numel());
  NYSTROM_CHECK(args.ends.numel() == parts && args.tensors.numel() == parts, "{} parts, {} ends, {} tensors",
                parts, args.ends.numel(), args.tensors.numel());
  NYSTROM_CHECK(args.rates.numel() == args.decays.numel(), "{} rates and {} decays", args.rates.numel(),
                args.decays.numel());
  NYSTROM_CHECK(args.step >= 1, "step {}", args.step);
}

}  // namespace

void tensorwise_moments(Context& context, const TensorwiseAdam& args, const Tensor& sums) {
  check(args);
  NYSTROM_CHECK(sums.numel() == 2 * args.begins.numel() && sums.dtype == DType::kF64, "sums {} of {} parts",
                sums.shape.text(), args.begins.numel());
  const bool reads_weights = args.scale == TensorScale::kTrustRatio;
  const OpScope scope(context, "tensorwise_moments", 15 * static_cast<double>(args.weights.numel()),
                      (reads_weights ? 6 : 5) * static_cast<double>(args.weights.bytes()));
  if (args.begins.numel() == 0) return;
  NYSTROM_ON_CUDA(tensorwise_moments, context, args, sums);
  cpu::tensorwise_moments(context, args, sums);
}

void tensorwise_scales(Context& context, const TensorScales& args) {
  const std::int64_t tensors = args.scales.numel();
  NYSTROM_CHECK(args.firsts.numel() == tensors + 1 && args.adapted.numel() == tensors,
                "{} scales of {} firsts and {} flags", tensors, args.firsts.numel(), args.adapted.numel());
  const OpScope scope(context, "tensorwise_scales", static_cast<double>(args.sums.numel()),
                      static_cast<double>(args.sums.bytes()));
  if (tensors == 0) return;
  NYSTROM_ON_CUDA(tensorwise_scales, context, args);
  cpu::tensorwise_scales(context, args);
}

void tensorwise_update(Context& context, const TensorwiseAdam& args, const Tensor& scales) {
  check(args);
  NYSTROM_CHECK(scales.numel() == args.rates.numel(), "{} scales of {} tensors", scales.numel(),
                args.rates.numel());
  const double copied = args.copy.empty() ? 0.0 : static_cast<double>(args.copy.bytes());
  const OpScope scope(context, "tensorwise_update", 8 * static_cast<double>(args.weights.numel()),
                      4 * static_cast<double>(args.weights.bytes()) + copied);
  if (args.begins.numel() == 0) return;
  NYSTROM_ON_CUDA(tensorwise_update, context, args, scales);
  cpu::tensorwise_update(context, args, scales);
}

}  // namespace nystrom
