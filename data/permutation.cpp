#include "data/permutation.h"

#include <cmath>

#include "kernels/core/check.h"
#include "kernels/core/philox.h"

namespace nystrom {

Permutation::Permutation(std::uint64_t seed, std::uint64_t epoch, std::uint64_t count)
    : seed_(seed), epoch_(epoch), count_(count) {
  NYSTROM_CHECK(count > 0 && count < std::uint64_t{1} << 60U, "a permutation of {}", count);
  rows_ = static_cast<std::uint64_t>(std::sqrt(static_cast<double>(count))) + 1;
  columns_ = (count + rows_ - 1) / rows_;
}

std::uint64_t Permutation::round(std::uint64_t number, std::uint64_t half, std::uint64_t below) const {
  const PhiloxCounter bits = draw(seed_, Purpose::kOrder, 0, epoch_, number << 32U | half);
  const std::uint64_t word = std::uint64_t{bits[0]} << 32U | bits[1];
  return static_cast<std::uint64_t>((static_cast<Wide>(word) * below) >> 64U);
}

std::uint64_t Permutation::operator()(std::uint64_t i) const {
  constexpr std::uint64_t kRounds = 8;
  do {
    std::uint64_t row = i / columns_, column = i % columns_;
    for (std::uint64_t r = 0; r < kRounds; r += 2) {
      row = (row + round(r, column, rows_)) % rows_;
      column = (column + round(r + 1, row, columns_)) % columns_;
    }
    i = row * columns_ + column;
  } while (i >= count_);
  return i;
}

}  // namespace nystrom
