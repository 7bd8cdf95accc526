#include "kernels/cpu/ops.h"

#include <algorithm>
#include <cmath>

#include "kernels/rows.h"

namespace nystrom::cpu {

void clip_factor(Context& context, const Tensor& gradients, double clip, const Tensor& result) {
  const double norm = std::sqrt(nystrom::squared_norm(context, gradients));
  double* to = result.data<double>();
  to[0] = norm;
  to[1] = std::isfinite(norm) ? (clip > 0 ? std::min(1.0, clip / (norm + 1e-6)) : 1.0) : 0.0;
}

}  // namespace nystrom::cpu
