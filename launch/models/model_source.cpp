#include "launch/models/model_source.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <optional>
#include <utility>

#include "kernels/core/check.h"
#include "kernels/core/files.h"
#include "launch/config/options.h"
#include "launch/models/folder_tokenizer.h"
#include "launch/models/model_path.h"
#include "model/exchange/bert_import.h"
#include "model/exchange/tensor_edits.h"
#include "model/exchange/warm_start.h"
#include "trainer/checkpoint/checkpoint.h"
#include "trainer/tasks/task_results.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;

/// Two heads of one architecture: masked language models with and without sentence order.
bool differ_by_sentence_order(HeadKind a, HeadKind b) {
  return a != b && entry_of(a).architecture == entry_of(b).architecture;
}

}  // namespace

struct ModelSource::State {
  std::string path;
  std::vector<std::string> notes;  // on the path
  HuggingFaceConfig config;
  std::string folder_config;
  bool as_it_is = false;                       // use_as_it_is() was called
  std::optional<WeightFiles> weights;          // of a folder
  std::optional<CheckpointReader> checkpoint;  // otherwise
};

ModelSource::ModelSource(const std::string& path) : state_(std::make_unique<State>()) {
  ModelPath found = find_model(path);
  state_->path = std::move(found.path);
  state_->notes = std::move(found.notes);
  if (is_huggingface_folder(state_->path))
    open_folder();
  else if (is_checkpoint(state_->path))
    open_checkpoint();
  else
    refuse("{} is not a checkpoint, a run directory or a Hugging Face folder with a config.json.",
           state_->path);
}

void ModelSource::open_folder() {
  state_->config = read_huggingface_config(state_->path);
  state_->folder_config = read_file((fs::path(state_->path) / "config.json").string());
  state_->weights.emplace(state_->path);
  check_drawn(state_->config.model, *state_->weights, state_->path);
  if (state_->config.head.kind == HeadKind::kMaskedLm && has_sentence_order(*state_->weights))
    state_->config.head.kind = HeadKind::kPretraining;
}

void ModelSource::open_checkpoint() {
  check_foreign_checkpoint(state_->path);
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
std::vector<std::string> ModelSource::notes(const ModelConfig& model) const {
  std::vector<std::string> notes = state_->notes;
  if (lacks_convolution())
    notes.push_back(bert_note(state_->path, state_->config.foreign, model, /*starts=*/!state_->as_it_is));
  else
    std::ranges::copy(state_->config.notes, std::back_inserter(notes));
  return notes;
}
void ModelSource::use_as_it_is() {
  state_->as_it_is = true;
  if (lacks_convolution()) set_bert_attention(state_->config.model.attention);
}
void ModelSource::use_weights(EvaluatedWeights weights) {
  if (weights == EvaluatedWeights::kTrained) return;
  if (is_folder())
    refuse("{} is a folder, which has one set of weights; averaged ones are in checkpoints.", path());
  state_->checkpoint->use_average();
}
void ModelSource::set_config(const ModelConfig& model) {
  state_->config.model = model;
}
bool ModelSource::is_folder() const {
  return state_->weights.has_value();
}
const std::string& ModelSource::folder_config() const {
  return state_->folder_config;
}

const HeadConfig& ModelSource::head() const {
  if (!state_->config.has_head)
    refuse("{} is a {}, whose head this program does not have.", state_->path, state_->config.architecture);
  return state_->config.head;
}

bool ModelSource::makes_embeddings() const {
  return state_->config.has_head && state_->config.head.kind == HeadKind::kEmbedding;
}

bool ModelSource::is_from_elsewhere() const {
  return is_folder() && !state_->config.is_ours;
}

bool ModelSource::is_foreign() const {
  return !state_->config.foreign.empty();
}

bool ModelSource::lacks_convolution() const {
  return is_bert_type(state_->config.foreign);
}

ModelSource::Progress ModelSource::progress() const {
  if (is_folder()) return {};
  const RunState& state = state_->checkpoint->state();
  return {state.step, state.samples, state.seconds};
}

std::string ModelSource::provenance() const {
  return is_folder() ? std::string() : state_->checkpoint->identity().provenance;
}

std::map<std::string, std::string> ModelSource::task_settings() const {
  if (is_folder()) return state_->config.task;
  std::map<std::string, std::string> found;
  for (const auto& [key, value] : state_->checkpoint->identity().settings)
    if (key.starts_with("task.") && key != "task.label_names" && key != "task.path" && value != "\"\"" &&
        value != "[]")
      found[key] = value;
  if (!found.empty() && !setting("data.sequence_length").empty())
    found["data.sequence_length"] = setting("data.sequence_length");
  return found;
}

std::string ModelSource::setting(const std::string& key) const {
  const Settings& settings = is_folder() ? state_->config.task : state_->checkpoint->identity().settings;
  const auto found = settings.find(key);
  if (found == settings.end()) return {};
  const std::string& value = found->second;  // as in YAML: text may be quoted
  const bool quoted = value.size() >= 2 && value.front() == '"' && value.back() == '"';
  return quoted ? value.substr(1, value.size() - 2) : value;
}

std::vector<std::string> ModelSource::label_names() const {
  return is_folder() ? state_->config.labels : read_label_names(setting("task.label_names"));
}

void ModelSource::check() const {
  if (is_foreign()) return;              // load() validates it
  ParameterStore declared(DType::kF32);  // allocates nothing
  const Encoder encoder(config(), declared);
  const auto made = make_head(head(), {config(), declared, encoder.embeddings().word()});
  if (is_folder())
    check_weights(declared, *state_->weights, state_->path);
  else
    state_->checkpoint->check_weights(declared);
}

LoadNotes ModelSource::load(Network& network) const {
  ParameterStore& store = network.parameters();
  LoadNotes notes;
  const auto start = [&](const std::vector<TensorToWrite>& tensors) {
    const WarmStart options{.first_of_head = network.head().first_parameter(), .path = state_->path};
    for (auto& note : start_warm(store, tensors, options)) notes.push_back(std::move(note));
  };
  if (is_foreign()) {
    ModelConfig model = config();
    if (lacks_convolution()) model.attention.taps = network.config().attention.taps;
    start(stored_tensors(&model, &notes));
  } else if (is_folder()) {
    return load_weights(store, *state_->weights, state_->path);
  } else if (differ_by_sentence_order(head().kind, network.head_kind())) {
    const auto tensors = stored_tensors();
    start(tensors);
    std::vector<std::string_view> unused;
    for (const auto& tensor : tensors)
      if (store.find(tensor.name) == nullptr) unused.push_back(tensor.name);
    if (!unused.empty())
      notes.push_back(fmt::format("Unused tensors of {}: {}.", state_->path, fmt::join(unused, ", ")));
  } else {
    state_->checkpoint->load_weights(store);
  }
  return notes;
}

std::vector<TensorToWrite> ModelSource::stored_tensors(const ModelConfig* model,
                                                       std::vector<std::string>* notes) const {
  std::vector<TensorToWrite> tensors;
  if (is_foreign()) {
    std::vector<std::string> import_notes;
    ModelConfig started = config();
    if (model != nullptr) started.attention = model->attention;
    tensors = import_bert(*state_->weights, state_->config.foreign, started, import_notes);
    if (notes != nullptr) notes->insert(notes->end(), import_notes.begin(), import_notes.end());
    return tensors;
  }
  if (is_folder()) {
    for (const auto& [name, entry] : state_->weights->tensors())
      if (!is_left_out(name, config())) tensors.push_back(as_stored(name, entry));
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

Tokenizer ModelSource::tokenizer() const {
  if (is_folder()) return read_folder_tokenizer(state_->path);
  const RunIdentity& identity = state_->checkpoint->identity();
  if (identity.tokenizer.empty()) return {};
  return Tokenizer::from_bytes(identity.tokenizer, "the tokenizer in " + state_->path);
}

std::vector<FolderFile> ModelSource::tokenizer_files() const {
  if (is_folder()) return folder_tokenizer_files(state_->path);
  const Tokenizer own = tokenizer();
  if (own.empty()) return {};
  return {{own.is_json() ? "tokenizer.json" : "spiece.model", own.bytes()}};
}

ModelConfig with_attention(const ModelSource& source, const Config& config) {
  ModelConfig model = model_options(config, &source.config());
  if (model.attention.taps != source.config().attention.taps && !source.lacks_convolution())
    refuse("`model.attention.convolution` is {} in {}; a convolution of kernel size {} has other weights.",
           source.config().attention.taps, source.path(), model.attention.taps);
  return model;
}

}  // namespace nystrom
