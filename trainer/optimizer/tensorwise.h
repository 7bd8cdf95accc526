#pragma once
// An optimizer whose rate is scaled tensor by tensor (kernels/optimizer/tensorwise_adam.h): what LAMB and
// StableAdamW share.
//
// Tensors are cut into parts at multiples of the grain by which shards begin, counted in the flat weights, so
// that no part is on two ranks. Each rank sums its parts, in fp64; the sums of all parts then go to all
// ranks (the others add zeros), and each adds up those of a tensor in their order. So the bits are those of
// one rank that holds everything, on any number of ranks.

#include <array>

#include "kernels/optimizer/tensorwise_adam.h"
#include "trainer/optimizer/kinds.h"

namespace nystrom {

class TensorwiseOptimizer final : public Optimizer {
 public:
  static constexpr std::array kStates{OptimizerKind::State{"exp_avg"}, OptimizerKind::State{"exp_avg_sq"}};

  TensorwiseOptimizer(TensorScale scale, const OptimizerOptions& options, ParameterStore& store,
                      const ZeroPartition& partition, SumOverRanks sum);

  /// Of the sums.
  [[nodiscard]] static std::size_t scratch_bytes(const ParameterStore& store);

 private:
  [[nodiscard]] std::vector<OptimizerState> moments() const override {
    return {{kStates[0].name, m_, &layout_}, {kStates[1].name, v_, &layout_}};
  }
  void update(Context& context, const Update& update) override;
  void cut_into_parts();
  void treat_tensors();

  TensorScale scale_;
  SumOverRanks sum_;
  StateLayout layout_;
  OwnedTensor m_, v_;                     // [partition().count()]
  std::int64_t first_ = 0, count_ = 0;    // parts that are here: [first_, first_ + count_)
  OwnedTensor begins_, ends_, owners_;    // [count_]: in this rank's shard, and of which tensor
  OwnedTensor firsts_;                    // [tensors + 1]: of all parts
  OwnedTensor rates_, decays_, adapted_;  // [tensors]
  OwnedTensor sums_;                      // [all parts, 2] fp64
  OwnedTensor scales_;                    // [tensors] fp64
};

}  // namespace nystrom
