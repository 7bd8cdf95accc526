#pragma once
// The order of an epoch: a permutation that is computed element by element, not stored.

#include <cstdint>

namespace nystrom {

/// A permutation of [0, count), a pure function of (seed, epoch): a Feistel network (Luby and Rackoff, 1988;
/// Black and Rogaway, "Ciphers with arbitrary finite domains", 2002) over a grid a x b >= count with sides
/// near sqrt(count), whose round function is Philox under Purpose::kOrder; what falls outside [0, count)
/// walks on.
class Permutation {
 public:
  Permutation(std::uint64_t seed, std::uint64_t epoch, std::uint64_t count);
  /// Precondition: i < count.
  [[nodiscard]] std::uint64_t operator()(std::uint64_t i) const;

 private:
  [[nodiscard]] std::uint64_t round(std::uint64_t number, std::uint64_t half, std::uint64_t below) const;

  std::uint64_t seed_, epoch_, count_;
  std::uint64_t rows_ = 1, columns_ = 1;  // the grid: rows_ * columns_ >= count_
};

}  // namespace nystrom
