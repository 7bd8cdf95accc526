#pragma once
// Hugging Face's tokenizer.json, and older vocabulary files converted to it.

#include <memory>
#include <optional>
#include <string>

#include "data/tokenizer/model/tokenizer_model.h"

namespace nystrom {

/// WordPiece (BERT), byte-level BPE (GPT-2, RoBERTa) or unigram (ALBERT, XLNet). Throws InputError, naming
/// `origin` and the member, if it is not a tokenizer.json or has parts that this program does not support.
std::unique_ptr<TokenizerModel> load_tokenizer_json(const std::string& bytes, const std::string& origin);

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
