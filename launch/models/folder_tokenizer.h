#pragma once
// Tokenizer of a Hugging Face folder.

#include <string>
#include <vector>

#include "data/tokenizer/tokenizer.h"
#include "model/exchange/huggingface.h"

namespace nystrom {

/// The tokenizer that transformers' AutoTokenizer would load: tokenizer.json, else a SentencePiece model
/// (spiece.model or its other names), else vocab.txt (WordPiece), else vocab.json with merges.txt. If this
/// program made the tokenizer.json from the SentencePiece model next to it, that model is read instead, which
/// gives the same ids. It is also read if the kind of tokenizer.json is not supported here; without one, such
/// a file is refused. Options of ALBERT, BERT and RoBERTa in tokenizer_config.json are applied, with their
/// defaults. Empty if the folder has no tokenizer.
[[nodiscard]] Tokenizer read_folder_tokenizer(const std::string& folder);

/// All tokenizer files of the folder that transformers reads.
[[nodiscard]] std::vector<FolderFile> folder_tokenizer_files(const std::string& folder);

/// "spiece.model" and its other names.
[[nodiscard]] bool is_sentencepiece_file(const std::string& name);

}  // namespace nystrom
