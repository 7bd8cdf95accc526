#pragma once
// LayerNorm of rows on the device, shared by layer_norm.cu and embedding.cu.
//
// A row is held in registers by a group of threads: a warp up to 1024 columns (four rows a block at once),
// a block of 256 threads up to 8192. Thread t of a group of G has the eights at columns 8 (k G + t).

#include <algorithm>

#include "kernels/cuda/column_sums.h"

namespace nystrom::cuda {

/// How a kernel lays rows over threads; a template argument of each kernel below.
template <int kGroupThreads, int kEightsEach, bool kRaggedRows>
struct RowLayout {
  static constexpr int kGroup = kGroupThreads;  ///< threads a row
  static constexpr int kEights = kEightsEach;   ///< eights a thread
  static constexpr bool kRagged = kRaggedRows;  ///< see vectors.h
  static constexpr int kThreads = kGroup == 32 ? 128 : kGroup;
  static constexpr int kRows = kThreads / kGroup;  ///< rows a block at once
  /// Blocks a multiprocessor: keeps accumulators of a backward pass in registers.
  static constexpr int kBlocks = kGroup == 32 ? (kEights == 4 ? 2 : 3) : 1;

  static constexpr std::size_t shared_bytes(std::int64_t columns) {
    // block_sum's room, or a row of sums for each warp
    return sizeof(float) * (kGroup == 32 ? kRows * static_cast<std::size_t>(columns) : 64);
  }
};

/// Calls f(RowLayout<...>{}) for rows of `columns`.
template <class F>
void dispatch_rows(std::int64_t columns, bool whole, const F& f) {
  if (!whole) return columns <= 1024 ? f(RowLayout<32, 4, true>{}) : f(RowLayout<256, 4, true>{});
  if (columns <= 256) return f(RowLayout<32, 1, false>{});
  if (columns <= 512) return f(RowLayout<32, 2, false>{});
  if (columns <= 768) return f(RowLayout<32, 3, false>{});
  if (columns <= 1024) return f(RowLayout<32, 4, false>{});
  return f(RowLayout<256, 4, false>{});
}

/// This thread's place in the rows of its block.
template <class Layout>
struct RowPlace {
  int thread;         ///< within the group
  std::int64_t row;   ///< the first one of this group
  std::int64_t step;  ///< to its next one
  int columns;

  __device__ explicit RowPlace(std::int64_t row_columns)
      : thread(static_cast<int>(threadIdx.x) % Layout::kGroup),
        row(std::int64_t{blockIdx.x} * Layout::kRows + static_cast<int>(threadIdx.x) / Layout::kGroup),
        step(std::int64_t{gridDim.x} * Layout::kRows),
        columns(static_cast<int>(row_columns)) {}

  [[nodiscard]] __device__ int column(int k) const { return (k * Layout::kGroup + thread) * kEight; }
  /// Values of eight k that lie in the row.
  [[nodiscard]] __device__ int count(int k) const {
    const int left = columns - column(k);
    if constexpr (Layout::kRagged) return left < 0 ? 0 : (left < kEight ? left : kEight);
    return left > 0 ? kEight : 0;
  }
};

/// The sum over a group's threads, in all of them. `shared`: 32 floats, for groups of a block.
template <class Layout>
__device__ float group_sum(float x, float* shared) {
  if constexpr (Layout::kGroup == 32)
    return warp_sum(x);
  else
    return block_sum(x, shared);
}

template <class Layout>
using RowValues = Vec8[Layout::kEights];

/// Mean and 1 / sqrt(var + epsilon) of the row z, two passes over registers.
template <class Layout>
__device__ float2 row_statistics(const RowPlace<Layout>& place, const RowValues<Layout>& z, float epsilon,
                                 float* shared) {
  float sum = 0;
#pragma unroll
  for (int k = 0; k < Layout::kEights; ++k) {
    if (place.count(k) == 0) continue;  // (values beyond a ragged end are 0)
#pragma unroll
    for (int i = 0; i < kEight; ++i) sum += z[k].v[i];
  }
  const float mean = group_sum<Layout>(sum, shared) / static_cast<float>(place.columns);
  float squares = 0;
#pragma unroll
  for (int k = 0; k < Layout::kEights; ++k) {
    const int count = place.count(k);
#pragma unroll
    for (int i = 0; i < kEight; ++i) {
      const float d = z[k].v[i] - mean;
      squares += i < count ? d * d : 0.0F;
    }
  }
  const float variance = group_sum<Layout>(squares, shared) / static_cast<float>(place.columns);
  return make_float2(mean, 1.0F / sqrtf(variance + epsilon));
}

/// A row's of stats [rows, 2], which may lie at any address of a float.
__device__ inline void store_statistics(float* stats, std::int64_t row, float2 of_row) {
  stats[2 * row] = of_row.x;
  stats[2 * row + 1] = of_row.y;
}
__device__ inline float2 load_statistics(const float* stats, std::int64_t row) {
  return {stats[2 * row], stats[2 * row + 1]};
}

/// gamma (z - mean) rstd + beta of one eight.
template <bool kRagged>
__device__ Vec8 normalized8(const Vec8& z, float2 stats, const float* gamma, const float* beta, int count) {
  const Vec8 g = load8<kRagged>(gamma, count), b = load8<kRagged>(beta, count);
  Vec8 y;
#pragma unroll
  for (int i = 0; i < kEight; ++i) y.v[i] = g.v[i] * ((z.v[i] - stats.x) * stats.y) + b.v[i];
  return y;
}

/// d becomes rstd (g - mean(g) - n mean(g n)) with g = gamma d and n = (z - mean) rstd; z becomes n. Adds d n
/// to d_gamma and d to d_beta.
template <class Layout>
__device__ void row_backward(const RowPlace<Layout>& place, float2 stats, const float* gamma,
                             RowValues<Layout>& d, RowValues<Layout>& z, RowValues<Layout>& d_gamma,
                             RowValues<Layout>& d_beta, float* shared) {
  float sum = 0, product = 0;
#pragma unroll
  for (int k = 0; k < Layout::kEights; ++k) {
    const int count = place.count(k);
    if (count == 0) continue;
    const Vec8 g = load8<Layout::kRagged>(gamma + place.column(k), count);
#pragma unroll
    for (int i = 0; i < kEight; ++i) {
      const float n = (z[k].v[i] - stats.x) * stats.y, along = d[k].v[i] * n;
      z[k].v[i] = n;
      d_gamma[k].v[i] += along;  // beyond a ragged end d is 0
      d_beta[k].v[i] += d[k].v[i];
      d[k].v[i] *= g.v[i];
      sum += d[k].v[i];
      product += d[k].v[i] * n;
    }
  }
  const float columns = static_cast<float>(place.columns);
  const float mean_g = group_sum<Layout>(sum, shared) / columns;
  const float mean_gn = group_sum<Layout>(product, shared) / columns;
#pragma unroll
  for (int k = 0; k < Layout::kEights; ++k)
#pragma unroll
    for (int i = 0; i < kEight; ++i) d[k].v[i] = stats.y * (d[k].v[i] - mean_g - z[k].v[i] * mean_gn);
}

/// Writes the block's column sums to partials [columns] of this block: those of its groups, in order.
/// `shared` as shared_bytes() has it. All threads of the block take part.
template <class Layout>
__device__ void leave_partials(const RowPlace<Layout>& place, const RowValues<Layout>& sums, float* partials,
                               float* shared) {
  if constexpr (Layout::kRows == 1) {
#pragma unroll
    for (int k = 0; k < Layout::kEights; ++k)
      if (place.count(k) > 0) store8<Layout::kRagged>(partials + place.column(k), sums[k], place.count(k));
  } else {
    float* mine = shared + static_cast<int>(threadIdx.x) / Layout::kGroup * place.columns;
    __syncthreads();
#pragma unroll
    for (int k = 0; k < Layout::kEights; ++k)
      if (place.count(k) > 0) store8<Layout::kRagged>(mine + place.column(k), sums[k], place.count(k));
    __syncthreads();
    for (int c = static_cast<int>(threadIdx.x); c < place.columns; c += Layout::kThreads) {
      float total = 0;
#pragma unroll
      for (int r = 0; r < Layout::kRows; ++r) total += shared[r * place.columns + c];
      partials[c] = total;
    }
  }
}

/// Blocks for `rows` rows: no more than are resident at once, each of which takes rows in turn.
template <class Layout>
std::int64_t row_blocks(CudaContext& context, std::int64_t rows) {
  return std::clamp<std::int64_t>((rows + Layout::kRows - 1) / Layout::kRows, 1,
                                  std::int64_t{Layout::kBlocks} * context.multiprocessors());
}

}  // namespace nystrom::cuda
