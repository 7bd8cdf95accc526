#pragma once
// Class weights, applied to gradients: d_r *= weights[labels_r].

#include "kernels/tensor/context.h"
#include "kernels/tensor/tensor.h"

namespace nystrom {

struct LabelWeights {
  Tensor labels;   ///< [R] int32; rows with a negative label stay
  Tensor weights;  ///< [V] fp32
  Tensor d;        ///< [R, V] activation dtype, in place
};
void weigh_by_label(Context& context, const LabelWeights& args);

}  // namespace nystrom
