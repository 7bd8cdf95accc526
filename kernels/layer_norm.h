#pragma once
// Bias, dropout, residual and LayerNorm (Ba, Kiros, Hinton, arXiv 1607.06450) in one pass:
//   z = residual + dropout(branch + bias);  y = gamma * (z - mean) / sqrt(var + epsilon) + beta,  var biased.
// Statistics are computed in compute dtype from z before it is rounded to the activation dtype.

#include "kernels/sequences.h"
#include "kernels/tensor/context.h"
#include "kernels/tensor/tensor.h"

namespace nystrom {

inline constexpr std::int64_t kMaxRowColumns = 8192;  ///< columns

struct LayerNormForward {
  Tensor residual;  ///< [N, C] activation dtype; empty: none (plain LayerNorm of the branch)
  Tensor branch;    ///< [N, C] activation dtype
  Tensor bias;      ///< [C] compute dtype; empty: none
  Tensor gamma;     ///< [C] compute dtype
  Tensor beta;      ///< [C] compute dtype
  double epsilon = 1e-5;
  Dropout dropout;  ///< of branch + bias
  RowKeys keys;     ///< of the N rows; needed only where dropout is active
  Tensor z;         ///< out [N, C] activation dtype, kept for backward; may be `branch`
  Tensor stats;     ///< out [N, 2] compute dtype: mean, 1 / sqrt(var + epsilon)
  Tensor y;         ///< out [N, C] activation dtype; may not be z
};
void layer_norm_forward(Context& context, const LayerNormForward& args);

struct LayerNormBackward {
  Tensor d_y;       ///< [N, C]
  Tensor z;         ///< [N, C] as forward left it
  Tensor stats;     ///< [N, 2] as forward left it
  Tensor gamma;     ///< [C]
  Dropout dropout;  ///< as in forward: the same mask is generated
  RowKeys keys;
  Tensor d_skip = {};  ///< [N, C] what else flows into z, added to d_z; empty: nothing; may be d_z
  Tensor d_z;          ///< out [N, C] gradient of the residual, overwritten; may be d_y
  Tensor d_branch;     ///< out [N, C] gradient of the branch (through dropout), overwritten; may be d_y where
                       ///< d_z is not; where dropout is not active it equals d_z and may be the same tensor
  Tensor d_gamma;      ///< [C] compute dtype, added to
  Tensor d_beta;       ///< [C] compute dtype, added to
  Tensor d_bias;       ///< [C] compute dtype, added to; empty: none
};
void layer_norm_backward(Context& context, const LayerNormBackward& args);

}  // namespace nystrom
