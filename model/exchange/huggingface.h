#pragma once
// Hugging Face folders: `config.json` and `model.safetensors`, as transformers' NystromformerForMaskedLM
// loads them.
//
// A folder runs here with `kind: nystrom`, `pinv_init: per_matrix`, `padding: exact` and its num_landmarks,
// unless the object `nystrom` of its config.json overrides them (transformers ignores it; its keys are those
// of `model.attention`: kind, landmarks, convolution, pinv_iterations, pinv_init, padding, and
// attention_dropout). The sentence-order head and its pooler are stored as extra tensors under BERT's names,
// and so are, for transformers alone and always as fp32, random numbers of attention
// (model/attention/random.h).

#include <map>
#include <string>
#include <vector>

#include "model/exchange/safetensors.h"
#include "model/network.h"

namespace nystrom {

struct HuggingFaceConfig {
  ModelConfig model;
  std::string architecture;                 ///< e.g. "NystromformerForMaskedLM"; empty if the file names none
  HeadConfig head;                          ///< meaningful if has_head
  bool has_head = false;                    ///< the head is one that this program has
  std::vector<std::string> labels;          ///< id2label, in the order of ids; empty if there is none
  std::map<std::string, std::string> task;  ///< settings of its fine-tuning task, as in a checkpoint
  /// "bert" or "roberta", or "nystromformer" for one without a head: good for a warm start only
  /// (model/exchange/bert_import.h).
  std::string foreign;
  bool is_ours = false;            ///< written by this program: it has the object `nystrom`
  std::vector<std::string> notes;  ///< for the log: what transformers would run, and what runs here
};

/// True if `path` is a folder with a config.json.
bool is_huggingface_folder(const std::string& path);

/// Refuses, naming file and key, models that are not Nystromformers or that this program cannot compute.
HuggingFaceConfig read_huggingface_config(const std::string& folder);

/// What a model has that transformers has not, so that it cannot run the model natively: "attention of kind
/// `linear`". Empty: nothing.
std::string beyond_transformers(const ModelConfig& model, const HeadConfig& head);

/// Refuses random numbers of attention in a folder that are not those that this program evaluates the model
/// with, up to their rounding to bf16. There may be none.
void check_drawn(const ModelConfig& model, const WeightFiles& files, const std::string& folder);

/// Do the weights include the head of sentence-order prediction (and its pooler)?
bool has_sentence_order(const WeightFiles& files);

/// Is a tensor of a folder redundant: the decoder, which is tied; a buffer of older transformers; random
/// numbers of attention; the zero convolution of a model without one? check_weights and check_drawn validate
/// that.
bool is_left_out(std::string_view name, const ModelConfig& model);

/// The parameter that a tensor is a copy of, since transformers ties the two when loading; else empty.
std::string_view tied_to(std::string_view name);

/// Notes of load_weights for the log: missing and unused tensors.
using LoadNotes = std::vector<std::string>;

/// Fills all parameters of `store` (allocated) from `files` and refreshes its rounded copy. Refuses, naming
/// each, tensors that are missing, have other shapes, or have no parameter. The sentence-order head and its
/// pooler may be missing (they keep their values) or unused. Copies of tied weights, buffers of older
/// transformers, random numbers of attention, and zeros for a convolution that the model does not have are
/// allowed.
LoadNotes load_weights(ParameterStore& store, const WeightFiles& files, const std::string& folder);

/// The checks of load_weights only; the parameters of `store` need not be allocated.
void check_weights(const ParameterStore& store, const WeightFiles& files, const std::string& folder);

/// A small file of a folder, such as one of the tokenizer's.
struct FolderFile {
  std::string name;
  std::string bytes;
};

/// The Python module with this program's attention for transformers, which `auto_map` of config.json names.
inline constexpr const char* kModelingModule = "modeling_nystrom";

struct HuggingFaceFolder {
  ModelConfig model = {};
  HeadConfig head = {};
  std::vector<TensorToWrite> tensors = {};
  std::vector<FolderFile> files = {};
  /// Of the text that transformers is to be run on; its Nystrom path takes one length only, a multiple of the
  /// landmarks: the largest such up to this and max_positions is written. 0: max_positions.
  std::int64_t sequence_length = 0;
  /// A config.json whose other keys are kept; empty: none.
  std::string base_config = {};
  std::vector<std::string> labels = {};          ///< id2label of a classification; empty: LABEL_0 and so on
  std::map<std::string, std::string> task = {};  ///< kept in the object `nystrom`
  std::int32_t bos_id = 0, eos_id = 2;           ///< the tokenizer's; written unless base_config has them
  StoredType type = StoredType::kF32;            ///< of the weights: `dtype`
  std::uint64_t shard_bytes = 0;                 ///< largest file of weights; 0: one file
  bool has_code = false;                         ///< `files` holds kModelingModule, for trust_remote_code
};

/// The weights of `store` as they are to be written.
std::vector<TensorToWrite> tensors_of(const ParameterStore& store);

/// The length at which transformers runs Nystrom attention with this config.json; 0 where it names none or
/// means softmax attention.
std::int64_t nystrom_length(const std::string& config);

/// The length that transformers will run the folder at; equal to the landmarks it means softmax attention. 0
/// where it cannot: it then fails, instead of computing something else.
std::int64_t segment_means_length(const HuggingFaceFolder& folder);

/// The text of config.json.
std::string huggingface_config_text(const HuggingFaceFolder& folder);

/// Writes the folder, under a temporary name until it is complete; a model without convolution with one of a
/// single zero tap, which transformers needs; with the random numbers of its attention. Refuses a `path` that
/// exists, unless it is an empty folder.
void write_huggingface_folder(const std::string& path, const HuggingFaceFolder& folder);

/// Refuses a path to be written that exists and is not an empty folder.
void refuse_existing_target(const std::string& path);

}  // namespace nystrom
