#pragma once
// Trace of a text through a model: the queries, keys and values of every layer and head.

#include <string>
#include <vector>

#include "kernels/core/stage.h"
#include "launch/models/model_source.h"
#include "launch/picture/attention_matrices.h"

namespace nystrom {

/// Matrices of n x n are drawn: of longer texts nobody sees anything.
inline constexpr std::int64_t kMaxTokensDrawn = 512;

struct AttentionTrace {
  std::vector<std::string> pieces;  ///< [n] as the tokenizer writes them
  std::vector<std::vector<HeadInput>>
      heads;                            ///< [layers][heads]; queries and keys turned by rotary positions
  std::vector<std::string> notes = {};  ///< of loading
};

/// Runs the model on the CPU in fp32. Refuses a model without a tokenizer, attention of other kinds than
/// `nystrom` and `softmax`, and a text of no or too many tokens.
/// Each layer advances the stage.
[[nodiscard]] AttentionTrace trace_attention(const ModelSource& source, const std::string& text,
                                             Stage& stage);

}  // namespace nystrom
