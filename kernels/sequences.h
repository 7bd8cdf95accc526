#pragma once
// Layout of a packed batch.
// Dimensions, everywhere in this project: B sequences, T tokens of all sequences together, C channels, H
// heads, D = C / H, M landmarks, F feed-forward width, V vocabulary, K convolution taps.

#include <cstdint>

#include "kernels/tensor/dropout.h"
#include "kernels/tensor/tensor.h"

namespace nystrom {

/// B sequences one after another in [T, ...] tensors; no padding between them.
struct Sequences {
  Tensor offsets;  ///< [B + 1] int32: sequence b is rows [offsets[b], offsets[b + 1])
  Tensor lengths;  ///< [B] int32: its real tokens; fewer than its rows only with `padding: huggingface`
  std::int64_t count = 0;     ///< B
  std::int64_t tokens = 0;    ///< T
  std::int64_t longest = 0;   ///< rows of the longest sequence
  std::int64_t shortest = 0;  ///< none has fewer rows; 0 where that is not known
};

}  // namespace nystrom
