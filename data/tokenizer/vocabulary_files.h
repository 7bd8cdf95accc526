#pragma once
// Vocabularies older than tokenizer.json, converted to it: BERT's vocab.txt, RoBERTa's vocab.json with
// merges.txt.

#include <optional>
#include <string>

namespace nystrom {

/// What BERT's class does to a text before its pieces are looked up.
struct BertOptions {
  std::optional<bool> lowercase = {};  ///< none: unless a piece has a capital letter (special tokens apart)
  std::optional<bool> strip_accents = {};  ///< none: as lowercase
  bool ideographs = true;                  ///< each a separate word
};

/// A tokenizer.json of the same ids. `vocabulary`: pieces, a line each.
std::string json_of_wordpiece(const std::string& vocabulary, const std::string& origin,
                              const BertOptions& options = {});
/// `vocabulary`: vocab.json; `merges`: merges.txt. RoBERTa's and GPT-2's: no blank is put before text, unless
/// `add_prefix_space`.
std::string json_of_byte_bpe(const std::string& vocabulary, const std::string& merges,
                             const std::string& origin, bool add_prefix_space = false);

}  // namespace nystrom
