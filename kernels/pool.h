#pragma once
// One row a sequence of all its rows: their mean, or the largest of each channel. Sums and maxima go through
// a sequence's rows in order, so neither threads nor neighbours change a bit.

#include "kernels/sequences.h"
#include "kernels/tensor/context.h"
#include "kernels/tensor/tensor.h"

namespace nystrom {

enum class PoolKind { kMean, kMax };

struct Pool {
  PoolKind kind = PoolKind::kMean;
  Sequences sequences;
  Tensor x;     ///< [T, C] activation dtype
  Tensor rows;  ///< [B, C] int32: where each maximum is, the first of equals; forward writes it (kMax alone)
  Tensor y;     ///< [B, C] activation dtype, overwritten
};
void pool_forward(Context& context, const Pool& args);

struct PoolGradient {
  PoolKind kind = PoolKind::kMean;
  Sequences sequences;
  Tensor rows;  ///< as forward left it
  Tensor d_y;   ///< [B, C]
  Tensor d_x;   ///< [T, C], overwritten
};
void pool_backward(Context& context, const PoolGradient& args);

}  // namespace nystrom
