#pragma once
// AdamW as in PyTorch (Loshchilov and Hutter, arXiv 1711.05101), one pass over memory:
//   w -= lr * decay * w;  m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2
//   w -= lr * (m / (1 - beta1^step)) / (sqrt(v) / sqrt(1 - beta2^step) + epsilon)

#include "kernels/tensor/context.h"
#include "kernels/tensor/tensor.h"

namespace nystrom {

struct AdamWConfig {
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-6;
};

/// Parameter groups, each contiguous: group g is elements [begins[g], begins[g + 1]).
struct AdamWGroups {
  Tensor begins;  ///< [G] int64: growing from 0
  Tensor rates;   ///< [G] fp64: the learning rate's share
  Tensor decays;  ///< [G] fp64: weight decay, in place of `weight_decay`
};

struct AdamW {
  Tensor weights;    ///< [N] compute dtype
  Tensor gradients;  ///< [N] compute dtype
  Tensor m, v;       ///< [N] compute dtype
  Tensor copy;       ///< [N] activation dtype: rounded copy of the weights, overwritten; empty: none
  AdamWConfig config;
  double learning_rate = 0;
  double weight_decay = 0;
  double gradient_scale = 1;  ///< gradients are multiplied by it first (clipping)
  std::int64_t step = 1;      ///< counted from 1
  Tensor factor =
      {};  ///< [1] fp64, multiplies gradient_scale; 0: everything stays as it is (clip_factor.h); empty: 1
  AdamWGroups groups = {};  ///< empty: one group, with a share of 1
};
void adamw_step(Context& context, const AdamW& args);

}  // namespace nystrom
