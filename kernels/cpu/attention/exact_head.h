#pragma once
// Exact softmax attention of one head of one sequence, in tiles of 64 queries by 64 keys (Dao et al., arXiv
// 2205.14135): all of softmax attention, Nystrom attention of sequences of at most M rows, and the windows of
// longformer attention.

#include "kernels/attention/softmax.h"
#include "kernels/cpu/attention/head_convolution.h"
#include "kernels/cpu/attention/streaming_softmax.h"

namespace nystrom {

/// Which keys a query attends to: all, or those near it.
struct KeyWindow {
  static constexpr Index kUnbounded = -1;
  Index half = kUnbounded;       ///< query i attends to the keys |i - j| <= half
  bool first_is_global = false;  ///< token 0 attends to all, and all to it

  [[nodiscard]] bool bounded() const { return half != kUnbounded; }

  /// Queries are taken in blocks of kTileRows; a token that attends to all is a separate block.
  [[nodiscard]] Index blocks(Index rows) const {
    return first_is_global ? 1 + (rows - 1 + kTileRows - 1) / kTileRows : (rows + kTileRows - 1) / kTileRows;
  }
  /// The first query of a block; that of blocks(rows) is beyond the end.
  [[nodiscard]] Index first_of(Index block) const {
    return first_is_global && block > 0 ? 1 + (block - 1) * kTileRows : block * kTileRows;
  }
  /// body(begin, end) for the ranges of keys that the queries [first, last) attend to, their own first.
  template <class Body>
  void for_keys(Index first, Index last, Index keys, const Body& body) const {
    if (!bounded() || (first_is_global && first == 0)) return body(Index{0}, keys);
    const Index low = std::max<Index>(0, first - half), high = std::min(keys, last + half);
    body(first, last);
    if (first_is_global && low > 0) body(Index{0}, Index{1});
    if (low < first) body(low, first);
    if (last < high) body(last, high);
  }
};

/// Memory of one thread, forward.
template <class C>
struct ExactForwardMemory {
  ExactForwardMemory(WorkspaceAllocator<C>& allocator, const AttentionShape& shape);

  Tile<C> scaled_t;  ///< [D, kTileRows]
  ColumnSoftmax<C> softmax;
  KeyTiles<C> tiles;
  ConvolutionMemory<C> convolution;
};

/// Memory of one thread, backward.
template <class C>
struct ExactBackwardMemory {
  ExactBackwardMemory(WorkspaceAllocator<C>& allocator, const AttentionShape& shape);

  QueryBlock<C> queries;  ///< of kTileRows
  C *maxima, *inverse_sums, *deltas;
  KeyGradientTiles<C> tiles;
  Tile<C> context;   ///< [kTileRows, D]
  Tile<C> d_k, d_v;  ///< [longest_exact, D]
  ConvolutionMemory<C> convolution;
  C* band;
};

/// Keys and values of all rows of a sequence that is split across ranks.
template <class T>
struct GatheredRows {
  const T* rows = nullptr;  ///< [n, 2 C]: k and v
  Index channels = 0;       ///< C

  [[nodiscard]] HeadRows<const T> of(const HeadTask& head, Index width, Index part) const {
    return {rows + part * channels + head.head * width, 2 * channels, width};
  }
  /// The rows of v around those of this rank, `reach` on each side.
  [[nodiscard]] HaloRows<T> halo(const HeadTask& head, Index reach) const {
    const Index before = std::min(reach, head.first), end = head.first + head.rows;
    return {rows + (head.first - before) * 2 * channels + channels, rows + end * 2 * channels + channels,
            before, std::min(reach, head.length - end), 2 * channels};
  }
};

/// out and row_stats of one block of queries. `gathered` keys may be null.
template <class T>
void exact_forward(const SoftmaxAttention& args, const KeyWindow& window, const HeadTask& head, Index block,
                   const ExactForwardMemory<Compute<T>>& memory, const GatheredRows<T>* gathered = nullptr);

/// d_qkv of the head; d_w [K] is added to.
template <class T>
void exact_backward(const SoftmaxAttention& args, const AttentionGradients& gradients,
                    const KeyWindow& window, const HeadTask& head,
                    const ExactBackwardMemory<Compute<T>>& memory, Compute<T>* d_w);

/// Of a sequence on several ranks: d_q of the rows here, and what they add to the gradients of all k and v:
/// d_rows [n, 2 C], whose columns of the head are overwritten.
template <class T>
void exact_queries_backward(const SoftmaxAttention& args, const AttentionGradients& gradients,
                            const HeadTask& head, const ExactBackwardMemory<Compute<T>>& memory,
                            const GatheredRows<T>& gathered, Compute<T>* d_rows);
/// Then, from the sum of those over all ranks for the rows here, d_rows [rows, 2 C]: d_k and d_v; d_w [K] is
/// added to. `halo` of d_out.
template <class T>
void exact_keys_backward(const SoftmaxAttention& args, const AttentionGradients& gradients,
                         const HeadTask& head, const ExactBackwardMemory<Compute<T>>& memory,
                         const Compute<T>* d_rows, const HaloRows<T>& halo, Compute<T>* d_w);

}  // namespace nystrom
