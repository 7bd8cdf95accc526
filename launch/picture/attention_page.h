#pragma once
// The page of `nystrom inspect MODEL --attention TEXT`: Nyström attention against softmax attention of a
// text, by layer and head. One HTML file without scripts.

#include <optional>
#include <string>
#include <vector>

#include "launch/picture/attention_trace.h"

namespace nystrom {

struct AttentionPicture {
  std::string model, text;          ///< for the heading
  std::vector<std::string> pieces;  ///< [n] tokens
  std::int64_t landmarks = 64;
  bool model_runs_softmax = false;  ///< the model itself does not approximate
  /// [layers][heads] of the whole model.
  std::vector<std::vector<AttentionMatrices>> heads = {};
  std::optional<std::size_t> layer = {},
                             head = {};  ///< which is drawn large; by default that of the largest error
};

/// All heads of a text. `landmarks` 0: those of the model.
[[nodiscard]] AttentionPicture attention_picture(const ModelSource& source, const std::string& text,
                                                 std::int64_t landmarks);

/// The page; with `layer` the small pictures are those of that layer alone. Precondition: layer and head
/// exist.
[[nodiscard]] std::string attention_page(const AttentionPicture& picture);

}  // namespace nystrom
