#pragma once
// Self-attention over packed sequences: what all attention kinds share. Each kind has its own contract next
// to this one (nystrom.h, softmax.h).
//
// qkv holds the projections of a token that the kind has: q, k and v; v is always there and comes last. A
// kind computes context [n, D] of head h of a sequence of n rows (q, k, v [n, D]; padding is excluded). Then,
// in every kind with a convolution:
//   out = context + conv(v): conv(v)[i, d] = sum_k w[h, k] v[i + k - K / 2, d], zero beyond the sequence.
// Where lengths[b] < rows of b (padding: huggingface) only keys [0, lengths[b]) are attended to.
// docs/mathematics.md derives forward and backward.

#include <cstdint>

#include "kernels/sequence_group.h"
#include "kernels/sequences.h"
#include "kernels/tensor/arena.h"
#include "kernels/tensor/context.h"
#include "kernels/tensor/tensor.h"

namespace nystrom {

/// Inputs and output of one layer's attention.
struct AttentionInputs {
  std::int64_t heads = 0;
  Sequences sequences;
  Tensor qkv;          ///< [T, P C] activation dtype: the kind's P projections of a token, each heads x D
  Tensor conv_weight;  ///< [H, K] compute dtype, K odd; empty: no convolution
  Dropout dropout;     ///< of attention probabilities, in kinds that have them
  RowKeys keys;        ///< of the T rows: a sequence's sample is that of its first row
  Tensor workspace;    ///< of the kind's plan_..._workspace
  Tensor out;          ///< [T, C] activation dtype: overwritten by forward, read by backward
  SequenceSpans spans = {};  ///< of sequences on several ranks, in kinds that can be split

  [[nodiscard]] std::int64_t taps() const { return conv_weight.empty() ? 0 : conv_weight.dim(1); }
  [[nodiscard]] std::int64_t width() const { return out.dim(1) / heads; }
  [[nodiscard]] std::int64_t projections() const { return qkv.dim(1) / out.dim(1); }
};

/// Gradients of one layer's attention.
struct AttentionGradients {
  Tensor d_out;          ///< [T, C]
  Tensor d_qkv;          ///< [T, P C], overwritten
  Tensor d_conv_weight;  ///< [H, K] compute dtype, added to; empty: no convolution
};

/// Upper bounds of all calls, for which memory is planned.
struct AttentionLimits {
  std::int64_t batch = 0;    ///< sequences
  std::int64_t tokens = 0;   ///< of all sequences
  std::int64_t longest = 0;  ///< rows of the longest sequence
  std::int64_t channels = 0;
  std::int64_t heads = 1;
  std::int64_t taps = 0;         ///< kernel size of the convolution; 0: none
  int threads = 1;               ///< of the context that runs the op
  bool cuda = false;             ///< on a GPU
  bool split = false;            ///< sequences may be split across ranks
  std::size_t shared_bytes = 0;  ///< that a block gets on the GPU at most; 0: not known

  [[nodiscard]] std::int64_t width() const { return channels / heads; }
};

}  // namespace nystrom
