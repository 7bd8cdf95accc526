#pragma once
// Exact softmax attention of one head of one sequence, in tiles of 64 queries by 64 keys (Dao et al., arXiv
// 2205.14135): all of softmax attention, and Nystrom attention of sequences of at most M rows.

#include "kernels/cpu/attention/streaming_softmax.h"
#include "kernels/softmax_attention.h"

namespace nystrom {

/// Memory of one thread, forward.
template <class C>
struct ExactForwardMemory {
  ExactForwardMemory(WorkspaceAllocator<C>& allocator, const AttentionShape& shape);

  Tile<C> scaled_t;  ///< [D, kTileRows]
  ColumnSoftmax<C> softmax;
  KeyTiles<C> tiles;
  Tile<C> halo;  ///< [kTileRows + K - 1, D]
  C* filter;
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
  Tile<C> halo;      ///< [kTileRows + K - 1, D]
  Tile<C> halo_t;    ///< [D, conv_halo_columns]
  C *filter, *band;
};

/// out and row_stats of the queries [begin, end).
template <class T>
void exact_forward(const AttentionShape& shape, const SoftmaxAttention& args, const HeadTask& head,
                   Index begin, Index end, const ExactForwardMemory<Compute<T>>& memory);

/// d_qkv of the head; d_w [K] is added to.
template <class T>
void exact_backward(const AttentionShape& shape, const SoftmaxAttention& args,
                    const AttentionGradients& gradients, const HeadTask& head,
                    const ExactBackwardMemory<Compute<T>>& memory, Compute<T>* d_w);

}  // namespace nystrom
