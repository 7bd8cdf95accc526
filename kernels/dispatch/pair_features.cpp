#include "kernels/pair_features.h"

#include "kernels/cpu/ops.h"
#include "kernels/cuda/ops.h"

namespace nystrom {
namespace {

void check_pairs(const Tensor& rows, const Tensor& pairs) {
  NYSTROM_CHECK(rows.dim(0) == 2 * pairs.dim(0) && pairs.dim(1) == 4 * rows.dim(1), "rows {}, pairs {}",
                rows.shape.text(), pairs.shape.text());
}

}  // namespace

void pair_features_forward(Context& context, const Tensor& x, const Tensor& y) {
  check_pairs(x, y);
  const OpScope scope(context, "pair_features_forward", static_cast<double>(x.numel()),
                      static_cast<double>(x.bytes() + y.bytes()));
  NYSTROM_ON_CUDA(pair_features_forward, context, x, y);
  cpu::pair_features_forward(context, x, y);
}

void pair_features_backward(Context& context, const Tensor& x, const Tensor& d_y, const Tensor& d_x) {
  check_pairs(x, d_y);
  check_pairs(d_x, d_y);
  const OpScope scope(context, "pair_features_backward", 3 * static_cast<double>(x.numel()),
                      static_cast<double>(2 * x.bytes() + d_y.bytes()));
  NYSTROM_ON_CUDA(pair_features_backward, context, x, d_y, d_x);
  cpu::pair_features_backward(context, x, d_y, d_x);
}

}  // namespace nystrom
