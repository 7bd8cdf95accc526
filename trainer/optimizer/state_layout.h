#pragma once
// Layout of an optimizer's state: one value for every weight of some of the parameters, in the
// parameters' order, sharded across ranks as the weights are.

#include <span>
#include <vector>

#include "model/parameters/parameters.h"
#include "trainer/optimizer/zero_partition.h"

namespace nystrom {

class StateLayout {
 public:
  using Covers = bool (*)(const Parameter& parameter);

  /// Of the parameters that `covers` picks; null: of all, laid out like the weights. Every rank has the state
  /// of its part of the weights.
  StateLayout(const ParameterStore& store, const ZeroPartition& weights, Covers covers);

  /// Their offsets count from the start of the whole state.
  [[nodiscard]] std::span<const Parameter> parameters() const { return parameters_; }
  /// Of the state.
  [[nodiscard]] const ZeroPartition& partition() const { return partition_; }
  /// The index in the state of element `at` of the flat weights, or of the next one that has a state.
  [[nodiscard]] std::int64_t position(std::int64_t at) const;

 private:
  std::vector<std::int64_t> offsets_;  // of parameters_ in the flat weights
  std::vector<Parameter> parameters_;
  std::int64_t size_ = 0;
  ZeroPartition partition_;
};

}  // namespace nystrom
