#pragma once
// Added tokens of a tokenizer.json: spellings that are found in a text before it is split into pieces.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "data/tokenizer/json/normalizer.h"
#include "data/tokenizer/json/vocabulary.h"
#include "data/tokenizer/model/trie.h"

namespace nystrom {

struct AddedToken {
  std::int32_t id = -1;
  std::string content;
  bool single_word = false;  ///< only where no letter, digit or underscore is next to it
  bool lstrip = false;       ///< takes the white space before it
  bool rstrip = false;       ///< takes the white space after it
  bool normalized = false;   ///< is found in normalized text, and is itself normalized
  bool special = false;      ///< is not found: what is spelled like a special token is text
};

/// Search for added tokens, as `tokenizers` does: the leftmost match, of those the longest. A match that does
/// not count (a special token, a part of a word) hides those that overlap it.
class AddedTokenSearch {
 public:
  explicit AddedTokenSearch(std::vector<AddedToken> tokens);

  /// Bytes [begin, end) of a text. A negative id: text between tokens.
  struct Part {
    std::int32_t id;
    std::size_t begin, end;
  };
  [[nodiscard]] std::vector<Part> split(std::string_view text) const;

 private:
  [[nodiscard]] const AddedToken* longest_at(std::string_view text, std::size_t at) const;
  std::vector<AddedToken> tokens_;
  Trie spellings_;  // to indices of tokens_
};

/// `model`, which must not normalize, between added tokens. Those that are not `normalized` are found in the
/// text, the others in what `normalizer` makes of it. Refuses a token that normalizes to nothing.
std::unique_ptr<TokenizerModel> with_added_tokens(std::unique_ptr<VocabularyModel> model,
                                                  std::vector<AddedToken> tokens, Normalizer normalizer,
                                                  const std::string& origin);

}  // namespace nystrom
