#pragma once
// SentencePiece as a TokenizerModel.

#include <memory>
#include <string>

#include "data/tokenizer/model/tokenizer_model.h"

namespace nystrom {

/// Throws InputError, naming `origin`, if the bytes are not a SentencePiece model.
std::unique_ptr<TokenizerModel> load_sentencepiece(const std::string& bytes, const std::string& origin);

/// Silences SentencePiece, which writes to stderr by default: errors are reported by exceptions.
void quiet_sentencepiece();

}  // namespace nystrom
