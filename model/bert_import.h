#pragma once
// BERT's and RoBERTa's weights as a start for our encoder, as the paper started its base model from BERT: all
// tensors under our names, and zero for the convolution, which they do not have, so that with softmax
// attention the network computes what it did.

#include "model/huggingface.h"

namespace nystrom {

/// Are these the `model_type`s that import_bert takes: "bert" or "roberta"?
[[nodiscard]] bool is_bert_type(const std::string& model_type);

/// What read_huggingface_config gives for such a folder: ours, with 64 landmarks and a convolution of 65
/// taps. Refuses, naming file and key, what our encoder cannot be: relative positions, a decoder, another
/// activation.
[[nodiscard]] HuggingFaceConfig read_bert_config(const std::string& folder, const std::string& model_type);

/// The folder's tensors under our names. BERT's positions come behind the two rows that ours has before
/// position 0; a single token type is doubled. Tensors without a counterpart (pooler of a model without
/// sentence order, heads of other tasks) are left out and named in `notes`.
[[nodiscard]] std::vector<TensorToWrite> import_bert(const WeightFiles& files, const std::string& model_type,
                                                     const ModelConfig& model,
                                                     std::vector<std::string>& notes);

}  // namespace nystrom
