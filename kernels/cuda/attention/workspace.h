#pragma once
// Work split and workspace of attention's CUDA kernels: plain C++, since planning runs in every build. All
// pieces are fp32.

#include <algorithm>
#include <cstdint>

#include "kernels/attention/nystrom.h"
#include "kernels/attention/split_sequences.h"

namespace nystrom::cuda {

/// Sums along a sequence are made in chunks that its length alone determines, and added in order: so do the
/// bits of a result. At most 64.
constexpr int attention_chunk_rows(int rows) {
  const int sixty_fourth = (rows + 63) / 64, whole_tiles = (sixty_fourth + 63) / 64 * 64;
  return whole_tiles > 512 ? whole_tiles : 512;
}
constexpr int attention_chunks(int rows) {
  return (rows + attention_chunk_rows(rows) - 1) / attention_chunk_rows(rows);
}

/// Columns of the band matrix that stands for 16 rows of the convolution (docs/mathematics.md).
constexpr int convolution_band(int taps) {
  return (15 + taps + 15) / 16 * 16;
}
/// The filter's gradient is made in windows of so many columns of the band.
inline constexpr int kBandWindow = 80;
constexpr int convolution_windows(int taps) {
  return (convolution_band(taps) + kBandWindow - 1) / kBandWindow;
}

/// Up to here the matrices of the pseudo-inverse live in shared memory and registers; a block needs less of
/// it than kNarrowSharedBytes.
inline constexpr std::int64_t kSmallLandmarks = 64;
/// Beyond, matrices in memory that a block works in: X, T2, T3, Z and the next Z.
inline constexpr std::int64_t kForwardSquares = 5;

/// Heads up to this width run on every GPU: their kernels want no more shared memory than the smallest gives
/// a block. Wider ones want up to kWideSharedBytes. (With 65 taps; key_gradient.cu and query_gradient.cu
/// check it.)
inline constexpr std::int64_t kNarrowHeads = 64;
inline constexpr std::size_t kNarrowSharedBytes = std::size_t{99} << 10U,
                             kWideSharedBytes = std::size_t{155} << 10U;

/// The sizes of a call.
struct CudaAttentionShape {
  std::int64_t heads = 0, taps = 0, width = 0, batch = 0, longest = 0;
  std::int64_t shortest = 0;       ///< none has fewer rows
  std::int64_t longest_exact = 0;  ///< rows of the longest sequence that attends exactly, at most
  bool split = false;              ///< sequences may lie on several ranks

  explicit CudaAttentionShape(const AttentionLimits& limits)
      : heads(limits.heads),
        taps(limits.taps),
        width(limits.width()),
        batch(limits.batch),
        longest(limits.longest),
        longest_exact(limits.longest),
        split(limits.split) {}
  explicit CudaAttentionShape(const AttentionInputs& inputs)
      : heads(inputs.heads),
        taps(inputs.taps()),
        width(inputs.width()),
        batch(inputs.sequences.count),
        longest(inputs.sequences.longest),
        shortest(inputs.sequences.shortest),
        longest_exact(inputs.sequences.longest),
        split(inputs.spans.split()) {}

  [[nodiscard]] std::int64_t items() const { return batch * heads; }
  [[nodiscard]] std::int64_t chunks() const {
    // Not the longest sequence's own: a shorter one may have more chunks.
    return std::min<std::int64_t>(64, (longest + 511) / 512);
  }
};

/// The sizes of a call of Nystrom attention.
struct CudaNystromShape : CudaAttentionShape {
  NystromOptions options;

  CudaNystromShape(const CudaAttentionShape& shape, const NystromOptions& nystrom)
      : CudaAttentionShape(shape), options(nystrom) {
    longest_exact = std::min(longest, options.landmarks);
  }

  /// Whether a sequence is approximated, and whether one may attend exactly.
  [[nodiscard]] bool approximates_any() const { return longest > options.landmarks; }
  [[nodiscard]] bool attends_exactly() const { return shortest <= options.landmarks; }
  /// Matrices [M, M] in global memory that one block of a pseudo-inverse kernel works in.
  [[nodiscard]] std::int64_t forward_squares() const {
    return options.landmarks <= kSmallLandmarks ? 0 : kForwardSquares;
  }
  [[nodiscard]] std::int64_t kept_iterates() const { return std::max(options.pinv_iterations, 1); }
  [[nodiscard]] std::int64_t backward_squares() const {
    return options.landmarks <= kSmallLandmarks ? 0 : kept_iterates() + 11;
  }
  /// Blocks of such a kernel: as many as two on each multiprocessor of the largest GPU, in at most 256 MiB.
  [[nodiscard]] std::int64_t slots(std::int64_t squares) const {
    const std::int64_t bytes = std::max<std::int64_t>(1, squares * options.landmarks * options.landmarks * 4);
    return std::min(items(), std::clamp<std::int64_t>((std::int64_t{256} << 20) / bytes, 8, 264));
  }
};

/// Workspace of exact attention and of the convolution; without memory it only counts.
class CudaAttentionWorkspace {
 public:
  CudaAttentionWorkspace(float* base, const CudaAttentionShape& shape, bool backward) : base_(base) {
    if (!backward) return;
    if (shape.taps > 0)
      d_filter = take(shape.items() * shape.chunks() * convolution_windows(static_cast<int>(shape.taps)) *
                      shape.taps);
    deltas = take(shape.items() * shape.longest_exact);
  }

  [[nodiscard]] std::int64_t elements() const { return used_; }

  float* deltas = nullptr;    ///< [items, longest_exact] of exact attention: sum_d context d_context
  float* d_filter = nullptr;  ///< [items, chunks, windows, K]

 protected:
  float* take(std::int64_t count) {
    float* const piece = base_ == nullptr ? nullptr : base_ + used_;
    used_ += (count + 63) / 64 * 64;
    return piece;
  }

 private:
  float* base_;
  std::int64_t used_ = 0;
};

/// Workspace of Nystrom attention; without memory it only counts.
class CudaNystromWorkspace : public CudaAttentionWorkspace {
 public:
  CudaNystromWorkspace(float* base, const CudaNystromShape& shape, bool backward)
      : CudaAttentionWorkspace(base, shape, backward) {
    const std::int64_t items = shape.items(), m = shape.options.landmarks, md = m * shape.width;
    const std::int64_t chunks = shape.chunks();
    if (shape.split) book_exchanges(shape, backward);
    if (!backward) {
      parts = take(items * chunks * md);
      part_stats = take(items * chunks * m * 2);
      squares = take(shape.slots(shape.forward_squares()) * shape.forward_squares() * m * m);
      return;
    }
    d_scales = take(items);
    d_w_parts = take(items * chunks * md);
    d_k_parts = take(items * chunks * md);
    d_q_parts = take(items * chunks * md);
    d_k3_v = take(items * md);
    landmark_deltas = take(items * m);
    d_k_landmarks = take(items * md);
    d_q_landmarks = take(items * md);
    d_a = take(items * m * m);
    squares = take(shape.slots(shape.backward_squares()) * shape.backward_squares() * m * m);
  }

  float* parts = nullptr;       ///< [items, chunks, M, D] k3 v of a chunk of keys, relative to its maximum
  float* part_stats = nullptr;  ///< [items, chunks, M, 2] maximum and sum of it
  float* squares = nullptr;     ///< [slots, ., M, M]
  float* d_scales = nullptr;    ///< [items]
  float* d_w_parts = nullptr;   ///< [items, chunks, M, D]
  float* d_k_parts = nullptr;   ///< [items, chunks, M, D] of the keys' landmarks
  float* d_q_parts = nullptr;   ///< [items, chunks, M, D] of the queries' landmarks
  float* d_k3_v = nullptr;      ///< [items, M, D]
  float* landmark_deltas = nullptr;  ///< [items, M] sum_d (k3 v) d_(k3 v)
  float* d_k_landmarks = nullptr;    ///< [items, M, D]
  float* d_q_landmarks = nullptr;    ///< [items, M, D]
  float* d_a = nullptr;              ///< [items, M, M]
  // Of sequences on several ranks; pieces of each rank.
  float* edges = nullptr;         ///< [splits, 4, K / 2, C] of the activation dtype
  float* segment_sums = nullptr;  ///< [splits, kMaxSequenceRanks, M, 2 C] of q and k
  float* softmaxes = nullptr;     ///< [splits, kMaxSequenceRanks, H, M (D + 2)]
  float* sums = nullptr;          ///< [splits, kMaxSequenceRanks, H, 2, M, D]

 private:
  void book_exchanges(const CudaNystromShape& shape, bool backward) {
    constexpr std::int64_t pieces = static_cast<std::int64_t>(kMaxSplits) * kMaxSequenceRanks;
    const std::int64_t m = shape.options.landmarks, channels = shape.heads * shape.width;
    edges = take(static_cast<std::int64_t>(kMaxSplits) * 4 * (shape.taps / 2) * channels);
    if (backward) {
      sums = take(pieces * 2 * m * channels);
      return;
    }
    segment_sums = take(pieces * m * 2 * channels);
    softmaxes = take(pieces * shape.heads * m * (shape.width + 2));
  }
};

/// The workspace at `memory`, which must have room for it.
template <class Workspace, class Shape>
Workspace workspace_in(const Tensor& memory, const Shape& shape, bool backward) {
  const Workspace needed(nullptr, shape, backward);
  NYSTROM_CHECK(needed.elements() <= memory.numel(),
                "attention of {} sequences of up to {} tokens needs a workspace of {} elements, not {}",
                shape.batch, shape.longest, needed.elements(), memory.numel());
  return {memory.data<float>(), shape, backward};
}

/// Elements of the workspace of forward and backward.
inline std::int64_t softmax_attention_workspace(const AttentionLimits& limits) {
  const CudaAttentionShape shape(limits);
  return std::max(CudaAttentionWorkspace(nullptr, shape, false).elements(),
                  CudaAttentionWorkspace(nullptr, shape, true).elements());
}
inline std::int64_t nystrom_attention_workspace(const NystromOptions& options,
                                                const AttentionLimits& limits) {
  const CudaNystromShape shape(CudaAttentionShape(limits), options);
  return std::max(CudaNystromWorkspace(nullptr, shape, false).elements(),
                  CudaNystromWorkspace(nullptr, shape, true).elements());
}

}  // namespace nystrom::cuda
