#pragma once
// Softmax cross-entropy over the tokens of each sequence, for the start and the end of an answer.
//   loss_b = 1/2 (log sum_t e^s_t - s_start + log sum_t e^e_t - e_end),  t over the real tokens of b alone.
// PyTorch's CrossEntropyLoss of start and end logits, padding masked out, is this with scale 1 / sequences.

#include "kernels/sequences.h"
#include "kernels/tensor/context.h"
#include "kernels/tensor/tensor.h"

namespace nystrom {

struct SpanCrossEntropy {
  Tensor logits;  ///< [T, 2] compute dtype: start, end
  Sequences sequences;
  Tensor starts, ends;  ///< [B] int32, tokens counted from the sequence's first; negative (either): ignored
  double scale = 1;     ///< of the gradient, usually weight / sequences counted in the whole global batch
  Tensor d_logits;  ///< out [T, 2] activation dtype, overwritten; may be `logits` if the dtypes are equal;
                    ///< empty: no gradient. Rows of padding get 0.
  Tensor sums;      ///< [3] fp64, added to: sum of losses, sequences whose largest start and end logits (the
                    ///< first, on ties) both are the labels, sequences counted
};
/// Sums in the order of the sequences: the same bits on any number of threads. Throws InternalError if a
/// label is beyond its sequence.
void span_cross_entropy(Context& context, const SpanCrossEntropy& args);

}  // namespace nystrom
