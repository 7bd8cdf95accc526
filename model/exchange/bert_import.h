#pragma once
// BERT's and RoBERTa's weights as a start for our encoder, as the paper started its base model from BERT: all
// tensors under our names, and zero for the convolution, which they do not have, so that with softmax
// attention the network computes what it did.

#include "model/exchange/huggingface.h"

namespace nystrom {

/// Are these the `model_type`s that import_bert takes: "bert" or "roberta"?
[[nodiscard]] bool is_bert_type(const std::string& model_type);

/// What read_huggingface_config gives for such a folder: ours, with 64 landmarks and a convolution of 65
/// taps. Refuses, naming file and key, what our encoder cannot be: relative positions, a decoder, another
/// activation.
[[nodiscard]] HuggingFaceConfig read_bert_config(const std::string& folder, const std::string& model_type);

/// What is to be said where such a folder starts `model`.
[[nodiscard]] std::string bert_note(const std::string& folder, const std::string& model_type,
                                    const ModelConfig& model);

/// The folder's tensors under our names; also of `model_type` "nystromformer", where the prefix of the names
/// and the head may be missing. BERT's positions come behind the two rows that ours has before position 0,
/// RoBERTa's from its own first on; a single token type is doubled. Tensors without a counterpart (heads of
/// other tasks) are left out and named in `notes`. Refuses, naming file and tensor, what the encoder has no
/// place for, two tensors for one of ours, and a decoder that is not the word embeddings.
[[nodiscard]] std::vector<TensorToWrite> import_bert(const WeightFiles& files, const std::string& model_type,
                                                     const ModelConfig& model,
                                                     std::vector<std::string>& notes);

}  // namespace nystrom
