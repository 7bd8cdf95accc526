#pragma once
// Matrix products of a linear layer, by what measured best (docs/performance-appendix.md).
// x, w and d_y share the activation dtype (fp32, bf16 or fp64); sums are in compute_dtype(). Rows N may be 0.
// On a GPU rows of y and d_y may be wider than `out`: what lies beyond is padding, which is not read.

#include "kernels/tensor/context.h"
#include "kernels/tensor/tensor.h"

namespace nystrom {

/// y [N, out] = x [N, in] w [out, in]^T (+ bias [out], compute dtype; an empty tensor: none).
/// y: activation dtype or compute dtype; overwritten.
void linear_forward(Context& context, const Tensor& x, const Tensor& w, const Tensor& bias, const Tensor& y);

/// d_x [N, in] = d_y [N, out] w [out, in]; overwritten, or added to where `accumulate`.
void linear_backward_input(Context& context, const Tensor& d_y, const Tensor& w, const Tensor& d_x,
                           bool accumulate = false);

/// d_w [out, in] += d_y [N, out]^T x [N, in];  d_bias [out] (may be empty) += column sums of d_y. Both are
/// compute dtype.
void linear_backward_weight(Context& context, const Tensor& d_y, const Tensor& x, const Tensor& d_w,
                            const Tensor& d_bias = {});

/// d_bias [C] += column sums of d_y [N, C]; d_bias is compute dtype. The result is a function of the inputs
/// and at most the thread count.
void column_sums(Context& context, const Tensor& d_y, const Tensor& d_bias);

}  // namespace nystrom
