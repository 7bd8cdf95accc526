#pragma once
// The tokenizer of a Hugging Face folder.

#include <string>
#include <vector>

#include "data/tokenizer/tokenizer.h"
#include "model/exchange/huggingface.h"

namespace nystrom {

/// What transformers' AutoTokenizer would run: tokenizer.json, else a SentencePiece model (spiece.model and
/// its other names), else vocab.txt (WordPiece), else vocab.json with merges.txt. Where tokenizer.json was
/// made here from a SentencePiece model beside it, and of that alone, that model is read, which gives the
/// same ids. A tokenizer.json of a kind that is not computed here gives way to a SentencePiece model too, and
/// is refused where there is none. What tokenizer_config.json says to the classes of ALBERT, BERT and RoBERTa
/// is done, with their defaults. Empty where the folder has no tokenizer.
[[nodiscard]] Tokenizer read_folder_tokenizer(const std::string& folder);

/// All files of the folder that transformers reads of a tokenizer.
[[nodiscard]] std::vector<FolderFile> folder_tokenizer_files(const std::string& folder);

/// "spiece.model" and its other names.
[[nodiscard]] bool is_sentencepiece_file(const std::string& name);

}  // namespace nystrom
