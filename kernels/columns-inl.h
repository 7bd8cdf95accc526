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
#include "kernels/core/context.h"

HWY_BEFORE_NAMESPACE();
namespace nystrom::HWY_NAMESPACE {

inline constexpr std::int64_t kColumnBlock = 256;  // columns that a thread sums at once, in its L1 cache
inline constexpr std::int64_t kColumnGrain = 64;   // threads are given multiples of this many columns
inline constexpr std::int64_t kRowBlock =
    64;  // rows summed by themselves first: rounding grows with their root

/// One partial sum of kColumnBlock columns for each of `kSums` outputs.
template <class C, std::size_t kSums>
struct ColumnPartials {
  alignas(64) C values[kSums][kColumnBlock];
};

template <class C, std::size_t kSums>
void fold_columns(const ColumnPartials<C, kSums>& from, std::int64_t count, const std::array<C*, kSums>& to,
                  std::int64_t offset) {
  for (std::size_t s = 0; s < kSums; ++s) {
    if (to[s] == nullptr) continue;
    const C* partial = from.values[s];
    C* sum = to[s] + offset;
#pragma omp simd
    for (std::int64_t c = 0; c < count; ++c) sum[c] += partial[c];
  }
}

/// sums[s][c] += the sum over rows of what `add(row, begin, count, partials)` adds to partials.values[s][0,
/// count) for columns [begin, begin + count). An output that is null is skipped. Threads own columns, and the
/// order of the sums depends on the row count alone, so the bits depend on no thread count.
template <class C, std::size_t kSums, class Add>
void sum_columns(Context& context, std::int64_t rows, std::int64_t columns, const std::array<C*, kSums>& sums,
                 const Add& add) {
  const std::int64_t parts = (columns + kColumnGrain - 1) / kColumnGrain;
  parallel_for(context, parts, 1, [&](std::int64_t first, std::int64_t last) HWY_ATTR {
    const std::int64_t stop = std::min(last * kColumnGrain, columns);
    for (std::int64_t begin = first * kColumnGrain; begin < stop; begin += kColumnBlock) {
      const std::int64_t count = std::min(kColumnBlock, stop - begin);
      for (std::int64_t row = 0; row < rows;) {
        ColumnPartials<C, kSums> partials{};
        for (const std::int64_t end = std::min(row + kRowBlock, rows); row < end; ++row)
          add(row, begin, count, partials);
        fold_columns(partials, count, sums, begin);
      }
    }
  });
}

}  // namespace nystrom::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
