#pragma once
// Sum of word, position and token-type embeddings, then LayerNorm, then dropout (transformers' order):
//   s = word[id] + position[p + 2] + type[t];  y = dropout(LayerNorm(s)).
// Positions and LayerNorm are optional. The sum is not saved: backward recomputes it from the tables.

#include "kernels/sequences.h"
#include "kernels/tensor/context.h"
#include "kernels/tensor/tensor.h"

namespace nystrom {

struct EmbeddingInputs {
  Tensor input_ids;       ///< [T] int32 in [0, V)
  Tensor token_type_ids;  ///< [T] int32 in [0, types)
  Tensor positions;       ///< [T] int32, within the sequence, from 0
};

/// Tables in compute dtype (or their gradients).
struct EmbeddingTables {
  Tensor word;      ///< [V, C]
  Tensor position;  ///< [P + 2, C]; row p + 2 is position p. Empty: none (as a gradient: not wanted)
  Tensor type;      ///< [types, C]
  Tensor gamma;     ///< [C]; empty, as is beta: no LayerNorm, and no stats
  Tensor beta;      ///< [C]
};

struct EmbeddingForward {
  EmbeddingInputs inputs;
  EmbeddingTables tables;
  double epsilon = 1e-5;
  Dropout dropout;
  RowKeys keys;  ///< of the T rows
  Tensor stats;  ///< out [T, 2] compute dtype: mean, 1 / sqrt(var + epsilon)
  Tensor y;      ///< out [T, C] activation dtype
};
void embedding_forward(Context& context, const EmbeddingForward& args);

struct EmbeddingBackward {
  EmbeddingInputs inputs;
  EmbeddingTables tables;
  Dropout dropout;
  RowKeys keys;
  Tensor stats;               ///< [T, 2] as forward left it
  Tensor d_y;                 ///< [T, C]
  Tensor d_sum;               ///< scratch [T, C] compute dtype
  EmbeddingTables gradients;  ///< added to; the same bits whatever the thread count
  std::int64_t pad_id = -1;  ///< the word row that gets no gradient from the lookup (as in PyTorch); -1: none
};
void embedding_backward(Context& context, const EmbeddingBackward& args);

}  // namespace nystrom
