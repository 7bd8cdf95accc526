#include "kernels/clip_factor.h"

#include <algorithm>
#include <cmath>

#include "kernels/rows.h"

namespace nystrom {

void clip_factor(Context& context, const Tensor& gradients, double clip, const Tensor& result) {
  NYSTROM_CHECK(result.numel() == 2 && result.dtype == DType::kF64, "the result is {} {}",
                name_of(result.dtype), result.shape.text());
  NYSTROM_CHECK(clip >= 0, "a clip of {}", clip);
  NYSTROM_ON_CUDA(clip_factor, context, gradients, clip, result);
  const double norm = std::sqrt(squared_norm(context, gradients));
  double* to = result.data<double>();
  to[0] = norm;
  to[1] = std::isfinite(norm) ? (clip > 0 ? std::min(1.0, clip / (norm + 1e-6)) : 1.0) : 0.0;
}

}  // namespace nystrom
