#pragma once
// A model on the command line is an HDF5 checkpoint or a Hugging Face folder, recognized by content.

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "data/tokenizer/tokenizer.h"
#include "model/exchange/huggingface.h"

namespace nystrom {

class ModelSource {
 public:
  /// Reads configuration and tensor list. Refuses, naming `path`, what is neither kind or is damaged.
  explicit ModelSource(std::string path);
  ~ModelSource();
  ModelSource(ModelSource&&) noexcept;
  ModelSource& operator=(ModelSource&&) noexcept;

  [[nodiscard]] const std::string& path() const;
  [[nodiscard]] const ModelConfig& config() const;
  /// The head that the weights were made with. Refuses heads that this program does not have.
  [[nodiscard]] const HeadConfig& head() const;
  /// Sentences for the log: what transformers would run of a folder, and what runs here.
  [[nodiscard]] std::vector<std::string> notes() const { return notes(config()); }
  /// The same where it starts a model of this shape.
  [[nodiscard]] std::vector<std::string> notes(const ModelConfig& model) const;

  /// Refuses tensors that do not fit the configuration, as load() does, but without taking memory.
  void check() const;
  /// Fills all parameters of a network; gives what is to be said about it. Refuses tensors that do not fit,
  /// but for those of sentence order: they may be there and not be asked for, or keep their drawn values.
  [[nodiscard]] LoadNotes load(Network& network) const;
  /// All tensors as they are stored, for writing them elsewhere. This object must outlive their use. Of a
  /// foreign model: under our names, for the attention of `model` (its own unless given), what is left out
  /// told in `notes`.
  [[nodiscard]] std::vector<TensorToWrite> stored_tensors(const ModelConfig* model = nullptr,
                                                          std::vector<std::string>* notes = nullptr) const;
  /// Is it a model whose weights can start ours, but are not all of it (BERT, RoBERTa, one without a head)?
  [[nodiscard]] bool is_foreign() const;
  /// Is it BERT or RoBERTa, to which a convolution of any size can be added?
  [[nodiscard]] bool lacks_convolution() const;
  /// The tokenizer; empty where there is none. Of a folder: launch/models/folder_tokenizer.h.
  [[nodiscard]] Tokenizer tokenizer() const;
  /// The tokenizer's files: of a folder all that transformers keeps there.
  [[nodiscard]] std::vector<FolderFile> tokenizer_files() const;

  /// Names of the classes or tags that it was fine-tuned for; empty where it knows none.
  [[nodiscard]] std::vector<std::string> label_names() const;
  /// Settings of the task that it was fine-tuned for: keys of the section `task`, and data.sequence_length.
  [[nodiscard]] std::map<std::string, std::string> task_settings() const;
  struct Progress {
    std::int64_t step = 0, samples = 0;
    double seconds = 0;
  };
  /// How far a checkpoint was trained.
  [[nodiscard]] Progress progress() const;
  /// A value of the configuration that a checkpoint was trained with; empty where it is not known.
  [[nodiscard]] std::string setting(const std::string& key) const;

  [[nodiscard]] bool is_folder() const;
  /// The text of the folder's config.json; empty for a checkpoint.
  [[nodiscard]] const std::string& folder_config() const;

 private:
  void open_folder();
  void open_checkpoint();

  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace nystrom
