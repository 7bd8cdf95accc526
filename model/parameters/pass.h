#pragma once
// Options of one pass over a micro-batch.

#include <cstdint>

#include "kernels/tensor/dropout.h"

namespace nystrom {

/// How a pass runs: with dropout or without, and from which seed its masks come.
struct Pass {
  bool training = false;
  std::uint64_t seed = 0;

  [[nodiscard]] Dropout dropout(double probability, std::uint32_t site) const {
    return {training ? probability : 0.0, seed, site};
  }
};

}  // namespace nystrom
