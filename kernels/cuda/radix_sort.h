#pragma once
// Stable sort of the rows 0..N-1 by small integer keys, several tables of keys at once: what a deterministic
// scatter needs.

#include <array>
#include <cstdint>

#include "kernels/tensor/cuda/context.h"

namespace nystrom::cuda {

inline constexpr int kSortTables = 3;

/// Least significant digit first, 8 bits a pass: `passes` of them sort keys below 256^passes.
struct SortTables {
  const std::int32_t* keys[kSortTables];  ///< [count] each, >= 0
  std::int32_t* order[kSortTables];       ///< out [count]: rows by key, equal keys in the order of rows
  std::int32_t* sorted[kSortTables];      ///< out [count]: keys[order]
  std::int32_t* other[kSortTables];       ///< scratch [count]
  std::int32_t* counts;                   ///< scratch [kSortTables, 256, sort_tiles(count)]
  std::int64_t count;
  int passes;
};

/// Tiles of rows that a block sorts by itself.
[[nodiscard]] std::int64_t sort_tiles(std::int64_t count);
/// Three launches a pass; nothing depends on the order in which blocks run. count is at least 1.
void sort_rows(CudaContext& context, const SortTables& tables);

}  // namespace nystrom::cuda
