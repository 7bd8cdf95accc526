#pragma once
// The shape and arithmetic of a model. Names as in the section `model` of the configuration
// (docs/configuration.md).

#include <cstdint>
#include <string>

#include "kernels/core/names.h"
#include "kernels/gelu.h"
#include "model/config/attention_config.h"

namespace nystrom {

/// What padding takes part in.
enum class Padding {
  kExact,       ///< nothing
  kHuggingFace  ///< as in transformers: rows padded to one length, masked in the third softmax only
};

template <>
struct EnumNames<Padding> {
  static constexpr Named<Padding> kAll[] = {{Padding::kExact, "exact"},
                                            {Padding::kHuggingFace, "huggingface"}};
};
template <>
struct EnumNames<Activation> {
  static constexpr Named<Activation> kAll[] = {{Activation::kGeluNew, "gelu_new"},
                                               {Activation::kGelu, "gelu"}};
};

struct ModelConfig {
  std::int64_t vocabulary_size = 30000;
  std::int64_t hidden_size = 768;
  std::int64_t layers = 12;
  std::int64_t intermediate_size = 3072;
  std::int64_t max_positions = 512;  ///< longest sequence; the position table has two rows more
  std::int64_t token_types = 2;
  std::int32_t pad_token_id = 1;  ///< its row starts at zero and gets no gradient from the lookup
  Activation activation = Activation::kGeluNew;
  double dropout = 0.1;
  double attention_dropout = 0;  ///< of attention probabilities, in kinds that have them
  double layer_norm_epsilon = 1e-5;
  double initializer_range = 0.02;
  AttentionConfig attention;  ///< with the number of heads
  Padding padding = Padding::kExact;

  [[nodiscard]] std::int64_t head_size() const { return hidden_size / attention.heads; }
};

}  // namespace nystrom
