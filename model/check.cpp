#include "model/check.h"

#include "model/attention/registry.h"

namespace nystrom {

void check(const ModelConfig& c) {
  // The upper bounds are beyond all use; they keep products of sizes within 64 bits, whoever wrote the file.
  struct Size {
    const char* key;
    std::int64_t value, most;
  };
  constexpr std::int64_t kLong = std::int64_t{1} << 30U, kWide = std::int64_t{1} << 20U, kDeep = 1024;
  for (const auto& [key, value, most] :
       {Size{"vocabulary_size", c.vocabulary_size, kLong}, Size{"hidden_size", c.hidden_size, kWide},
        Size{"layers", c.layers, kDeep}, Size{"heads", c.attention.heads, kWide},
        Size{"intermediate_size", c.intermediate_size, kWide}, Size{"max_positions", c.max_positions, kLong},
        Size{"token_types", c.token_types, kWide}, Size{"attention.landmarks", c.attention.landmarks, kWide},
        Size{"attention.pinv_iterations", c.attention.pinv_iterations, kWide},
        Size{"attention.window", c.attention.window, kLong},
        Size{"attention.projection", c.attention.projection, kWide},
        Size{"attention.features", c.attention.features, kWide},
        Size{"attention.hashes", c.attention.hashes, kDeep},
        Size{"attention.chunk", c.attention.chunk, kWide}}) {
    if (value < 1) refuse("`model.{}` is {}; it must be at least 1.", key, value);
    if (value > most) refuse("`model.{}` is {}; this program takes at most {}.", key, value, most);
  }
  if (const auto size = c.network.classifier_size; size && (*size < 1 || *size > kWide))
    refuse("`model.classifier_size` is {}; it must be from 1 to {}.", *size, kWide);
  if (const auto width = c.network.picture_width; width && (*width < 1 || *width > kWide))
    refuse("`model.picture_width` is {}; it must be from 1 to {}.", *width, kWide);
  if (c.network.positions == Positions::kRowColumn && !c.network.picture_width)
    refuse(
        "`model.positions` is row_column, but the width of the images is unknown: it is for images. Set "
        "`model.picture_width`, or choose other positions.");
  if (c.pad_token_id < -1 || c.pad_token_id >= c.vocabulary_size)
    refuse("The padding token's id is {}, outside the vocabulary of {}.", c.pad_token_id, c.vocabulary_size);
  if (c.hidden_size % c.attention.heads != 0)
    refuse("`model.hidden_size` ({}) is not a multiple of `model.heads` ({}); change one of them.",
           c.hidden_size, c.attention.heads);
  if (c.network.positions == Positions::kRotary && c.head_size() % 2 != 0)
    refuse(
        "`model.positions` is rotary, which rotates pairs of channels, but heads have {}; change `model.heads`.",
        c.head_size());
  if (c.attention.taps < 0 || c.attention.taps > kWide ||
      (c.attention.taps != 0 && c.attention.taps % 2 == 0))
    refuse("`model.attention.convolution` is {}; it must be odd, or 0 for none.", c.attention.taps);
  if (!(c.dropout >= 0 && c.dropout < 1)) refuse("`model.dropout` is {}; it must be in [0, 1).", c.dropout);
  if (!(c.attention_dropout >= 0 && c.attention_dropout < 1))
    refuse("`model.attention_dropout` is {}; it must be in [0, 1).", c.attention_dropout);
  const AttentionEntry& attention = attention_entry(c.attention.kind);
  if (c.attention_dropout > 0 && !attention.has_probability_dropout)
    refuse("`model.attention_dropout` is {}, but attention of kind {} has no dropout; set it to 0.",
           c.attention_dropout, attention.name);
  if (c.padding == Padding::kHuggingFace && !attention.has_huggingface_padding)
    refuse(
        "`model.attention.padding` is huggingface, which attention of kind {} does not have; set it to exact.",
        attention.name);
  if (c.attention.redraw_every < 0)
    refuse("`model.attention.redraw_every` is {}; it must be at least 0.", c.attention.redraw_every);
  if (!(c.layer_norm_epsilon > 0))
    refuse("`model.layer_norm_epsilon` is {}; it must be above 0.", c.layer_norm_epsilon);
  if (!(c.initializer_range > 0))
    refuse("`model.initializer_range` is {}; it must be above 0.", c.initializer_range);
  attention.check(c);
}

void check_of_file(const std::string& path, const ModelConfig& config) {
  try {
    check(config);
  } catch (const InputError& error) {
    refuse("{}: {}", path, error.what());
  }
}

}  // namespace nystrom
