#pragma once
// Attention of a sequence's queries to a few rows that summarize all of its keys (landmarks, random features,
// projections): out_i = sum_r softmax_r(q_i . k_r + bias_r) v_r + conv(v)_i, a chunk of queries at a time.
// One thread.

#include "kernels/cpu/attention/head_convolution.h"

namespace nystrom {

/// R rows that summarize all keys.
template <class C>
struct SummaryRows {
  Index count = 0;          ///< R
  Tile<C> keys_t;           ///< [D, R] times the scale of the logits
  Tile<C> values;           ///< [R, D]
  const C* bias = nullptr;  ///< [R]; null: none
};

/// Memory of one thread, forward.
template <class C>
struct SummaryTiles {
  Tile<C> rows;  ///< [kTileRows, D]
  Tile<C> s;     ///< [kTileRows, R]
  Tile<C> out;   ///< [kTileRows, D]
};

/// The chunk's rows of out, and of row_stats [T, H, 2].
template <class T>
void attend_summary(const AttentionInputs& inputs, const Tensor& row_stats, const HeadTask& head, Index chunk,
                    const SummaryRows<Compute<T>>& summary, const ConvolvedValues<T>& convolution,
                    const SummaryTiles<Compute<T>>& tiles);

/// What backward knows of the summary besides its keys_t and bias, and the gradients that it adds to.
template <class C>
struct SummaryGradient {
  C scale = 1;          ///< of the logits
  Tile<C> keys;         ///< [R, D]
  Tile<C> values_t;     ///< [D, R]
  Tile<C> d_keys;       ///< [R, D]; without memory: not wanted
  Tile<C> d_values;     ///< [R, D]
  C* d_bias = nullptr;  ///< [R]; null: not wanted
};

/// Memory of one thread, backward.
template <class C>
struct SummaryGradientTiles {
  Tile<C> rows, d_out, d_rows;  ///< [kTileRows, D]
  Tile<C> s, d_s;               ///< [kTileRows, R]
};

/// The chunk's rows of d_q, and its part of the summary's gradients.
template <class T>
void attend_summary_backward(const AttentionInputs& inputs, const AttentionGradients& gradients,
                             const Tensor& row_stats, const HeadTask& head, Index chunk,
                             const SummaryRows<Compute<T>>& summary,
                             const SummaryGradient<Compute<T>>& gradient,
                             const SummaryGradientTiles<Compute<T>>& tiles);

}  // namespace nystrom
