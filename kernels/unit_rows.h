#pragma once
// L2 normalization of the first m of C columns of each row, to norm l:  y = l x / |x|. A row of zeros gives
// zeros and has gradient 0. The order of summation does not depend on the number of threads.

#include "kernels/tensor/context.h"
#include "kernels/tensor/tensor.h"

namespace nystrom {

struct UnitRows {
  Tensor x;           ///< [N, C] fp32 or fp64
  double length = 1;  ///< l, above 0
  Tensor norms;       ///< [N] |x| of the first m columns, overwritten
  Tensor y;           ///< [N, m], m at most C; overwritten
};
void unit_rows_forward(Context& context, const UnitRows& args);

/// d_x += (l / |x|) (d_y - u (u d_y)) in the first m columns, with u = y / l.
struct UnitRowsGradient {
  Tensor y, norms;    ///< as forward left them
  double length = 1;  ///< l
  Tensor d_y;         ///< [N, m]
  Tensor d_x;         ///< [N, C], added to
};
void unit_rows_backward(Context& context, const UnitRowsGradient& args);

}  // namespace nystrom
