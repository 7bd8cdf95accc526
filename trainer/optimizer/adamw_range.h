#pragma once
// AdamW of neighbouring parameters, which the optimizers that use it for some or all parameters share.

#include <span>

#include "kernels/optimizer/adamw.h"
#include "trainer/optimizer/kinds.h"
#include "trainer/optimizer/tensor_rates.h"

namespace nystrom {

class AdamWRange {
 public:
  /// Of elements [begin, end) of the flat weights, a part of this rank's shard. `rates`: of every parameter.
  AdamWRange(ParameterStore& store, std::span<const TensorRate> rates, std::int64_t begin, std::int64_t end);

  /// adamw_step with `args`' numbers. m, v: this rank's shards of the moments, in which those of the range
  /// begin at element `state`.
  void step(Context& context, const AdamW& args, const Tensor& m, const Tensor& v, std::int64_t state) const;

  [[nodiscard]] std::int64_t begin() const { return begin_; }

 private:
  ParameterStore& store_;
  std::int64_t begin_, count_;
  OwnedTensor begins_, rates_, decays_;  // [groups]
};

}  // namespace nystrom
