#pragma once
// The order of an epoch: permutations that are computed element by element, not stored.

#include <cstdint>
#include <optional>
#include <vector>

namespace nystrom {

/// A permutation of [0, count), a pure function of (seed, epoch, stream): a Feistel network (Luby and
/// Rackoff, 1988; Black and Rogaway, "Ciphers with arbitrary finite domains", 2002) over a grid a x b >=
/// count with sides near sqrt(count), whose round function is Philox under Purpose::kOrder; values
/// outside [0, count) go through it again (cycle walking). Preconditions: 0 < count < 2^42, stream < 2^22.
class Permutation {
 public:
  Permutation(std::uint64_t seed, std::uint64_t epoch, std::uint64_t count, std::uint64_t stream = 0);
  /// Precondition: i < count.
  [[nodiscard]] std::uint64_t operator()(std::uint64_t i) const;

 private:
  [[nodiscard]] std::uint64_t round(std::uint64_t number, std::uint64_t half, std::uint64_t below) const;

  std::uint64_t seed_, epoch_, stream_, count_;
  std::uint64_t rows_ = 1, columns_ = 1;  // the grid: rows_ * columns_ >= count_
};

/// Blocks of samples: a sample is expensive to read alone, a block cheap to read as a whole.
struct Blocks {
  std::vector<std::uint64_t>
      begins;                ///< first sample of each block, and the number of samples; empty: no blocks
  std::uint64_t window = 0;  ///< approximate number of samples in use at a time
};

/// The order of one epoch: the sample at each place. Without blocks, one permutation of all samples. With
/// blocks, the blocks are permuted, taken together in windows of at least `window` samples, and the samples
/// permuted within each window: a complete shuffle if one window holds all.
class EpochOrder {
 public:
  EpochOrder(std::uint64_t seed, std::uint64_t epoch, std::uint64_t count, const Blocks& blocks);
  /// Precondition: place < count.
  [[nodiscard]] std::uint64_t operator()(std::uint64_t place) const;

 private:
  struct Run {  // places [begin, next run's begin) of the permuted blocks, one after another
    std::uint64_t begin, sample, window;
  };
  [[nodiscard]] const Run& run_at(std::uint64_t place) const;

  std::uint64_t seed_, epoch_;
  std::optional<Permutation> all_;      // without blocks
  std::vector<Run> runs_;               // by block, in permuted order
  std::vector<std::uint64_t> windows_;  // first place of each window, and the number of samples
};

}  // namespace nystrom
