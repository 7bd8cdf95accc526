#pragma once
// The rows of all optimizers, each in its own file. Internal: others ask optimizer_kinds().

#include "trainer/optimizer/optimizer.h"

namespace nystrom {

extern const OptimizerKind kAdamW, kStableAdamW, kLamb, kMuon;

/// A tensor of `values` in `memory`.
template <class T>
OwnedTensor on_memory(const std::vector<T>& values, Memory& memory) {
  OwnedTensor tensor(dtype_of<T>(), {static_cast<std::int64_t>(values.size())}, memory);
  memory.write(tensor.view().address, values.data(), tensor.view().bytes());
  return tensor;
}

}  // namespace nystrom
