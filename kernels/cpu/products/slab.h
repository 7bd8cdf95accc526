#pragma once
// What products in fp32 and bf16 have in common: operands packed into panels, chunks of them for threads. The
// kernels that pack and multiply are given.

#include <cstddef>

#include "kernels/tensor/context.h"

namespace nystrom {

/// A panel holds some lanes (rows of a or columns of b) of a block of k, as words of 32 bits: one number in
/// fp32, two in bf16 that are next to each other along k. Word (lane, p) is at [p * pitch + lane], so that a
/// kernel reads both operands as they are stored.
inline constexpr std::int64_t kWord = 4;  // bytes

/// Lanes in memory: number p of lane i at data + i * lane + p * step, in bytes; one of the two is the size of
/// a number.
struct Lanes {
  const std::byte* data = nullptr;
  std::int64_t lane = 0, step = 0;

  [[nodiscard]] Lanes from(std::int64_t first_lane, std::int64_t first) const {
    return {.data = data + first_lane * lane + first * step, .lane = lane, .step = step};
  }
};

/// c [rows, columns] = bias (or 0) + the sum over p of a(i, p) b(p, j), + c where `add`.
struct ProductTile {
  std::int64_t words;  ///< of the block of k
  const std::byte* a;  ///< [words][rows]
  const std::byte* b;  ///< [words][tile_columns]
  const float* bias;   ///< null: none; not together with `add`
  bool add;
  std::byte* c;            ///< fp32, or bf16 where the kernels say so
  std::int64_t c_row;      ///< numbers from a row to the next
  const std::byte* ahead;  ///< what is read next and not yet near: fetched while this is computed,
  std::int64_t step;       ///< bytes for each p
};

/// The kernels of one type of numbers and one instruction set.
struct ProductKernels {
  using Pack = void (*)(const Lanes& from, std::int64_t lanes, std::int64_t count, std::byte* to,
                        std::int64_t pitch);

  std::int64_t number;                   ///< bytes of a number of a and b: 2 or 4
  std::int64_t result;                   ///< bytes of a number of c: 2 or 4
  std::int64_t tile_rows, tile_columns;  ///< of the largest tile; at most kMaxTile
  std::int64_t block;                    ///< words of k that are summed in registers
  std::int64_t multiple;                 ///< of words that a panel is filled up to with zeros
  /// Panels of `pitch` lanes, one after another, of `count` numbers of each lane. What lanes lack of the last
  /// panel, and what `count` lacks of whole words or of a multiple of them, becomes zeros. Of a, one panel of
  /// at most tile_rows lanes, where `pitch` is their number.
  Pack pack_a, pack_b;
  /// Each element is one chain of multiply-adds in the order of p, whatever the number of rows.
  void (*multiply)(const ProductTile& tile, std::int64_t rows, std::int64_t columns);
  /// What a thread does before and after it multiplies; null: nothing.
  void (*begin)() = nullptr;
  void (*end)() = nullptr;
};
inline constexpr std::int64_t kMaxTile = 32;

/// c [m, n], its rows c_row numbers apart, = a [m, k] b [k, n] (+ bias [n], where not null) (+ c, where
/// `accumulate`). k > 0. c overlaps nothing else.
struct Product {
  std::int64_t m = 0, n = 0, k = 0;
  Lanes a, b;  ///< rows of a, columns of b
  const float* bias = nullptr;
  std::byte* c = nullptr;
  std::int64_t c_row = 0;
  bool accumulate = false;
};

/// The longest k of a product whose results are bf16: these are rounded once, so k is one block.
inline constexpr std::int64_t kMaxRoundedK = 6144;

/// An element of c is summed over blocks of k of a fixed length, each a chain of multiply-adds in order, and
/// the blocks in order: its bits depend on its row of a, its column of b, and k, and on neither the other
/// rows and columns, nor where it is, nor the number of threads.
void multiply(Context& context, const Product& product, const ProductKernels& kernels);

}  // namespace nystrom
