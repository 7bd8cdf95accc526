#pragma once
// Arguments of every CUDA kernel of attention, and how a block finds its work.

#include <algorithm>
#include <cstdint>

#include "kernels/attention/attention.h"
#include "kernels/core/philox.h"
#include "kernels/cuda/attention/tiles.h"
#include "kernels/cuda/attention/workspace.h"

namespace nystrom::cuda {

/// A sequence on several ranks.
struct SplitItem {
  int batch = -1;             ///< its number here; -1: there is none
  int first = 0, length = 0;  ///< the row of the whole sequence that is the first one here, and its rows
  int pieces = 0, mine = 0;   ///< ranks that have rows of it, and this rank's place among them
};

/// Sizes of a call, in device memory where the host does not know them.
struct AttentionProblem {
  const std::int32_t* offsets = nullptr;  ///< [B + 1]
  const std::int32_t* lengths = nullptr;  ///< [B]
  std::int64_t tokens = 0;                ///< T
  int batch = 0, heads = 0, width = 0;    ///< B, H, D
  int landmarks = 0, taps = 0;            ///< M (0: no landmarks), K
  int exact_rows = 0;                     ///< sequences of at most so many rows attend exactly
  int max_chunks = 0;                     ///< of the call's longest sequence
  float scale = 0;                        ///< 1 / sqrt(D)
  int projections = 3;                    ///< parts of qkv, of which the last is v
  int window_half = -1;                   ///< exact: keys at most so far are seen; -1: all
  bool first_is_global = false;           ///< exact: token 0 sees all, and all see it
  SplitItem splits[2];                    ///< sequences on several ranks
};

/// One head of one sequence.
struct AttentionItem {
  int index, batch, head;
  std::int64_t begin;  ///< its first row of T
  int rows, keys;      ///< rows here, and the real tokens among them
  int first, length;   ///< the row of the whole sequence that is the first one here, and n
  int split;           ///< its place in problem.splits; -1: it is whole
  bool exact;          ///< attends exactly
};

__device__ inline AttentionItem item_of(const AttentionProblem& problem, int index) {
  AttentionItem item{};
  item.index = index;
  item.batch = index / problem.heads;
  item.head = index % problem.heads;
  item.begin = problem.offsets[item.batch];
  item.rows = static_cast<int>(problem.offsets[item.batch + 1] - item.begin);
  item.keys = min(item.rows, problem.lengths[item.batch]);
  item.length = item.rows;
  item.split = -1;
  for (int s = 0; s < 2; ++s) {
    const SplitItem& split = problem.splits[s];
    if (split.batch != item.batch) continue;
    item.first = split.first;
    item.length = split.length;
    item.split = s;
  }
  item.exact = item.length <= problem.exact_rows;
  return item;
}

/// Chunk blockIdx.y of item blockIdx.x: its rows [begin, end), of which there are none beyond the last chunk.
struct ItemChunk {
  AttentionItem item;
  int chunk, begin, end;
};
__device__ inline ItemChunk chunk_of_block(const AttentionProblem& problem) {
  const AttentionItem item = item_of(problem, static_cast<int>(blockIdx.x));
  const int chunk = static_cast<int>(blockIdx.y), size = attention_chunk_rows(item.rows),
            begin = chunk * size;
  return {item, chunk, begin, min(begin + size, item.rows)};
}

__device__ inline SplitItem split_of(const AttentionProblem& problem, const AttentionItem& item) {
  return item.split == 0 ? problem.splits[0] : problem.splits[1];
}

/// Rows of other ranks beside those of the split sequences, [rows, C] each.
template <class T>
struct Halos {
  const T *before[2] = {}, *after[2] = {};
  int before_rows[2] = {}, after_rows[2] = {};
};

/// Those of one head.
template <class T>
struct HeadHalo {
  const T *before = nullptr, *after = nullptr;
  int before_rows = 0, after_rows = 0;
  std::int64_t stride = 0;
};
template <class T>
__device__ HeadHalo<T> halo_of(const Halos<T>& halos, const AttentionProblem& problem,
                               const AttentionItem& item) {
  if (item.split < 0) return {};
  const bool is_first = item.split == 0;  // no indexing by a variable: it would go to local memory
  const int column = item.head * problem.width;
  return {(is_first ? halos.before[0] : halos.before[1]) + column,
          (is_first ? halos.after[0] : halos.after[1]) + column,
          is_first ? halos.before_rows[0] : halos.before_rows[1],
          is_first ? halos.after_rows[0] : halos.after_rows[1],
          static_cast<std::int64_t>(problem.heads) * problem.width};
}

/// Head `item.head` of part `part` (q, k, v: 0, 1, 2) of [T, parts C], at the item's first row.
template <class T>
__device__ T* rows_of(T* x, const AttentionProblem& problem, const AttentionItem& item, int parts, int part) {
  const std::int64_t channels = static_cast<std::int64_t>(problem.heads) * problem.width;
  return x + item.begin * parts * channels + part * channels + item.head * problem.width;
}

/// The values of the item's rows, which lie `value_stride` elements apart.
template <class T>
__device__ T* values_of(T* qkv, const AttentionProblem& problem, const AttentionItem& item) {
  return rows_of(qkv, problem, item, problem.projections, problem.projections - 1);
}
__device__ inline std::int64_t value_stride(const AttentionProblem& problem) {
  return static_cast<std::int64_t>(problem.projections) * problem.heads * problem.width;
}

/// Whether two tokens of a sequence see each other (exact attention).
__device__ inline bool sees(const AttentionProblem& problem, int row, int key) {
  if (problem.window_half < 0 || (problem.first_is_global && (row == 0 || key == 0))) return true;
  return abs(row - key) <= problem.window_half;
}

/// The tiles on the other side that a tile of 64 rows from `first` sees some row of, in ascending order:
///   for (int key = tiles.first(); key < tiles.end; key = tiles.next(key))
struct SeenTiles {
  int begin, end;
  bool and_first;  ///< the tile of token 0 as well

  __device__ int first() const { return and_first ? 0 : begin; }
  __device__ int next(int key) const { return max(key + kBlockRows, begin); }
};
__device__ inline SeenTiles tiles_seen(const AttentionProblem& problem, int first, int rows) {
  const int half = problem.window_half;
  if (half < 0 || (problem.first_is_global && first == 0)) return {0, rows, false};
  return {max(0, first - half) / kBlockRows * kBlockRows, min(rows, first + kBlockRows + half),
          problem.first_is_global};
}

/// The statistics of the item's rows: [H, T, 2] in this backend, so that neighbours in a tile are neighbours
/// in memory.
__device__ inline float* stats_of(float* stats, const AttentionProblem& problem, const AttentionItem& item) {
  return stats + (item.head * problem.tokens + item.begin) * 2;
}

/// Attention dropout of exact softmax: element (row, key) of a sequence's head is element h n^2 + row n +
/// key.
struct AttentionDropout {
  bool active = false;
  std::uint32_t threshold = 0, site = 0;
  float scale = 1;
  std::uint64_t seed = 0;
  const std::int64_t* samples = nullptr;  ///< [T]
};

/// What probability (row, key) is multiplied by: 0 or the scale.
__device__ inline float dropout_factor(const AttentionDropout& dropout, const AttentionItem& item, int row,
                                       int key) {
  const auto n = static_cast<std::uint64_t>(item.rows);
  const std::uint64_t element =
      (static_cast<std::uint64_t>(item.head) * n + static_cast<std::uint64_t>(row)) * n +
      static_cast<std::uint64_t>(key);
  const auto sample = static_cast<std::uint64_t>(dropout.samples[item.begin]);
  const PhiloxCounter words = draw(dropout.seed, Purpose::kDropout, dropout.site, sample, element / 8);
  const auto word =
      static_cast<unsigned>(element % 8 / 2);  // no indexing by a variable: it would go to local memory
  const std::uint32_t bits = word == 0 ? words[0] : word == 1 ? words[1] : word == 2 ? words[2] : words[3];
  return (bits >> (element % 2 * 16) & 0xffffU) >= dropout.threshold ? dropout.scale : 0.0F;
}

/// Blocks that have `size` of `count` each.
constexpr unsigned blocks_of(std::int64_t count, std::int64_t size) {
  return static_cast<unsigned>((count + size - 1) / size);
}

/// Whether the passes over the sequence with landmarks can use wgmma beside activations in bf16: a tile of 64
/// x 64 holds the landmarks of a head.
constexpr bool fits_group(const AttentionProblem& problem) {
  return problem.landmarks <= kGroupTile && problem.width > 32 && problem.width <= kGroupTile;
}

/// f(std::integral_constant<int, W>) with the columns W of a tile that hold `width` of a head.
template <class F>
decltype(auto) dispatch_head_width(int width, F&& f) {
  if (width <= 32) return f(std::integral_constant<int, 32>{});
  if (width <= 64) return f(std::integral_constant<int, 64>{});
  return f(std::integral_constant<int, 128>{});
}

}  // namespace nystrom::cuda
