#pragma once
// Options of one pass over a micro-batch.

#include <cstdint>

#include "kernels/tensor/dropout.h"

namespace nystrom {

/// How a pass runs: with dropout or without, and where its random numbers come from.
struct Pass {
  bool training = false;
  std::uint64_t seed = 0;
  std::int64_t step = 0;  ///< of the run, from 0: what is redrawn for each step

  [[nodiscard]] Dropout dropout(double probability, std::uint32_t site) const {
    return {training ? probability : 0.0, seed, site};
  }
};

}  // namespace nystrom
