#pragma once
// Depthwise convolution of attention's skip as a product of matrices: 16 rows of it are a band matrix
// [16, 15 + K] (row r is the filter moved r to the right) times the rows around them. One band serves all
// rows of a head; by the input's gradient it holds the filter reversed.

#include "kernels/cuda/attention/problem.h"

namespace nystrom::cuda {

/// The band of one head's filter, in shared memory, in two parts beside bf16.
template <class T>
struct ConvolutionBand {
  T* data = nullptr;
  int columns = 0;  ///< convolution_band(taps)

  __device__ int stride() const { return columns + 16 / static_cast<int>(sizeof(T)); }
  __device__ Operand<T, kDerivedParts<T>> from(int column) const {
    return {data + column, stride(), 16 * stride()};
  }
};

template <class T>
constexpr int convolution_band_bytes(int taps) {
  return taps == 0 ? 0 : kDerivedParts<T> * 16 * (convolution_band(taps) * static_cast<int>(sizeof(T)) + 16);
}

/// By the whole block; to be followed by __syncthreads.
template <class T>
__device__ inline ConvolutionBand<T> make_band(SharedCarver& carver, const float* filter, int taps,
                                               bool reversed) {
  ConvolutionBand<T> band;
  band.columns = convolution_band(taps);
  band.data = carver.take<T>(kDerivedParts<T> * 16 * band.stride());
  const auto element = [&](int k) { return k < 0 || k >= taps ? 0.0F : filter[reversed ? taps - 1 - k : k]; };
  for (int i = static_cast<int>(threadIdx.x); i < 16 * band.columns / 2; i += kAttentionThreads) {
    const int row = i / (band.columns / 2), column = i % (band.columns / 2) * 2;
    split(element(column - row), element(column + 1 - row), band.data + row * band.stride() + column,
          16 * band.stride(), std::integral_constant<int, kDerivedParts<T>>{});
  }
  return band;
}

/// The rows of other ranks in a tile of the rows from `begin` on, of a sequence that has the rows [0, n)
/// here: after start_rows, which leaves them zero. A thread writes where it started to load.
template <class T, int kColumns, int kRows>
__device__ inline void load_halo(const SharedTile<T, kColumns, 1, kRows>& tile, const HeadHalo<T>& halo,
                                 int begin, int n, int width) {
  using Tile = SharedTile<T, kColumns, 1, kRows>;
  constexpr int kVectors = kColumns / 8;
  if (halo.stride == 0 || (begin >= 0 && begin + kRows <= n)) return;
  finish_copies();  // of zeros, which would come later
  for (int v = static_cast<int>(threadIdx.x); v < kRows * kVectors; v += kAttentionThreads) {
    const int row = begin + v / kVectors, column = v % kVectors * 8;
    const bool before = row < 0 && row >= -halo.before_rows, after = row >= n && row < n + halo.after_rows;
    if ((!before && !after) || column >= width) continue;
    const T* const from = (before ? halo.before + (row + halo.before_rows) * halo.stride
                                  : halo.after + (row - n) * halo.stride) +
                          column;
#pragma unroll
    for (int e = 0; e < 8; e += 16 / static_cast<int>(sizeof(T)))
      copy_16_bytes(tile.data + v / kVectors * Tile::kStride + column + e, from + e);
  }
}

/// Adds what the tile of the rows from `piece` on, counted from the band's first, gives to the warp's sums.
template <class T, int kWidth>
__device__ inline void add_band_rows(Sums<kWidth>& sums, const ConvolutionBand<T>& band,
                                     const SharedTile<T, kWidth>& tile, int piece) {
#pragma unroll
  for (int k = 0; k < kBlockRows; k += 16) {
    const int column = piece + k - 16 * warp_index();
    if (column >= 0 && column < band.columns)
      add_product<Lies::kPlain, Lies::kPlain, 16>(sums, band.from(column), tile.from(k));
  }
}

/// sums += the convolution of x (rows [0, n), `stride` elements apart, and the halo's) at the rows [first,
/// first + 64). `tile` is overwritten, and may be in use until the call. Begins with __syncthreads.
template <class T, int kWidth>
__device__ inline void add_convolution(Sums<kWidth>& sums, const ConvolutionBand<T>& band, const T* x,
                                       std::int64_t stride, int n, int first, int taps, int width,
                                       const SharedTile<T, kWidth>& tile, const HeadHalo<T>& halo = {}) {
  const int start = first - taps / 2;  // the row where the band of the tile's first 16 rows begins
  for (int piece = 0; piece < 48 + band.columns; piece += kBlockRows) {
    __syncthreads();
    const int begin = start + piece;
    start_rows(tile, x + begin * stride, stride, -begin, n - begin, width);
    load_halo(tile, halo, begin, n, width);
    finish_rows();
    add_band_rows(sums, band, tile, piece);
  }
}

/// The same in two parts, for filters of up to kAheadTaps: start_pieces() loads the two tiles of rows around
/// the 64, and add_pieces() adds them up once they are there.
constexpr int kAheadTaps = 65;

template <class T, int kWidth>
using ConvolutionPieces = TileRing<SharedTile<T, kWidth>, 2>;

template <class T, int kWidth>
__device__ inline void start_pieces(const ConvolutionPieces<T, kWidth>& pieces, const T* x,
                                    std::int64_t stride, int n, int first, int taps, int width,
                                    const HeadHalo<T>& halo) {
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    const int begin = first - taps / 2 + i * kBlockRows;
    start_rows(pieces.at(i), x + begin * stride, stride, -begin, n - begin, width);
    load_halo(pieces.at(i), halo, begin, n, width);
  }
}
template <class T, int kWidth>
__device__ inline void add_pieces(Sums<kWidth>& sums, const ConvolutionBand<T>& band,
                                  const ConvolutionPieces<T, kWidth>& pieces) {
#pragma unroll
  for (int i = 0; i < 2; ++i) add_band_rows(sums, band, pieces.at(i), i * kBlockRows);
}

}  // namespace nystrom::cuda
