// Sums over the rows of a [rows, columns] tensor, compiled once for each instruction set.

#if defined(NYSTROM_KERNELS_COLUMNS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef NYSTROM_KERNELS_COLUMNS_INL_H_
#undef NYSTROM_KERNELS_COLUMNS_INL_H_
#else
#define NYSTROM_KERNELS_COLUMNS_INL_H_
#endif

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "hwy/highway.h"
#include "kernels/tensor/context.h"

HWY_BEFORE_NAMESPACE();
namespace nystrom::HWY_NAMESPACE {

inline constexpr std::int64_t kColumnTile = 8192;  // columns summed at once, on a thread's stack
inline constexpr std::int64_t kRowBlock =
    32;  // rows summed by themselves first: rounding grows with their root

/// A partial sum of at most kColumnTile columns for each of `kSums` outputs.
template <class C, std::size_t kSums>
struct ColumnPartials {
  alignas(64) C values[kSums][kColumnTile];

  void clear(std::int64_t count) {
    for (auto& sum : values) std::fill_n(sum, count, C{0});
  }
  /// Adds to the outputs that are there.
  void fold(std::int64_t count, const std::array<C*, kSums>& to, std::int64_t offset) const {
    for (std::size_t s = 0; s < kSums; ++s) {
      if (to[s] == nullptr) continue;
      const C* partial = values[s];
      C* sum = to[s] + offset;
#pragma omp simd
      for (std::int64_t c = 0; c < count; ++c) sum[c] += partial[c];
    }
  }
};

/// sums[s][c] += the sum over rows of what `row(r, begin, count, partials)` adds to partials.values[s][0,
/// count) for columns [begin, begin + count); rows of at most kColumnTile columns come whole. An output that
/// is null is skipped. Blocks of rows go to threads in turn and are added up in order, so that memory is
/// walked as it lies and the bits depend on no thread count.
template <class C, std::size_t kSums, class Row>
void sum_columns(Context& context, std::int64_t rows, std::int64_t columns, const std::array<C*, kSums>& sums,
                 const Row& row) {
  const std::int64_t blocks = (rows + kRowBlock - 1) / kRowBlock;
  const int threads = static_cast<int>(std::min<std::int64_t>(context.threads(), blocks));
  for (std::int64_t begin = 0; begin < columns; begin += kColumnTile) {
    const std::int64_t count = std::min(kColumnTile, columns - begin);
    const auto one_block = [&](std::int64_t block, ColumnPartials<C, kSums>& partials) HWY_ATTR {
      partials.clear(count);
      const std::int64_t end = std::min((block + 1) * kRowBlock, rows);
      for (std::int64_t r = block * kRowBlock; r < end; ++r) row(r, begin, count, partials);
    };
    if (threads <= 1) {
      ColumnPartials<C, kSums> partials;
      for (std::int64_t block = 0; block < blocks; ++block) {
        one_block(block, partials);
        partials.fold(count, sums, begin);
      }
      continue;
    }
#pragma omp parallel for ordered schedule(static, 1) num_threads(threads)
    for (std::int64_t block = 0; block < blocks; ++block) {
      ColumnPartials<C, kSums> partials;
      one_block(block, partials);
#pragma omp ordered
      partials.fold(count, sums, begin);
    }
  }
}

}  // namespace nystrom::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
