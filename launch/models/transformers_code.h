#pragma once
// Files of an exported folder that let transformers and sentence-transformers run the model on any text: the
// code of its attention (`trust_remote_code=True`), and how sentence embeddings are pooled.

#include <string_view>
#include <vector>

#include "model/exchange/huggingface.h"

namespace nystrom {

/// modeling_nystrom.py, for every head; and for language models and embeddings modules.json,
/// sentence_bert_config.json and 1_Pooling/config.json, with which sentence-transformers computes the vectors
/// of `predict --task embeddings`: the mean over all tokens, or as the embeddings were trained.
[[nodiscard]] std::vector<FolderFile> transformers_code(const HuggingFaceFolder& folder);

/// The text of modeling_nystrom.py (launch/models/python).
[[nodiscard]] std::string_view modeling_code();

}  // namespace nystrom
