#pragma once
// Elementwise losses: gradient, sum of losses and count in one pass:
//   squared: (x - y)^2                   d = scale * 2 (x - y)
//   sigmoid: log(1 + e^x) - x y          d = scale * (1 / (1 + e^-x) - y),  y in [0, 1]
// PyTorch's MSELoss and BCEWithLogitsLoss are these with scale 1 / numbers counted.

#include "kernels/tensor/context.h"
#include "kernels/tensor/tensor.h"

namespace nystrom {

enum class ValueLossKind { kSquared, kSigmoid };

struct ValueLoss {
  ValueLossKind kind = ValueLossKind::kSquared;
  Tensor predictions;  ///< [B, L] compute dtype
  Tensor targets;      ///< [B * L] fp32; NaN: ignored (zero loss, zero gradient)
  double scale = 1;    ///< of the gradient, usually weight / numbers counted in the whole global batch
  Tensor d;            ///< out [B, L] activation dtype, overwritten; empty: no gradient
  Tensor
      sums;  ///< [3] fp64, added to: sum of losses, right answers, numbers counted. Right is a sigmoid's
             ///< logit on the side of its target (above 0 where the target is above 1/2); squared has none.
};
/// Sums in the order of the elements: the same bits on any number of threads.
void value_loss(Context& context, const ValueLoss& args);

}  // namespace nystrom
