// Weights of a Hugging Face folder: reading and writing.

#include "model/exchange/huggingface.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <filesystem>

#include "kernels/core/check.h"
#include "kernels/core/files.h"
#include "kernels/core/stage.h"
#include "model/attention/registry.h"
#include "model/exchange/tensor_edits.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kWord = "nystromformer.embeddings.word_embeddings.weight";
constexpr std::size_t kMaxNamed = 8;  // tensors in one message

/// The head of sentence-order prediction, which transformers' masked language model does not have.
bool is_optional(std::string_view name) {
  return name.starts_with("nystromformer.pooler.") || name.starts_with("cls.seq_relationship.");
}

/// Buffers that older transformers saved: constants, not weights.
bool is_buffer(std::string_view name) {
  return name.ends_with("embeddings.position_ids") || name.ends_with("embeddings.token_type_ids");
}

constexpr std::string_view kConvolution = ".attention.self.conv.weight";

/// Is `name` the convolution of a layer of a model without convolution? Such a tensor must be zero.
bool is_absent_convolution(const ParameterStore& store, std::string_view name) {
  if (!name.ends_with(kConvolution) || store.find(name) != nullptr) return false;
  name.remove_suffix(kConvolution.size());
  return store.find(std::string(name) + ".attention.self.value.weight") != nullptr;
}

std::string drawn_name(std::int64_t layer, std::string_view name) {
  return fmt::format("nystromformer.encoder.layer.{}.attention.self.{}", layer, name);
}

/// Random numbers of some kind of attention?
bool is_drawn(std::string_view name) {
  return std::ranges::any_of(attention_registry(), [name](const AttentionEntry& kind) {
    return !kind.drawn_name.empty() && name.ends_with(fmt::format(".attention.self.{}", kind.drawn_name));
  });
}

/// Equal, up to rounding to bf16?
bool is_rounded(float stored, float drawn) {
  return std::abs(stored - drawn) <= std::abs(drawn) / 256;
}

class Problems {
 public:
  void add(std::string problem) { problems_.push_back(std::move(problem)); }
  void refuse_any(const std::string& folder) const {
    if (problems_.empty()) return;
    const std::vector<std::string> named(
        problems_.begin(),
        problems_.begin() + static_cast<std::ptrdiff_t>(std::min(kMaxNamed, problems_.size())));
    const std::string more = problems_.size() > kMaxNamed
                                 ? fmt::format("; and {} more", problems_.size() - kMaxNamed)
                                 : std::string{};
    refuse("{}: the weights do not match config.json: {}{}.", folder, fmt::join(named, "; "), more);
  }

 private:
  std::vector<std::string> problems_;
};

bool same_shape(const StoredTensor& stored, const Shape& shape) {
  return std::ranges::equal(stored.shape, shape.dims());
}

void check_parameters(const ParameterStore& store, const WeightFiles& files, Problems& problems) {
  for (const Parameter& parameter : store.all()) {
    const auto* entry = files.find(parameter.name);
    if (entry == nullptr) {
      if (!is_optional(parameter.name)) problems.add(fmt::format("{} is missing", parameter.name));
    } else if (!same_shape(*entry->tensor, parameter.shape)) {
      problems.add(fmt::format("{} has shape {} instead of {}", parameter.name, entry->tensor->shape_text(),
                               parameter.shape.text()));
    }
  }
}

void check_tied_copy(const WeightFiles& files, const std::string& name, const WeightFiles::Entry& entry,
                     Problems& problems) {
  const auto* original = files.find(tied_to(name));
  if (original == nullptr) return;  // reported as missing
  if (!same_values(entry, *original))
    problems.add(fmt::format("{} differs from {}, to which it is tied here", name, tied_to(name)));
}

void check_files(const ParameterStore& store, const WeightFiles& files, Problems& problems) {
  for (const auto& [name, entry] : files.tensors()) {
    if (store.find(name) != nullptr || is_optional(name) || is_buffer(name) || is_drawn(name)) continue;
    if (!tied_to(name).empty())
      check_tied_copy(files, name, entry, problems);
    else if (!is_absent_convolution(store, name))
      problems.add(fmt::format("{} {} is unexpected", name, entry.tensor->shape_text()));
    else if (!is_zero(entry))
      problems.add(fmt::format("{} is not zero, but the model has no convolution", name));
  }
}

void load(const WeightFiles::Entry& entry, const Tensor& to) {
  dispatch_float(to.dtype, [&]<class T>(T) {
    if constexpr (!std::is_same_v<T, BF16>) entry.file->read(*entry.tensor, to.span<T>());
  });
}

LoadNotes describe(const ParameterStore& store, const WeightFiles& files, const std::string& folder) {
  std::vector<std::string_view> kept, ignored;
  for (const Parameter& parameter : store.all())
    if (files.find(parameter.name) == nullptr) kept.push_back(parameter.name);
  for (const auto& [name, entry] : files.tensors())
    if (is_optional(name) && store.find(name) == nullptr) ignored.push_back(name);
  LoadNotes notes;
  if (!kept.empty())
    notes.push_back(
        fmt::format("{} lacks {}, which keep their random initialization.", folder, fmt::join(kept, ", ")));
  if (!ignored.empty())
    notes.push_back(fmt::format("Unused tensors of {1}: {0}.", fmt::join(ignored, ", "), folder));
  return notes;
}

/// transformers cannot load a model without convolution: it gets one of kernel size 1, all zeros.
void add_zero_taps(const HuggingFaceFolder& folder, std::vector<TensorToWrite>& tensors) {
  if (folder.model.attention.taps > 0 || tensors.empty()) return;
  const std::int64_t heads = folder.model.attention.heads;
  for (std::int64_t layer = 0; layer < folder.model.layers; ++layer)
    tensors.push_back(zeros(fmt::format("nystromformer.encoder.layer.{}{}", layer, kConvolution), folder.type,
                            {heads, 1, 1, 1}));
}

/// Always fp32, in which our own attention draws them.
void add_drawn(const HuggingFaceFolder& folder, std::vector<TensorToWrite>& tensors) {
  const AttentionEntry& kind = attention_entry(folder.model.attention.kind);
  if (kind.drawn_name.empty() || tensors.empty()) return;
  for (std::int64_t layer = 0; layer < folder.model.layers; ++layer) {
    const DrawnTensor drawn = kind.draw(folder.model, layer);
    const auto dims = drawn.shape.dims();
    tensors.push_back({drawn_name(layer, kind.drawn_name),
                       StoredType::kF32,
                       {dims.begin(), dims.end()},
                       [values = drawn.values] {
                         const auto bytes = std::as_bytes(std::span(values));
                         return std::vector<std::byte>(bytes.begin(), bytes.end());
                       }});
  }
}

/// Folder under a temporary name; removed unless it is published.
class NewFolder {
 public:
  explicit NewFolder(const std::string& path) : path_(path), temporary_(temporary_name(path)) {
    std::error_code error;
    if (const auto parent = fs::path(path).parent_path(); !parent.empty())
      fs::create_directories(parent, error);
    if (!fs::create_directory(temporary_, error))
      fail("The folder {} cannot be created: {}.", temporary_, error.message());
  }
  NewFolder(const NewFolder&) = delete;
  NewFolder& operator=(const NewFolder&) = delete;
  ~NewFolder() {
    std::error_code ignored;
    if (!temporary_.empty()) fs::remove_all(temporary_, ignored);
  }
  [[nodiscard]] fs::path operator/(const std::string& name) const { return fs::path(temporary_) / name; }
  [[nodiscard]] const std::string& path() const { return temporary_; }
  void publish() {
    publish_file(temporary_, path_);
    temporary_.clear();
  }

 private:
  std::string path_, temporary_;
};

std::string without_trailing_slash(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

}  // namespace

std::string_view tied_to(std::string_view name) {
  if (name == "cls.predictions.decoder.weight") return kWord;
  if (name == "cls.predictions.decoder.bias") return "cls.predictions.bias";
  return {};
}

bool has_sentence_order(const WeightFiles& files) {
  return files.find("cls.seq_relationship.weight") != nullptr;
}

std::string beyond_transformers(const ModelConfig& model, const HeadConfig& head) {
  if (!attention_entry(model.attention.kind).is_of_transformers)
    return fmt::format("attention of kind `{}`", model.attention.kind);
  std::string found;
  const auto is_of_embeddings = [&head](std::string_view key) {
    return head.kind == HeadKind::kEmbedding && (key == "pooling" || key == "normalize");
  };
  NetworkConfig::visit_options(
      [&](const char* key, const auto& value, const auto& otherwise) {
        if (value != otherwise && !is_of_embeddings(key))
          found = fmt::format("another `model.{}` than the default", key);
      },
      model.network, kDefaultNetwork);
  if (head.kind == HeadKind::kPairClassification)
    found = fmt::format("a head for {}", entry_of(head.kind).description);
  return found;
}

void check_drawn(const ModelConfig& model, const WeightFiles& files, const std::string& folder) {
  const AttentionEntry& kind = attention_entry(model.attention.kind);
  if (kind.drawn_name.empty()) return;
  for (std::int64_t layer = 0; layer < model.layers; ++layer) {
    const std::string name = drawn_name(layer, kind.drawn_name);
    const WeightFiles::Entry* const entry = files.find(name);
    if (entry == nullptr) continue;
    const DrawnTensor drawn = kind.draw(model, layer);
    std::vector<float> stored(drawn.values.size());
    if (same_shape(*entry->tensor, drawn.shape)) entry->file->read(*entry->tensor, std::span(stored));
    if (!std::ranges::equal(stored, drawn.values, is_rounded))
      refuse(
          "{}: {} differs from this program's random numbers for attention of kind `{}`, so the result would be another "
          "model.",
          folder, name, model.attention.kind);
  }
}

bool is_left_out(std::string_view name, const ModelConfig& model) {
  return is_buffer(name) || is_drawn(name) || !tied_to(name).empty() ||
         (model.attention.taps == 0 && name.ends_with(kConvolution));
}

void check_weights(const ParameterStore& store, const WeightFiles& files, const std::string& folder) {
  Problems problems;
  check_parameters(store, files, problems);
  check_files(store, files, problems);
  problems.refuse_any(folder);
}

LoadNotes load_weights(ParameterStore& store, const WeightFiles& files, const std::string& folder) {
  check_weights(store, files, folder);
  Stage stage(fmt::format("loading {}", folder), static_cast<double>(store.count()));
  for (ParameterId id = 0; id < store.count(); ++id) {
    if (const auto* entry = files.find(store[id].name))
      store.fill_weight(id, [&](const Tensor& weight) { load(*entry, weight); });
    stage.advance();
  }
  store.refresh_copy();
  return describe(store, files, folder);
}

std::vector<TensorToWrite> tensors_of(const ParameterStore& store) {
  std::vector<TensorToWrite> tensors;
  for (ParameterId id = 0; id < store.count(); ++id)
    tensors.push_back(as_fp32(store[id].name, store.weight(id)));
  return tensors;
}

void refuse_existing_target(const std::string& path) {
  std::error_code ignored;
  if (!fs::exists(path, ignored)) return;
  if (!fs::is_directory(path, ignored) || !fs::is_empty(path, ignored))
    refuse("{} already exists; nothing was written. Choose another target or remove it first.", path);
}

void write_huggingface_folder(const std::string& target, const HuggingFaceFolder& folder) {
  const std::string path = without_trailing_slash(target);
  refuse_existing_target(path);
  NewFolder written(path);
  write_file(written / "config.json", huggingface_config_text(folder));
  for (const FolderFile& file : folder.files) {
    fs::create_directories(fs::path(written / file.name).parent_path());
    write_file(written / file.name, file.bytes);
  }
  std::vector<TensorToWrite> tensors = folder.tensors;
  add_zero_taps(folder, tensors);
  add_drawn(folder, tensors);
  write_weight_files(written.path(), std::move(tensors), folder.shard_bytes);
  written.publish();
}

}  // namespace nystrom
