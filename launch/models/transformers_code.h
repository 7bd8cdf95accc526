#pragma once
// Files of an exported folder that let transformers and sentence-transformers run the model on any text: the
// code of its attention (`trust_remote_code=True`), and how sentence embeddings are pooled.

#include <string_view>
#include <vector>

#include "model/exchange/huggingface.h"

namespace nystrom {

/// modeling_nystrom.py, for every head; and for language models modules.json, sentence_bert_config.json and
/// 1_Pooling/config.json, which make sentence-transformers average all tokens as `predict --task embeddings`
/// does.
[[nodiscard]] std::vector<FolderFile> transformers_code(const HuggingFaceFolder& folder);

/// The text of modeling_nystrom.py (launch/models/python).
[[nodiscard]] std::string_view modeling_code();

}  // namespace nystrom
