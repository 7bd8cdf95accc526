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

inline constexpr std::int64_t kColumnTile = 8192;  // columns summed at once
inline constexpr std::int64_t kRowBlock = 32;  // rows summed separately first: rounding grows with their root
inline constexpr std::int64_t kFoldGrain = 512;  // columns whose partial sums are worth a thread

/// Where a block of rows adds up at most kColumnTile columns of each of `kSums` outputs.
template <class C, std::size_t kSums>
struct ColumnPartials {
  C* values[kSums];

  /// Elements from the sums of one output, and of one block, to the next.
  static std::int64_t pitch(std::int64_t count) { return (count + 15) / 16 * 16; }
  static std::int64_t elements(std::int64_t count) { return pitch(count) * std::int64_t{kSums}; }

  ColumnPartials(C* memory, std::int64_t count) {
    for (std::size_t s = 0; s < kSums; ++s) values[s] = memory + static_cast<std::int64_t>(s) * pitch(count);
  }
  void clear(std::int64_t count) {
    for (C* sum : values) std::fill_n(sum, count, C{0});
  }
  /// Adds columns [begin, end) to the outputs that are there.
  void fold(std::int64_t begin, std::int64_t end, const std::array<C*, kSums>& to) const {
    for (std::size_t s = 0; s < kSums; ++s) {
      if (to[s] == nullptr) continue;
      const C* partial = values[s];
      C* sum = to[s];
#pragma omp simd
      for (std::int64_t c = begin; c < end; ++c) sum[c] += partial[c];
    }
  }
};

/// On one thread a block is added to the outputs as soon as it is summed.
template <class C, std::size_t kSums, class SumBlock>
void sum_blocks_alone(std::int64_t blocks, std::int64_t count, const std::array<C*, kSums>& to,
                      const SumBlock& sum_block) {
  alignas(64) C memory[kSums * kColumnTile];
  const ColumnPartials<C, kSums> partials(memory, count);
  for (std::int64_t block = 0; block < blocks; ++block) {
    sum_block(block, partials);
    partials.fold(0, count, to);
  }
}

/// On several threads as many blocks as the workspace has room for are summed, and then added up, in order.
template <class C, std::size_t kSums, class SumBlock>
void sum_blocks_together(Context& context, std::int64_t blocks, std::int64_t count,
                         const std::array<C*, kSums>& to, const SumBlock& sum_block) {
  using Partials = ColumnPartials<C, kSums>;
  C* const memory = reinterpret_cast<C*>(context.workspace());
  const std::int64_t size = Partials::elements(count);
  const std::int64_t room = static_cast<std::int64_t>(Context::kWorkspaceBytes / sizeof(C)) / size;
  const auto partials = [=](std::int64_t place) { return Partials(memory + place * size, count); };
  for (std::int64_t first = 0; first < blocks; first += room) {
    const std::int64_t some = std::min(room, blocks - first);
    parallel_for(context, some, 1, [&](std::int64_t begin, std::int64_t end) HWY_ATTR {
      for (std::int64_t i = begin; i < end; ++i) sum_block(first + i, partials(i));
    });
    parallel_for(context, count, kFoldGrain, [&](std::int64_t begin, std::int64_t end) HWY_ATTR {
      for (std::int64_t i = 0; i < some; ++i) partials(i).fold(begin, end, to);
    });
  }
}

/// sums[s][c] += the sum over rows of what `row(r, begin, count, partials)` adds to partials.values[s][0,
/// count) for columns [begin, begin + count); rows of at most kColumnTile columns come whole. An output that
/// is null is skipped. Blocks of rows are summed separately, by any thread, and then added up in order:
/// memory is walked in order, no thread waits for another's block, and the bits depend on no thread count.
template <class C, std::size_t kSums, class Row>
void sum_columns(Context& context, std::int64_t rows, std::int64_t columns, const std::array<C*, kSums>& sums,
                 const Row& row) {
  const std::int64_t blocks = (rows + kRowBlock - 1) / kRowBlock;
  for (std::int64_t begin = 0; begin < columns; begin += kColumnTile) {
    const std::int64_t count = std::min(kColumnTile, columns - begin);
    std::array<C*, kSums> to = sums;
    for (C*& sum : to)
      if (sum != nullptr) sum += begin;
    const auto sum_block = [&](std::int64_t block, ColumnPartials<C, kSums> partials) HWY_ATTR {
      partials.clear(count);
      const std::int64_t end = std::min((block + 1) * kRowBlock, rows);
      for (std::int64_t r = block * kRowBlock; r < end; ++r) row(r, begin, count, partials);
    };
    if (std::min<std::int64_t>(context.threads(), blocks) <= 1)
      sum_blocks_alone(blocks, count, to, sum_block);
    else
      sum_blocks_together(context, blocks, count, to, sum_block);
  }
}

}  // namespace nystrom::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
