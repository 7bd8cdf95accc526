#pragma once
// Sums over the rows of a [rows, columns] tensor in two stages without atomics: blocks leave partial sums of
// their rows, a second kernel adds the partials up in a fixed order.

#include <algorithm>
#include <array>
#include <cstdint>

#include "kernels/tensor/cuda/context.h"
#include "kernels/tensor/cuda/launch.h"
#include "kernels/tensor/cuda/vectors.h"

namespace nystrom::cuda {

/// sums[s][c] += the sum over parts of partials[part][s][c], for each sum that is not null.
/// partials [parts, sums, columns] fp32.
void add_column_partials(CudaContext& context, const float* partials, std::int64_t parts,
                         std::int64_t columns, const std::array<float*, 3>& sums, int count);

/// A tile of 256 columns, eight a lane, and rows dealt to the block's warps in turn.
struct ColumnTiles {
  static constexpr int kWarps = 8, kColumns = 32 * kEight;
  static constexpr std::size_t kSharedBytes = sizeof(float) * kWarps * kColumns;

  std::int64_t rows, columns, stride, parts;  ///< stride: values from row to row
  float* partials;                            ///< [parts, columns]

  /// As many parts of rows as keep every multiprocessor busy, each of at least kWarps rows.
  ColumnTiles(CudaContext& context, std::int64_t row_count, std::int64_t column_count,
              std::int64_t row_stride)
      : rows(row_count), columns(column_count), stride(row_stride) {
    const std::int64_t wanted = (4 * context.multiprocessors() + tiles() - 1) / tiles();
    parts = std::clamp<std::int64_t>((rows + kWarps - 1) / kWarps, 1, wanted);
    partials =
        static_cast<float*>(context.workspace(static_cast<std::size_t>(parts * columns) * sizeof(float)));
  }
  [[nodiscard]] std::int64_t tiles() const { return (columns + kColumns - 1) / kColumns; }
  [[nodiscard]] dim3 grid() const {
    return {static_cast<unsigned>(tiles()), static_cast<unsigned>(parts), 1};
  }
};

/// partials[blockIdx.y] = the column sums of what `body(at, count)` gives for the eight values from index
/// `at` of the tensor on, over the rows of this block.
template <bool kRagged, class Body>
__global__ void column_tiles_kernel(ColumnTiles p, Body body) {
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  const std::int64_t tile = std::int64_t{blockIdx.x} * ColumnTiles::kColumns, column = tile + lane * kEight;
  const std::int64_t left = p.columns - column;
  const int count = static_cast<int>(left < kEight ? (left < 0 ? 0 : left) : kEight);
  Vec8 sum{};
  if (count > 0) {
    for (std::int64_t row = std::int64_t{blockIdx.y} * ColumnTiles::kWarps + warp; row < p.rows;
         row += p.parts * ColumnTiles::kWarps) {
      const Vec8 x = body.template at<kRagged>(row * p.stride + column, count);
#pragma unroll
      for (int i = 0; i < kEight; ++i) sum.v[i] += x.v[i];
    }
  }
  float* shared = shared_memory<float>();  // [kWarps, kColumns]
#pragma unroll
  for (int i = 0; i < kEight; ++i) shared[warp * ColumnTiles::kColumns + lane * kEight + i] = sum.v[i];
  __syncthreads();
  const int mine = static_cast<int>(threadIdx.x);
  if (tile + mine >= p.columns) return;
  float total = 0;
  for (int w = 0; w < ColumnTiles::kWarps; ++w) total += shared[w * ColumnTiles::kColumns + mine];
  p.partials[std::int64_t{blockIdx.y} * p.columns + tile + mine] = total;
}

/// sums [columns] += the column sums of what `body` gives (and does: it may store, too). Empty sums: only
/// the body's own work. `stride`: values from row to row, `columns` or more; not ragged: a multiple of eight.
template <class Body>
void sum_columns(CudaContext& context, const char* name, std::int64_t rows, std::int64_t columns,
                 std::int64_t stride, bool whole, const Body& body, float* sums) {
  if (rows == 0 || columns == 0) return;
  const ColumnTiles tiles(context, rows, columns, stride);
  const auto kernel = whole ? column_tiles_kernel<false, Body> : column_tiles_kernel<true, Body>;
  launch(context.stream(), tiles.grid(), dim3(32 * ColumnTiles::kWarps), ColumnTiles::kSharedBytes, name,
         kernel, tiles, body);
  if (sums != nullptr)
    add_column_partials(context, tiles.partials, tiles.parts, columns, {sums, nullptr, nullptr}, 1);
}

}  // namespace nystrom::cuda
