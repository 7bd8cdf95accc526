#pragma once
// Hugging Face's tokenizer.json, and the older files that are turned into it.

#include <memory>
#include <string>

#include "data/tokenizer/tokenizer.h"

namespace nystrom {

/// WordPiece (BERT), byte-level BPE (GPT-2, RoBERTa) or unigram (ALBERT, XLNet). Throws InputError, naming
/// `origin` and the member, for what is no tokenizer.json or has parts that this program does not know.
std::unique_ptr<TokenizerModel> load_tokenizer_json(const std::string& bytes, const std::string& origin);

/// A tokenizer.json of the same ids. `vocabulary`: pieces, a line each. Cased, unless the vocabulary has no
/// piece with a capital letter (special tokens apart).
std::string json_of_wordpiece(const std::string& vocabulary, const std::string& origin);
/// `vocabulary`: vocab.json; `merges`: merges.txt. RoBERTa's and GPT-2's: no blank is put before text.
std::string json_of_byte_bpe(const std::string& vocabulary, const std::string& merges,
                             const std::string& origin);

}  // namespace nystrom
