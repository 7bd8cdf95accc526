#include "launch/model_source.h"

#include <filesystem>
#include <fstream>
#include <optional>
#include <utility>

#include "kernels/core/check.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;

// Where transformers and we keep a SentencePiece model.
constexpr const char* kTokenizerNames[] = {"spiece.model", "tokenizer.model", "sentencepiece.bpe.model"};

}  // namespace

struct ModelSource::State {
  std::string path;
  HuggingFaceConfig config;
  std::optional<WeightFiles> weights;
  std::string folder_config;
};

ModelSource::ModelSource(std::string path) : state_(std::make_unique<State>()) {
  if (!is_huggingface_folder(path))
    refuse("{} is neither a checkpoint nor a Hugging Face folder (a folder with a config.json).", path);
  state_->path = std::move(path);
  state_->config = read_huggingface_config(state_->path);
  state_->folder_config = read_text_file((fs::path(state_->path) / "config.json").string());
  state_->weights.emplace(state_->path);
  if (state_->config.head.kind == HeadKind::kMaskedLm && has_sentence_order(*state_->weights))
    state_->config.head.kind = HeadKind::kPretraining;
}

ModelSource::~ModelSource() = default;
ModelSource::ModelSource(ModelSource&&) noexcept = default;
ModelSource& ModelSource::operator=(ModelSource&&) noexcept = default;

const std::string& ModelSource::path() const {
  return state_->path;
}
const ModelConfig& ModelSource::config() const {
  return state_->config.model;
}
const std::vector<std::string>& ModelSource::notes() const {
  return state_->config.notes;
}
bool ModelSource::is_folder() const {
  return state_->weights.has_value();
}
const std::string& ModelSource::folder_config() const {
  return state_->folder_config;
}

const HeadConfig& ModelSource::head() const {
  if (!state_->config.has_head)
    refuse("{} is a {}; this program has no such head.", state_->path, state_->config.architecture);
  return state_->config.head;
}

LoadNotes ModelSource::load(ParameterStore& store) const {
  return load_weights(store, *state_->weights, state_->path);
}

std::vector<TensorToWrite> ModelSource::stored_tensors() const {
  std::vector<TensorToWrite> tensors;
  for (const auto& [name, entry] : state_->weights->tensors())
    tensors.push_back({name, entry.tensor->type, entry.tensor->shape,
                       [entry = entry] { return entry.file->read_bytes(*entry.tensor); }});
  return tensors;
}

FolderFile ModelSource::tokenizer_file() const {
  for (const char* name : kTokenizerNames) {
    const std::string path = (fs::path(state_->path) / name).string();
    if (fs::is_regular_file(path)) return {name, read_text_file(path)};
  }
  return {};
}

Tokenizer ModelSource::tokenizer() const {
  FolderFile file = tokenizer_file();
  if (file.name.empty()) return {};
  const std::string origin = (fs::path(state_->path) / file.name).string();
  return Tokenizer::from_bytes(std::move(file.bytes), origin);
}

}  // namespace nystrom
