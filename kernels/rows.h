#pragma once
// Gather and scatter of rows of a [T, C] tensor; standalone dropout and tanh; conversion between dtypes.

#include "kernels/sequences.h"
#include "kernels/tensor/context.h"
#include "kernels/tensor/tensor.h"

namespace nystrom {

/// y [P, C] = x [rows[p], :], rows [P] int32; overwritten.
void gather_rows(Context& context, const Tensor& x, const Tensor& rows, const Tensor& y);

/// y [rows[p], :] = x [p, :], the others stay; rows [P] int32 are all different.
void scatter_rows(Context& context, const Tensor& x, const Tensor& rows, const Tensor& y);

/// d_x [rows[p], :] += d_y [p, :]; rows [P] int32 are all different.
void scatter_add_rows(Context& context, const Tensor& d_y, const Tensor& rows, const Tensor& d_x);

/// y = tanh(x), overwritten; y may be x.
void tanh_forward(Context& context, const Tensor& x, const Tensor& y);
/// d_x = d_y * (1 - y^2), overwritten; d_x may be d_y.
void tanh_backward(Context& context, const Tensor& y, const Tensor& d_y, const Tensor& d_x);

/// y [N, C] = dropout(x [N, C]); y may be x. Backward is the same call on the gradient.
void dropout_rows(Context& context, const Dropout& dropout, const RowKeys& keys, const Tensor& x,
                  const Tensor& y);

/// to = from, converted between fp32, bf16 and fp64.
void convert(Context& context, const Tensor& from, const Tensor& to);

/// Sum of squares of x (fp32 or fp64), in double, in parts that do not depend on the thread count; NaN or
/// infinity in x propagates to the result. On a GPU the host waits for it; a training step uses clip_factor.h
/// instead.
double squared_norm(Context& context, const Tensor& x);

}  // namespace nystrom
