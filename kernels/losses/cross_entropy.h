#pragma once
// Softmax cross-entropy over rows of logits: gradient, sum of losses and number of correct predictions in one
// pass:
//   loss_r = log sum_v exp(l_rv) - l_r,label;   d_l = scale * (softmax(l) - onehot(label)).

#include "kernels/tensor/context.h"
#include "kernels/tensor/tensor.h"

namespace nystrom {

struct CrossEntropy {
  Tensor logits;  ///< [R, V] compute dtype; on a GPU rows may be wider, what lies beyond being ignored
  std::int64_t classes = 0;  ///< V where rows are wider; 0: all columns
  Tensor labels;      ///< [R] int32 in [0, V), or negative: the row is ignored (zero loss, zero gradient)
  double scale = 1;   ///< of the gradient, usually weight / rows counted in the whole global batch
  Tensor row_losses;  ///< scratch [R] compute dtype
  Tensor d_logits;    ///< out [R, V], as wide as `logits`, activation dtype, overwritten; may be `logits` if
                      ///< the dtypes are equal; empty: no gradient
  Tensor sums;  ///< [3] fp64, added to: sum of losses, rows whose largest logit (the first, on ties) is the
                ///< label, rows counted
};
void cross_entropy(Context& context, const CrossEntropy& args);

}  // namespace nystrom
