#include "data/pretraining/permutation.h"

#include <algorithm>
#include <cmath>

#include "kernels/core/check.h"
#include "kernels/core/philox.h"

namespace nystrom {

Permutation::Permutation(std::uint64_t seed, std::uint64_t epoch, std::uint64_t count, std::uint64_t stream)
    : seed_(seed), epoch_(epoch), stream_(stream), count_(count) {
  NYSTROM_CHECK(count > 0 && count < std::uint64_t{1} << 42U && stream < std::uint64_t{1} << 22U,
                "a permutation of {}, stream {}", count, stream);
  rows_ = static_cast<std::uint64_t>(std::sqrt(static_cast<double>(count))) + 1;
  columns_ = (count + rows_ - 1) / rows_;
}

std::uint64_t Permutation::round(std::uint64_t number, std::uint64_t half, std::uint64_t below) const {
  const PhiloxCounter bits = draw(seed_, Purpose::kOrder, 0, epoch_, number << 44U | stream_ << 22U | half);
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

EpochOrder::EpochOrder(std::uint64_t seed, std::uint64_t epoch, std::uint64_t count, const Blocks& blocks)
    : seed_(seed), epoch_(epoch) {
  if (blocks.begins.empty()) {
    all_.emplace(seed, epoch, count);
    return;
  }
  const std::uint64_t number = blocks.begins.size() - 1;
  const Permutation order(seed, epoch, number);
  std::uint64_t place = 0;
  for (std::uint64_t i = 0; i < number; ++i) {
    const std::uint64_t block = order(i);
    if (windows_.empty() || place - windows_.back() >= blocks.window) windows_.push_back(place);
    runs_.push_back({place, blocks.begins[block], windows_.size() - 1});
    place += blocks.begins[block + 1] - blocks.begins[block];
  }
  NYSTROM_CHECK(place == count, "blocks of {} samples, not {}", place, count);
  windows_.push_back(place);
}

const EpochOrder::Run& EpochOrder::run_at(std::uint64_t place) const {
  const auto after = std::upper_bound(runs_.begin(), runs_.end(), place,
                                      [](std::uint64_t p, const Run& run) { return p < run.begin; });
  return *(after - 1);
}

std::uint64_t EpochOrder::operator()(std::uint64_t place) const {
  if (all_) return (*all_)(place);
  const std::uint64_t window = run_at(place).window;
  const std::uint64_t begin = windows_[window];
  const Permutation inside(seed_, epoch_, windows_[window + 1] - begin, window + 1);
  const std::uint64_t drawn = begin + inside(place - begin);
  const Run& run = run_at(drawn);
  return run.sample + (drawn - run.begin);
}

}  // namespace nystrom
