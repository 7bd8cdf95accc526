#pragma once
// Hugging Face's tokenizer.json as a TokenizerModel.

#include <memory>
#include <string>

#include "data/tokenizer/model/tokenizer_model.h"

namespace nystrom {

/// WordPiece (BERT), byte-level BPE (GPT-2, RoBERTa) or unigram (ALBERT, XLNet). Throws InputError, naming
/// `origin` and the member, if it is not a tokenizer.json or has parts that this program does not support.
std::unique_ptr<TokenizerModel> load_tokenizer_json(const std::string& bytes, const std::string& origin);

}  // namespace nystrom
