#pragma once
// Adam whose rate is scaled for each tensor by a number that depends on all of it. With
//   m = beta1 m + (1 - beta1) g,  v = beta2 v + (1 - beta2) g^2,  v^ = v / (1 - beta2^step)
//   u = (m / (1 - beta1^step)) / (sqrt(v^) + epsilon)
// a step is w -= lr * scale * (u + decay * w), where scale is
//   StableAdamW (Wortsman et al., arXiv 2304.13013):
//     1 / max(1, RMS), RMS^2 = mean of g^2 / max(v^, epsilon^2)
//   LAMB (You et al., arXiv 1904.00962, Algorithm 2, phi(z) = z):
//     |w| / |u + decay * w|, 1 where either is 0
//
// A tensor may be split across ranks. So a step is three calls: tensorwise_moments leaves sums of parts of
// tensors, which the caller adds up over ranks; tensorwise_scales makes a scale of all parts of a tensor, in
// their order; tensorwise_update moves the weights. Where tensors are cut into the same parts, the bits
// depend neither on the ranks that hold them nor on the thread count.

#include "kernels/optimizer/adamw.h"

namespace nystrom {

enum class TensorScale {
  kUpdateRms,  ///< StableAdamW
  kTrustRatio  ///< LAMB
};

struct TensorwiseAdam {
  TensorScale scale = TensorScale::kUpdateRms;
  Tensor weights;    ///< [N] compute dtype
  Tensor gradients;  ///< [N] compute dtype
  Tensor m, v;       ///< [N] compute dtype
  Tensor copy;       ///< [N] activation dtype: rounded weights, written by the update; empty: none
  AdamWConfig config;
  double learning_rate = 0;
  double gradient_scale = 1;  ///< gradients are multiplied by it first (clipping)
  std::int64_t step = 1;      ///< counted from 1
  Tensor factor = {};         ///< [1] fp64, multiplies gradient_scale; 0: everything stays as it is; empty: 1
  /// Part p is elements [begins[p], ends[p]) of the above, of tensor tensors[p]. What is in no part stays.
  Tensor begins, ends;   ///< [P] int64
  Tensor tensors;        ///< [P] int32, in [0, T)
  Tensor rates, decays;  ///< [T] fp64: the learning rate's share; the weight decay
};

/// The new m and v. sums [P, 2] fp64, overwritten: kUpdateRms: sum of g^2 / max(v^, epsilon^2), and the
/// number of elements; kTrustRatio: sums of w^2 and of (u + decay * w)^2. Where the factor is 0 they are 0.
void tensorwise_moments(Context& context, const TensorwiseAdam& args, const Tensor& sums);

struct TensorScales {
  TensorScale scale = TensorScale::kUpdateRms;
  Tensor sums;     ///< [P, 2] fp64: of all parts of all tensors
  Tensor firsts;   ///< [T + 1] int64: tensor t has parts [firsts[t], firsts[t + 1])
  Tensor adapted;  ///< [T] int32; 0: the scale is 1
  Tensor scales;   ///< [T] fp64, overwritten
};
void tensorwise_scales(Context& context, const TensorScales& args);

/// The new weights and their copy, from the m and v that tensorwise_moments left. scales: [T] fp64.
void tensorwise_update(Context& context, const TensorwiseAdam& args, const Tensor& scales);

}  // namespace nystrom
