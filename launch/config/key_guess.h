#pragma once
// Suggestion for an unknown key.

#include <span>
#include <string>
#include <string_view>

namespace nystrom {

/// A key of other programs (transformers, PyTorch Lightning, Megatron-LM, fairseq) and ours.
struct ForeignKey {
  std::string_view name;         ///< its last part, in lower case with underscores
  std::string_view key;          ///< ours
  std::string_view remark = {};  ///< what differs; may be empty
};
std::span<const ForeignKey> foreign_keys();

/// The rest of a sentence on an unknown key: "did you mean `model.layers`?", what a name of another program
/// is called here, or where the keys are listed.
std::string guess_key(const std::string& unknown);

}  // namespace nystrom
