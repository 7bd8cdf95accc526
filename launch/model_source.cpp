#include "launch/model_source.h"

#include <filesystem>
#include <fstream>
#include <optional>
#include <utility>

#include "data/child_check.h"
#include "kernels/core/check.h"
#include "trainer/checkpoint.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;

// Where transformers and we keep a SentencePiece model.
constexpr const char* kTokenizerNames[] = {"spiece.model", "tokenizer.model", "sentencepiece.bpe.model"};
// What else transformers reads of a tokenizer.
constexpr const char* kTokenizerCompanions[] = {"tokenizer.json", "tokenizer_config.json",
                                                "special_tokens_map.json", "added_tokens.json"};

}  // namespace

struct ModelSource::State {
  std::string path;
  HuggingFaceConfig config;
  std::string folder_config;
  std::optional<WeightFiles> weights;          // of a folder
  std::optional<CheckpointReader> checkpoint;  // otherwise
};

ModelSource::ModelSource(std::string path) : state_(std::make_unique<State>()) {
  state_->path = std::move(path);
  if (is_huggingface_folder(state_->path))
    open_folder();
  else if (is_checkpoint(state_->path))
    open_checkpoint();
  else
    refuse("{} is neither a checkpoint nor a Hugging Face folder (one with a config.json).", state_->path);
}

void ModelSource::open_folder() {
  state_->config = read_huggingface_config(state_->path);
  state_->folder_config = read_text_file((fs::path(state_->path) / "config.json").string());
  state_->weights.emplace(state_->path);
  if (state_->config.head.kind == HeadKind::kMaskedLm && has_sentence_order(*state_->weights))
    state_->config.head.kind = HeadKind::kPretraining;
}

// Its digest says that it is whole, not that it was made by somebody who means well.
void ModelSource::open_checkpoint() {
  verify_checkpoint(state_->path);
  check_in_child(std::span(&state_->path, 1), {}, check_checkpoint_content);
  state_->checkpoint.emplace(state_->path, false);
  state_->config.model = state_->checkpoint->model();
  state_->config.head = state_->checkpoint->head();
  state_->config.has_head = true;
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

void ModelSource::check() const {
  ParameterStore declared(DType::kF32);  // takes no memory
  const Encoder encoder(config(), declared);
  const auto made = make_head(head(), {config(), declared, encoder.embeddings().word()});
  if (is_folder())
    check_weights(declared, *state_->weights, state_->path);
  else
    state_->checkpoint->check_weights(declared);
}

LoadNotes ModelSource::load(ParameterStore& store) const {
  if (is_folder()) return load_weights(store, *state_->weights, state_->path);
  state_->checkpoint->load_weights(store);
  return {};
}

std::vector<TensorToWrite> ModelSource::stored_tensors() const {
  std::vector<TensorToWrite> tensors;
  if (is_folder()) {
    for (const auto& [name, entry] : state_->weights->tensors())
      tensors.push_back({name, entry.tensor->type, entry.tensor->shape,
                         [entry = entry] { return entry.file->read_bytes(*entry.tensor); }});
    return tensors;
  }
  const CheckpointReader& reader = *state_->checkpoint;
  for (const auto& tensor : reader.tensors())
    tensors.push_back({tensor.name, StoredType::kF32, tensor.shape, [&reader, name = tensor.name] {
                         const std::vector<float> values = reader.read_tensor(name);
                         const auto bytes = std::as_bytes(std::span(values));
                         return std::vector<std::byte>(bytes.begin(), bytes.end());
                       }});
  return tensors;
}

FolderFile ModelSource::tokenizer_file() const {
  if (!is_folder()) {
    const RunIdentity& identity = state_->checkpoint->identity();
    return identity.tokenizer.empty() ? FolderFile{} : FolderFile{kTokenizerNames[0], identity.tokenizer};
  }
  for (const char* name : kTokenizerNames) {
    const std::string path = (fs::path(state_->path) / name).string();
    if (fs::is_regular_file(path)) return {name, read_text_file(path)};
  }
  return {};
}

std::vector<FolderFile> ModelSource::tokenizer_files() const {
  std::vector<FolderFile> files;
  if (FolderFile file = tokenizer_file(); !file.name.empty()) files.push_back(std::move(file));
  if (!is_folder()) return files;
  for (const char* name : kTokenizerCompanions) {
    const std::string path = (fs::path(state_->path) / name).string();
    if (fs::is_regular_file(path)) files.push_back({name, read_text_file(path)});
  }
  return files;
}

Tokenizer ModelSource::tokenizer() const {
  FolderFile file = tokenizer_file();
  if (file.name.empty()) return {};
  const std::string origin =
      is_folder() ? (fs::path(state_->path) / file.name).string() : "the tokenizer in " + state_->path;
  return Tokenizer::from_bytes(std::move(file.bytes), origin);
}

}  // namespace nystrom
