#pragma once
// SentencePiece behind TokenizerModel.

#include <memory>
#include <string>

#include "data/tokenizer/tokenizer.h"

namespace nystrom {

/// Throws InputError, naming `origin`, if the bytes are no SentencePiece model.
std::unique_ptr<TokenizerModel> load_sentencepiece(const std::string& bytes, const std::string& origin);

/// SentencePiece writes to stderr unless told otherwise; our errors are sentences of our own.
void quiet_sentencepiece();

}  // namespace nystrom
