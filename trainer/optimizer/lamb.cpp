// LAMB: Adam whose update of a tensor is as large as the tensor, for large batches.

#include <array>

#include "trainer/optimizer/tensorwise.h"

namespace nystrom {
namespace {

constexpr std::array<std::string_view, 1> kKeys{"all_tensors"};

std::unique_ptr<Optimizer> make(const OptimizerOptions& options, ParameterStore& store,
                                const ZeroPartition& partition, SumOverRanks sum) {
  return std::make_unique<TensorwiseOptimizer>(TensorScale::kTrustRatio, options, store, partition,
                                               std::move(sum));
}

}  // namespace

const OptimizerKind kLamb{.name = "lamb",
                          .states = TensorwiseOptimizer::kStates,
                          .keys = kKeys,
                          .make = &make,
                          .scratch_bytes = &TensorwiseOptimizer::scratch_bytes};

}  // namespace nystrom
