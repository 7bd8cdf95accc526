// StableAdamW: AdamW whose rate falls for a tensor whose second moment lags behind its gradient.

#include "trainer/optimizer/tensorwise.h"

namespace nystrom {
namespace {

std::unique_ptr<Optimizer> make(const OptimizerOptions& options, ParameterStore& store,
                                const ZeroPartition& partition, SumOverRanks sum) {
  return std::make_unique<TensorwiseOptimizer>(TensorScale::kUpdateRms, options, store, partition,
                                               std::move(sum));
}

}  // namespace

const OptimizerKind kStableAdamW{.name = "stable_adamw",
                                 .states = TensorwiseOptimizer::kStates,
                                 .keys = {},
                                 .make = &make,
                                 .scratch_bytes = &TensorwiseOptimizer::scratch_bytes};

}  // namespace nystrom
