#pragma once
// Backward of attention on the GPU: its two passes over the sequence. Both recompute the softmaxes from their
// saved statistics.

#include "kernels/cuda/attention/convolution.h"
#include "kernels/cuda/attention/problem.h"
#include "kernels/tensor/cuda/context.h"

namespace nystrom::cuda {

/// Arguments of both passes.
template <class T>
struct GradientPass {
  AttentionProblem problem;
  const T* qkv;              // [T, 3 C]
  const T* d_out;            // [T, C]
  const float* filter;       // [H, K]
  float* row_stats;          // [H, T, 2]
  AttentionDropout dropout;  // (exact)
  T* d_qkv;                  // [T, 3 C]
  float* deltas;             // [B, H, deltas_stride] (exact): the rows' pass leaves them for the keys'
  int deltas_stride;
  Halos<T> halos;  // of d_out
};

/// Shared memory of a pass: tiles of 64 queries with the gradients of their results, and of 64 keys with
/// their values. A warp owns 16 rows of one side, activations all; those of the other side pass by, and are
/// landmarks, with kParts parts, unless attention is exact. Where there is room (kAhead), what is read tile
/// by tile has two: rows that pass by, and nystrom's own queries. Nystrom's own keys are loaded while the
/// convolution works, on tiles of its own.
template <class T, int kWidth, bool kExact, bool kOwnsQueries>
struct GradientTiles {
  static constexpr bool kAhead = kLoadsAhead<T, kWidth>;
  static constexpr bool kPieces = kAhead && !kExact && !kOwnsQueries;
  static constexpr int kParts = kExact ? 1 : kDerivedParts<T>;
  static constexpr int kQueries = kAhead && kOwnsQueries != kExact ? 2 : 1;
  static constexpr int kKeys = kAhead && kOwnsQueries && kExact ? 2 : 1;
  static constexpr int kStats = kOwnsQueries ? 0 : 3 * kBlockRows;
  TileRing<SharedTile<T, kWidth, kOwnsQueries ? 1 : kParts>, kQueries> q, g;
  TileRing<SharedTile<T, kWidth, kOwnsQueries ? kParts : 1>, kKeys> k, v;
  SharedTile<T, kBlockRows, kParts> s;  // nystrom: what a warp hands to the others, P or dS
  ConvolutionPieces<T, kWidth> pieces;  // kPieces
  float* stats;  // [kQueries, 3, 64] of the queries that pass by: SoftmaxExp::Normal, delta
  static constexpr int kBytes = 2 * decltype(q)::kBytes + 2 * decltype(k)::kBytes +
                                (kExact ? 0 : decltype(s)::kBytes) +
                                (kPieces ? decltype(pieces)::kBytes : 0) + kQueries * kStats * 4;

  __device__ explicit GradientTiles(SharedCarver& carver)
      : q(carver.ring<decltype(q)>()),
        g(carver.ring<decltype(g)>()),
        k(carver.ring<decltype(k)>()),
        v(carver.ring<decltype(v)>()) {
    if constexpr (!kExact) s = carver.tile<decltype(s)>();
    if constexpr (kPieces) pieces = carver.ring<decltype(pieces)>();
    stats = carver.take<float>(kQueries * kStats);
  }
  __device__ float* stats_at(int turn) const {
    return stats + (kQueries == 1 ? 0 : turn % kQueries * kStats);
  }
};

/// The largest tiles of a pass, with the band of the longest convolution.
template <class T, int kWidth, bool kOwnsQueries>
constexpr auto kMaxGradientBytes =
    static_cast<std::size_t>(std::max(GradientTiles<T, kWidth, true, kOwnsQueries>::kBytes,
                                      GradientTiles<T, kWidth, false, kOwnsQueries>::kBytes) +
                             convolution_band_bytes<T>(65));
template <bool kOwnsQueries>
constexpr bool kGradientTilesFit =
    std::max(kMaxGradientBytes<float, kNarrowHeads, kOwnsQueries>,
             kMaxGradientBytes<BF16, kNarrowHeads, kOwnsQueries>) <=
    kNarrowSharedBytes&& std::max(kMaxGradientBytes<float, 128, kOwnsQueries>,
                                  kMaxGradientBytes<BF16, 128, kOwnsQueries>) <= kWideSharedBytes;

/// Through context = softmax(q keys^T / sqrt(D)) values, on the side of the queries. Nystrom: d_q but for the
/// part through the landmarks, and each chunk's parts of d_W and d_k~. Exact: d_q, and deltas for the other
/// pass.
template <class T>
struct RowsGradient : GradientPass<T> {
  const T* out;              // [T, C] (exact)
  const float* k_landmarks;  // [B, H, M, D]
  const float* w;            // [B, H, M, D]
  float* d_w_parts;          // [B, H, chunks, M, D]
  float* d_k_parts;          // [B, H, chunks, M, D]
};
template <class T>
void rows_gradient(CudaContext& context, const RowsGradient<T>& args, bool exact, std::int64_t longest);
/// Nystrom by wgmma, where fits_group() (wgmma/rows_gradient.cu).
void rows_gradient_by_group(CudaContext& context, const RowsGradient<BF16>& args);

/// The side of the keys: d_k and d_v of every row, the convolution's part and (nystrom) that through the
/// keys' landmarks included. Nystrom: the queries are the landmarks, and each chunk's part of d_q~ is made
/// too.
template <class T>
struct KeysGradient : GradientPass<T> {
  const float* q_landmarks;      // [B, H, M, D]
  const float* d_k3_v;           // [B, H, M, D]
  const float* k3_stats;         // [B, H, M, 2]
  const float* landmark_deltas;  // [B, H, M]
  const float* d_k_landmarks;    // [B, H, M, D]
  const float* d_q_landmarks;    // [B, H, M, D] what the first chunk's part of d_q~ begins with
  float* d_q_parts;              // [B, H, chunks, M, D]
};
template <class T>
void keys_gradient(CudaContext& context, const KeysGradient<T>& args, bool exact, std::int64_t longest);
/// Nystrom by wgmma, where fits_group() (wgmma/keys_gradient.cu).
void keys_gradient_by_group(CudaContext& context, const KeysGradient<BF16>& args);

}  // namespace nystrom::cuda
