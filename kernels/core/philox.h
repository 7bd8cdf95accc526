#pragma once
// Counter-based random numbers: Philox 4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy
// as 1, 2, 3", SC 2011). A draw is a pure function of (seed, purpose, sample, element): nothing is stored,
// and any number of ranks, threads or devices draws the same.

#include <array>
#include <cstdint>

#include "kernels/core/host_device.h"

namespace nystrom {

using PhiloxCounter = std::array<std::uint32_t, 4>;
using PhiloxKey = std::array<std::uint32_t, 2>;
__extension__ using Wide = unsigned __int128;

NYSTROM_HD constexpr PhiloxCounter philox4x32(PhiloxCounter c, PhiloxKey k) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = std::uint64_t{0xD2511F53U} * c[0];
    const std::uint64_t p1 = std::uint64_t{0xCD9E8D57U} * c[2];
    c = {static_cast<std::uint32_t>(p1 >> 32U) ^ c[1] ^ k[0], static_cast<std::uint32_t>(p1),
         static_cast<std::uint32_t>(p0 >> 32U) ^ c[3] ^ k[1], static_cast<std::uint32_t>(p0)};
    k = {k[0] + 0x9E3779B9U, k[1] + 0xBB67AE85U};
  }
  return c;
}

/// What a draw is for. One purpose never sees another's numbers. Values are part of the checkpoint contract.
enum class Purpose : std::uint16_t {
  kInitialization = 1,  ///< sample: parameter's index
  kOrder = 2,           ///< sample: epoch
  kMasking = 3,         ///< sample: samples drawn before this one in the run (or, for evaluation, in the set)
  kSentenceOrder = 4,   ///< as kMasking
  kSpan = 5,            ///< as kMasking
  kTask = 6,            ///< fine-tuning's own draws
  kTest = 7,
  kSampleLength = 8,  ///< how long a sample is to be; sample: its index in the shards
  kAttention = 9,     ///< features and hashes of attention; sample: model/attention/random.h
  kGeneration = 16,   ///< made-up examples; sample: the example's number
  kDropout = 256,     ///< + site, one for each place in the network; sample: as kMasking
};

/// Four uint32 of stream (seed, purpose + site, sample) at `block` (< 2^48).
NYSTROM_HD constexpr PhiloxCounter draw(std::uint64_t seed, Purpose purpose, std::uint32_t site,
                                        std::uint64_t sample, std::uint64_t block) {
  const std::uint32_t stream = (static_cast<std::uint32_t>(purpose) + site) << 16U;
  return philox4x32({static_cast<std::uint32_t>(block), stream | static_cast<std::uint32_t>(block >> 32U),
                     static_cast<std::uint32_t>(sample), static_cast<std::uint32_t>(sample >> 32U)},
                    {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32U)});
}

/// A sequence of draws from one stream.
class Random {
 public:
  constexpr Random(std::uint64_t seed, Purpose purpose, std::uint64_t sample, std::uint32_t site = 0)
      : seed_(seed), purpose_(purpose), site_(site), sample_(sample) {}

  constexpr std::uint32_t next_u32() {
    if (used_ == 4) {
      block_ = draw(seed_, purpose_, site_, sample_, next_block_++);
      used_ = 0;
    }
    return block_[used_++];
  }
  constexpr std::uint64_t next_u64() {
    const std::uint64_t high = next_u32();
    return high << 32U | next_u32();
  }
  /// Uniform in [0, 1), 53 bits.
  constexpr double uniform() { return static_cast<double>(next_u64() >> 11U) * 0x1.0p-53; }
  /// Uniform in [0, n), n > 0; free of bias to 2^-32.
  constexpr std::uint64_t below(std::uint64_t n) {
    return static_cast<std::uint64_t>((static_cast<Wide>(next_u64()) * n) >> 64U);
  }
  /// Standard normal (Box-Muller).
  double normal();

 private:
  std::uint64_t seed_;
  Purpose purpose_;
  std::uint32_t site_;
  std::uint64_t sample_;
  std::uint64_t next_block_ = 0;
  PhiloxCounter block_{};
  std::size_t used_ = 4;
};

}  // namespace nystrom
