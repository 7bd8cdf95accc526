#pragma once
// Model source: an HDF5 checkpoint, a run directory (its checkpoint) or a Hugging Face folder, recognized by
// content.

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "data/tokenizer/tokenizer.h"
#include "launch/config/config.h"
#include "model/exchange/huggingface.h"

namespace nystrom {

class ModelSource {
 public:
  /// Reads configuration and tensor list. Refuses, naming `path`, other files and corrupt ones.
  explicit ModelSource(const std::string& path);
  ~ModelSource();
  ModelSource(ModelSource&&) noexcept;
  ModelSource& operator=(ModelSource&&) noexcept;

  /// Of the checkpoint or folder; of a run directory, that of its checkpoint.
  [[nodiscard]] const std::string& path() const;
  [[nodiscard]] const ModelConfig& config() const;
  /// The head that the weights were trained with. Refuses heads that this program does not have.
  [[nodiscard]] const HeadConfig& head() const;
  /// Whether its head is the one of embeddings.
  [[nodiscard]] bool makes_embeddings() const;
  /// Notes for the log: the checkpoint of a run directory, how transformers would run a folder, and what runs
  /// here.
  [[nodiscard]] std::vector<std::string> notes() const { return notes(config()); }
  /// The same for a warm start of `model`.
  [[nodiscard]] std::vector<std::string> notes(const ModelConfig& model) const;

  /// Prepares for running the model without training. BERT and RoBERTa then are what transformers runs: exact
  /// softmax attention without convolution. Without this call config() is a warm start's.
  void use_as_it_is();
  /// Sets the configuration to run, which must fit the weights (with_attention()).
  void set_config(const ModelConfig& model);

  /// Which weights of a checkpoint load() and stored_tensors() take. Refuses averaged ones where there are
  /// none.
  void use_weights(EvaluatedWeights weights);

  /// Refuses tensors that do not match the configuration, as load() does, but allocates nothing.
  void check() const;
  /// Fills all parameters of a network, and returns notes for the log. Refuses tensors that do not match.
  /// Those of sentence-order prediction may be unused, or missing: then they keep their random
  /// initialization.
  [[nodiscard]] LoadNotes load(Network& network) const;
  /// All tensors as stored, for writing them elsewhere. This object must outlive their use. Tensors of a
  /// foreign model have our names and fit the attention of `model` (by default its own); `notes` lists the
  /// skipped ones.
  [[nodiscard]] std::vector<TensorToWrite> stored_tensors(const ModelConfig* model = nullptr,
                                                          std::vector<std::string>* notes = nullptr) const;
  /// Is it a folder that another program wrote?
  [[nodiscard]] bool is_from_elsewhere() const;
  /// Is it good for a warm start only (BERT, RoBERTa, a model without a head)?
  [[nodiscard]] bool is_foreign() const;
  /// Is it BERT or RoBERTa, to which a convolution of any kernel size can be added?
  [[nodiscard]] bool lacks_convolution() const;
  /// The tokenizer; empty if there is none. For a folder: launch/models/folder_tokenizer.h.
  [[nodiscard]] Tokenizer tokenizer() const;
  /// Files of the tokenizer: for a folder, all that transformers reads.
  [[nodiscard]] std::vector<FolderFile> tokenizer_files() const;

  /// Names of the classes or tags that it was fine-tuned for; empty if unknown.
  [[nodiscard]] std::vector<std::string> label_names() const;
  /// Settings of its fine-tuning task: keys of the section `task`, and `data.sequence_length`.
  [[nodiscard]] std::map<std::string, std::string> task_settings() const;
  struct Progress {
    std::int64_t step = 0, samples = 0;
    double seconds = 0;
  };
  /// Training progress of a checkpoint.
  [[nodiscard]] Progress progress() const;
  /// A value of the configuration that a checkpoint was trained with; empty if unknown.
  [[nodiscard]] std::string setting(const std::string& key) const;

  /// JSON: which program and command wrote a checkpoint; empty for folders and where it is unknown.
  [[nodiscard]] std::string provenance() const;

  [[nodiscard]] bool is_folder() const;
  /// The text of the folder's config.json; empty for a checkpoint.
  [[nodiscard]] const std::string& folder_config() const;

 private:
  void open_folder();
  void open_checkpoint();

  struct State;
  std::unique_ptr<State> state_;
};

/// The configuration of `source` with the keys of `model.attention` that `config` gives. Refuses a
/// convolution that the weights do not have.
[[nodiscard]] ModelConfig with_attention(const ModelSource& source, const Config& config);

}  // namespace nystrom
