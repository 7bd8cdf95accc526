#pragma once
// Workspaces of the kinds of attention besides nystrom and softmax on a GPU: plain C++, since planning runs
// in every build. All pieces are fp32.

#include "kernels/cuda/attention/workspace.h"

namespace nystrom::cuda {

/// The shape of a kind without exact attention.
inline CudaAttentionShape plain_shape(CudaAttentionShape shape) {
  shape.longest_exact = 0;
  return shape;
}

/// A kind that gathers `size` numbers a chunk of each head, and in backward their gradients.
struct ChunkedShape : CudaAttentionShape {
  std::int64_t size = 0;
  ChunkedShape(const CudaAttentionShape& shape, std::int64_t numbers)
      : CudaAttentionShape(plain_shape(shape)), size(numbers) {}
};
class ChunkedWorkspace : public CudaAttentionWorkspace {
 public:
  ChunkedWorkspace(float* base, const ChunkedShape& shape, bool backward)
      : CudaAttentionWorkspace(base, shape, backward) {
    parts = take(shape.items() * shape.chunks() * shape.size);
    totals = take(shape.items() * shape.size);
  }
  float* parts = nullptr;   ///< [items, chunks, size]
  float* totals = nullptr;  ///< [items, size]
};

/// Numbers of a chunk: linear attention's state; two [R, D] matrices; B with statistics, or its gradient and
/// that of log Z.
inline std::int64_t linear_part(std::int64_t width) {
  return width * (width + 1);
}
inline std::int64_t linformer_part(std::int64_t projection, std::int64_t width) {
  return 2 * projection * width;
}
inline std::int64_t performer_part(std::int64_t features, std::int64_t width) {
  return features * (width + 2);
}

struct CudaReformerShape : CudaAttentionShape {
  std::int64_t tokens = 0, hashes = 0;
  CudaReformerShape(const CudaAttentionShape& shape, std::int64_t of_tokens, std::int64_t rounds)
      : CudaAttentionShape(plain_shape(shape)), tokens(of_tokens), hashes(rounds) {}
};
/// Room of one head of one sequence of n tokens for the buckets' counts.
constexpr std::int64_t reformer_counts(std::int64_t rows) {
  return 2 * rows + 3;
}
class ReformerWorkspace : public CudaAttentionWorkspace {
 public:
  ReformerWorkspace(float* base, const CudaReformerShape& shape, bool backward)
      : CudaAttentionWorkspace(base, shape, backward) {
    const std::int64_t rows = shape.heads * shape.tokens;
    order = take(shape.hashes * rows);
    counts = take(shape.hashes * shape.heads * (2 * shape.tokens + 3 * shape.batch));
    context = take(rows * shape.width);
    state = take(2 * rows);
    if (!backward) return;
    deltas_of_rows = take(rows);
    d_keys = take(rows * shape.width);
    d_values = take(rows * shape.width);
  }
  float* order = nullptr;           ///< [r, H, T] int32: tokens in the order of a round
  float* counts = nullptr;          ///< [r, H, 2 T + 3 B] int32: buckets, counted
  float* context = nullptr;         ///< [H, T, D] unfinished; backward: d_q
  float* state = nullptr;           ///< [H, T, 2] maxima and sums so far
  float* deltas_of_rows = nullptr;  ///< [H, T]
  float* d_keys = nullptr;          ///< [H, T, D]
  float* d_values = nullptr;        ///< [H, T, D]
};

template <class Workspace, class Shape>
std::int64_t elements_both_ways(const Shape& shape) {
  return std::max(Workspace(nullptr, shape, false).elements(), Workspace(nullptr, shape, true).elements());
}

/// Elements of the workspaces of forward and backward.
inline std::int64_t longformer_attention_workspace(const AttentionLimits& limits) {
  return softmax_attention_workspace(limits);
}
inline std::int64_t value_attention_workspace(const AttentionLimits& limits) {
  return elements_both_ways<CudaAttentionWorkspace>(plain_shape(CudaAttentionShape(limits)));
}
inline std::int64_t linear_attention_workspace(const AttentionLimits& limits) {
  return elements_both_ways<ChunkedWorkspace>(
      ChunkedShape(CudaAttentionShape(limits), linear_part(limits.width())));
}
inline std::int64_t linformer_attention_workspace(std::int64_t projection, const AttentionLimits& limits) {
  return elements_both_ways<ChunkedWorkspace>(
      ChunkedShape(CudaAttentionShape(limits), linformer_part(projection, limits.width())));
}
inline std::int64_t performer_attention_workspace(std::int64_t features, const AttentionLimits& limits) {
  return elements_both_ways<ChunkedWorkspace>(
      ChunkedShape(CudaAttentionShape(limits), performer_part(features, limits.width())));
}
inline std::int64_t reformer_attention_workspace(std::int64_t hashes, const AttentionLimits& limits) {
  return elements_both_ways<ReformerWorkspace>(
      CudaReformerShape(CudaAttentionShape(limits), limits.tokens, hashes));
}

}  // namespace nystrom::cuda
