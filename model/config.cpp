#include "model/config.h"

#include <utility>

namespace nystrom {

void check(const ModelConfig& c) {
  const std::pair<const char*, std::int64_t> sizes[] = {{"vocabulary_size", c.vocabulary_size},
                                                        {"hidden_size", c.hidden_size},
                                                        {"layers", c.layers},
                                                        {"heads", c.attention.heads},
                                                        {"intermediate_size", c.intermediate_size},
                                                        {"max_positions", c.max_positions},
                                                        {"attention.landmarks", c.attention.landmarks}};
  for (const auto& [key, value] : sizes)
    if (value < 1) refuse("model.{} is {}; it must be at least 1.", key, value);
  if (c.hidden_size % c.attention.heads != 0)
    refuse("model.hidden_size ({}) is not a multiple of model.heads ({}); change one of them.", c.hidden_size,
           c.attention.heads);
  if (c.attention.taps < 0 || (c.attention.taps != 0 && c.attention.taps % 2 == 0))
    refuse("model.attention.convolution is {}; it must be odd, or 0 for none.", c.attention.taps);
  if (c.attention.pinv_iterations < 1)
    refuse("model.attention.pinv_iterations is {}; it must be at least 1.", c.attention.pinv_iterations);
  if (!(c.dropout >= 0 && c.dropout < 1)) refuse("model.dropout is {}; it must lie in [0, 1).", c.dropout);
  if (!(c.attention_dropout >= 0 && c.attention_dropout < 1))
    refuse("model.attention_dropout is {}; it must lie in [0, 1).", c.attention_dropout);
  if (c.attention_dropout > 0 && c.attention.kind == AttentionKind::kNystrom)
    refuse("model.attention_dropout is {}, but only attention of kind softmax has it; set it to 0.",
           c.attention_dropout);
  if (!(c.layer_norm_epsilon > 0))
    refuse("model.layer_norm_epsilon is {}; it must be above 0.", c.layer_norm_epsilon);
  if (!(c.initializer_range > 0))
    refuse("model.initializer_range is {}; it must be above 0.", c.initializer_range);
}

}  // namespace nystrom
