#pragma once
// Rotary positions (Su et al., arXiv 2104.09864), in halves as GPT-NeoX has them: channels i and i + D / 2 of
// a head are a pair, which the angle p / 10000^(2 i / D) turns:
//   (a, b) -> (a cos - b sin, b cos + a sin)

#include "kernels/tensor/context.h"
#include "kernels/tensor/tensor.h"

namespace nystrom {

struct Rotary {
  std::int64_t heads = 0;
  std::int64_t turned = 2;  ///< projections that are turned: the first ones of qkv
  Tensor positions;         ///< [T] int32 in [0, P)
  Tensor table;             ///< [P, D] compute dtype: cosines of D / 2 angles, then their sines
  Tensor qkv;               ///< [T, P C] activation dtype, turned in place
  bool back = false;        ///< the other way round: what the gradient takes
};
void rotate(Context& context, const Rotary& args);

}  // namespace nystrom
