#pragma once
// The tokenizer of a Hugging Face folder.

#include <string>
#include <vector>

#include "data/tokenizer/tokenizer.h"
#include "model/huggingface.h"

namespace nystrom {

/// What transformers' AutoTokenizer would run: tokenizer.json, else a SentencePiece model (spiece.model and
/// its other names), else vocab.txt (WordPiece), else vocab.json with merges.txt. Where tokenizer.json was
/// made here from a SentencePiece model beside it, that model is read, which gives the same ids. A
/// tokenizer.json of a kind that is not computed here gives way to a SentencePiece model too, and is refused
/// where there is none. A SentencePiece model of ALBERT's class (by tokenizer_config.json) becomes the
/// tokenizer.json that transformers makes of it. Empty where the folder has no tokenizer.
[[nodiscard]] Tokenizer read_folder_tokenizer(const std::string& folder);

/// All files of the folder that transformers reads of a tokenizer.
[[nodiscard]] std::vector<FolderFile> folder_tokenizer_files(const std::string& folder);

}  // namespace nystrom
