#pragma once
// Warm start from BERT and RoBERTa, as the paper started its base model from BERT: all tensors under our
// names, and zeros for the convolution, which those models lack. With softmax attention the network computes
// the same as before.

#include "model/exchange/huggingface.h"

namespace nystrom {

/// Is `model_type` one that can be imported: "bert" or "roberta"?
[[nodiscard]] bool is_bert_type(const std::string& model_type);

/// Configuration of such a folder as read_huggingface_config returns it: our encoder with 64 landmarks and a
/// convolution of kernel size 65. Refuses, naming file and key, relative positions, a decoder, and
/// activations other than GELU.
[[nodiscard]] HuggingFaceConfig read_bert_config(const std::string& folder, const std::string& model_type);

/// Sets the attention of BERT itself: exact softmax attention without convolution.
void set_bert_attention(AttentionConfig& attention);

/// Note for the log when such a folder starts a training of `model`, or runs as it is with the attention of
/// `model`.
[[nodiscard]] std::string bert_note(const std::string& folder, const std::string& model_type,
                                    const ModelConfig& model, bool starts);

/// Tensors of the folder under our names; also of `model_type` "nystromformer", where the prefix of the names
/// and the head may be missing. Our position table has two rows before position 0: BERT's rows follow them,
/// RoBERTa's are shifted to start there. A single token type is duplicated. Tensors without a counterpart
/// (heads of other tasks) are skipped and counted in `notes`. Refuses, naming file and tensor, encoder
/// tensors without a counterpart, two tensors for one parameter, and a decoder that is not tied to the word
/// embeddings.
[[nodiscard]] std::vector<TensorToWrite> import_bert(const WeightFiles& files, const std::string& model_type,
                                                     const ModelConfig& model,
                                                     std::vector<std::string>& notes);

}  // namespace nystrom
