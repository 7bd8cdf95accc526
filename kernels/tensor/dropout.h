#pragma once
// Dropout, and the keys of its random draws.

#include <cstdint>

#include "kernels/core/host_device.h"
#include "kernels/tensor/tensor.h"

namespace nystrom {

/// For each row of a [N, ...] tensor: which sample of the run it belongs to, and where in the sample it
/// stands. A draw depends on these alone, so packing, micro-batches and ranks change no draw.
struct RowKeys {
  Tensor samples;    ///< [N] int64, >= 0
  Tensor positions;  ///< [N] int32, >= 0
};

/// Inverted dropout. Element (row, c) of a [N, C] tensor is kept when its 16 random bits are at least
/// round(probability * 65536); what is kept is scaled by 65536 / (65536 - that). The bits: half-word
/// (e % 8) of draw(seed, Purpose::kDropout, site, samples[row], e / 8) with e = positions[row] * C + c;
/// half-word h is the low half of word h / 2 for even h and the high half for odd h.
struct Dropout {
  double probability = 0;  ///< in [0, 1); 0 switches it off
  std::uint64_t seed = 0;
  std::uint32_t site = 0;  ///< one number for each place in the network

  [[nodiscard]] NYSTROM_HD std::uint32_t threshold() const {
    return static_cast<std::uint32_t>(probability * 65536.0 + 0.5);
  }
  [[nodiscard]] NYSTROM_HD bool active() const { return threshold() != 0; }
  [[nodiscard]] NYSTROM_HD double scale() const { return 65536.0 / (65536.0 - threshold()); }
};

}  // namespace nystrom
