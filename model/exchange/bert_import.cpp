#include "model/exchange/bert_import.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "kernels/core/files.h"
#include "model/attention/registry.h"
#include "model/check.h"
#include "model/exchange/json_object.h"
#include "model/exchange/tensor_edits.h"
#include "model/heads/head_registry.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr std::int64_t kLandmarks = 64, kTaps = 65;

void require_value(const std::string& path, const JsonObject& json, const char* key,
                   const std::string& only) {
  const std::string value = json.is_null(key) ? only : json.text(key, only);
  if (value != only) refuse("{}: `{}` is {}; only {} can be imported.", path, key, value, only);
}

bool replace_prefix(std::string& name, std::string_view from, std::string_view to) {
  if (!name.starts_with(from)) return false;
  name.replace(0, from.size(), to);
  return true;
}

/// Old checkpoints call LayerNorm's tensors gamma and beta.
void modernize(std::string& name) {
  if (name.ends_with("LayerNorm.gamma")) name.replace(name.size() - 5, 5, "weight");
  if (name.ends_with("LayerNorm.beta")) name.replace(name.size() - 4, 4, "bias");
}

/// Our name of their tensor; nullopt if we have no such tensor.
std::optional<std::string> our_name(std::string name) {
  modernize(name);
  (void)(replace_prefix(name, "bert.", "") || replace_prefix(name, "roberta.", "") ||
         replace_prefix(name, "nystromformer.", ""));
  constexpr std::array<std::pair<std::string_view, std::string_view>, 8> kNames{
      {{"embeddings.", "nystromformer.embeddings."},
       {"encoder.layer.", "nystromformer.encoder.layer."},
       {"pooler.dense.", "nystromformer.pooler.dense."},
       {"cls.", "cls."},
       {"lm_head.bias", "cls.predictions.bias"},
       {"lm_head.dense.", "cls.predictions.transform.dense."},
       {"lm_head.layer_norm.", "cls.predictions.transform.LayerNorm."},
       {"lm_head.decoder.", "cls.predictions.decoder."}}};
  for (const auto& [from, to] : kNames)
    if (replace_prefix(name, from, to)) return name;
  return std::nullopt;
}

/// A stored tensor and its name in the file.
struct Theirs {
  std::string name;
  WeightFiles::Entry entry;
};
using ByOurName = std::map<std::string, Theirs>;

/// Tensors that have a counterpart; the names of the others go to `skipped`.
ByOurName by_our_name(const WeightFiles& files, std::vector<std::string>& skipped) {
  ByOurName found;
  for (const auto& [name, entry] : files.tensors()) {
    const auto ours = our_name(name);
    if (!ours) {
      skipped.push_back(name);
      continue;
    }
    const auto [same, first] = found.emplace(*ours, Theirs{name, entry});
    if (!first)
      refuse("{}: {} and {} are the same tensor here.", entry.file->path(), same->second.name, name);
  }
  return found;
}

/// The decoder and its bias may be stored as copies, which must equal the tensors that they are tied to here.
void take_tied(ByOurName& found) {
  for (const char* name : {"cls.predictions.decoder.weight", "cls.predictions.decoder.bias"}) {
    const auto copy = found.find(name);
    if (copy == found.end()) continue;
    const auto [original, alone] = found.try_emplace(std::string(tied_to(name)), copy->second);
    if (!alone && !same_values(original->second.entry, copy->second.entry))
      refuse("{}: {} differs from {}, to which it is tied here; an untied decoder cannot be imported.",
             copy->second.entry.file->path(), copy->second.name, original->second.name);
    found.erase(copy);
  }
}

/// Moves tensors without a parameter to `skipped`; refuses those that belong to the encoder.
void take_known(ByOurName& found, const ModelConfig& model, std::vector<std::string>& skipped) {
  ParameterStore declared(DType::kF32);  // takes no memory
  const Encoder encoder(model, declared);
  const auto head = make_head(HeadKind::kPretraining, {model, declared, encoder.embeddings().word()});
  std::erase_if(found, [&](const auto& named) {
    const auto& [ours, theirs] = named;
    const bool convolution = ours.ends_with("conv.weight");
    if (is_left_out(ours, model) && (!convolution || is_zero(theirs.entry))) return true;
    if (declared.find(ours) != nullptr) return false;
    if (ours.starts_with("nystromformer.e"))  // embeddings, encoder
      refuse("{}: the tensor {} is not part of the encoder of {} layers that config.json describes.",
             theirs.entry.file->path(), theirs.name, model.layers);
    skipped.push_back(theirs.name);
    return true;
  });
}

/// Selected rows of a table, in this order; -1 is a row of zeros.
TensorToWrite with_rows(TensorToWrite table, std::vector<std::int64_t> rows) {
  TensorToWrite changed{
      table.name, table.type, {static_cast<std::int64_t>(rows.size()), table.shape.at(1)}, {}};
  changed.bytes = [from = std::move(table), rows = std::move(rows)] {
    const std::vector<std::byte> bytes = from.bytes();
    const std::size_t row_bytes = bytes.size() / static_cast<std::size_t>(from.shape.at(0));
    std::vector<std::byte> to(rows.size() * row_bytes);
    for (std::size_t i = 0; i < rows.size(); ++i)
      if (rows[i] >= 0)
        std::copy_n(bytes.begin() + rows[i] * static_cast<std::ptrdiff_t>(row_bytes), row_bytes,
                    to.begin() + static_cast<std::ptrdiff_t>(i * row_bytes));
    return to;
  };
  return changed;
}

/// First row to copy of their position table, so that position 0 comes after kPositionOffset rows. RoBERTa's
/// own position 0 comes after the rows up to its pad_token_id.
std::int64_t first_position_row(const std::string& model_type, const ModelConfig& model) {
  return model_type == "roberta" ? model.pad_token_id + 1 - kPositionOffset : -kPositionOffset;
}

TensorToWrite reshaped(TensorToWrite tensor, const std::string& model_type, const ModelConfig& model) {
  std::vector<std::int64_t> rows;
  if (tensor.shape.size() != 2 || tensor.shape[0] == 0 || tensor.shape[1] == 0) return tensor;
  if (tensor.name == kPositionTable) {
    for (std::int64_t row = first_position_row(model_type, model); row < tensor.shape[0]; ++row)
      rows.push_back(std::max<std::int64_t>(row, -1));
    return with_rows(std::move(tensor), std::move(rows));
  }
  if (tensor.name.ends_with("token_type_embeddings.weight") && tensor.shape[0] == 1) {
    rows.assign(static_cast<std::size_t>(model.token_types), 0);
    return with_rows(std::move(tensor), std::move(rows));
  }
  return tensor;
}

/// RoBERTa's positions start after its pad_token_id.
void read_padding(const std::string& path, const JsonObject& json, bool roberta, ModelConfig& model) {
  const bool none = json.is_null("pad_token_id");
  const std::int64_t pad = none ? -1 : json.integer("pad_token_id", roberta ? 1 : 0);
  if (pad < (roberta ? 0 : -1) || pad >= model.vocabulary_size)
    refuse("{}: `pad_token_id` is {}, which is outside the vocabulary of {}.", path,
           none ? "null" : std::to_string(pad), model.vocabulary_size);
  model.pad_token_id = static_cast<std::int32_t>(pad);
  if (roberta && model.max_positions > 0) model.max_positions -= pad + 1;
}

}  // namespace

bool is_bert_type(const std::string& model_type) {
  return model_type == "bert" || model_type == "roberta";
}

HuggingFaceConfig read_bert_config(const std::string& folder, const std::string& model_type) {
  const std::string path = (fs::path(folder) / "config.json").string();
  const Json parsed = parse_json<Json>(path, read_file(path));
  const JsonObject json(path, parsed);
  require_value(path, json, "position_embedding_type", "absolute");
  if (json.boolean("is_decoder", false))
    refuse("{}: `is_decoder` is true; this program trains encoders.", path);
  const std::string activation = json.text("hidden_act", "gelu");
  if (activation != "gelu" && activation != "gelu_new" && activation != "gelu_pytorch_tanh")
    refuse("{}: `hidden_act` is {}; it must be gelu, gelu_new or gelu_pytorch_tanh.", path, activation);
  HuggingFaceConfig config;
  ModelConfig& model = config.model;
  const bool roberta = model_type == "roberta";
  model.vocabulary_size = json.integer("vocab_size", roberta ? 50265 : 30522);
  model.hidden_size = json.integer("hidden_size", 768);
  model.layers = json.integer("num_hidden_layers", 12);
  model.intermediate_size = json.integer("intermediate_size", 3072);
  model.max_positions = json.integer("max_position_embeddings", roberta ? 514 : 512);
  model.token_types = std::max<std::int64_t>(2, json.integer("type_vocab_size", 2));
  read_padding(path, json, roberta, model);
  model.activation = activation == "gelu" ? Activation::kGelu : Activation::kGeluNew;
  model.dropout = json.number("hidden_dropout_prob", 0.1);
  model.layer_norm_epsilon = json.number("layer_norm_eps", 1e-12);
  model.initializer_range = json.number("initializer_range", 0.02);
  model.attention.heads = json.integer("num_attention_heads", 12);
  model.attention.landmarks = kLandmarks;
  model.attention.taps = kTaps;
  check_of_file(path, model);
  config.architecture = "NystromformerForMaskedLM";
  config.head = HeadKind::kMaskedLm;
  config.has_head = true;
  return config;
}

void set_bert_attention(AttentionConfig& attention) {
  attention.kind = "softmax";
  attention.taps = 0;
}

std::string bert_note(const std::string& folder, const std::string& model_type, const ModelConfig& model,
                      bool starts) {
  const AttentionConfig& attention = model.attention;
  const std::string here = attention_entry(attention.kind).describe(attention);
  const std::string convolution =
      attention.taps == 0 ? "no convolution"
                          : fmt::format("a convolution of zeros with kernel size {}", attention.taps);
  AttentionConfig theirs = attention;
  set_bert_attention(theirs);
  if (!starts && attention.kind == theirs.kind)
    return fmt::format("{} is a {} model; it runs with {}, as in transformers.", folder, model_type, here);
  return fmt::format("{} is a {} model, which transformers runs with softmax attention. Here {} {} and {}.",
                     folder, model_type, starts ? "its weights are a warm start for" : "it runs with", here,
                     convolution);
}

std::vector<TensorToWrite> import_bert(const WeightFiles& files, const std::string& model_type,
                                       const ModelConfig& model, std::vector<std::string>& notes) {
  const bool bert = is_bert_type(model_type);
  ModelConfig theirs = model;
  if (bert) theirs.attention.taps = 0;  // their convolution, if any, means something else
  std::vector<std::string> skipped;
  ByOurName found = by_our_name(files, skipped);
  take_tied(found);
  take_known(found, theirs, skipped);
  std::vector<TensorToWrite> tensors;
  for (const auto& [name, tensor] : found) {
    TensorToWrite stored = as_stored(name, tensor.entry);
    tensors.push_back(bert ? reshaped(std::move(stored), model_type, model) : std::move(stored));
  }
  const AttentionConfig& attention = model.attention;
  for (std::int64_t layer = 0; bert && layer < model.layers && attention.taps > 0; ++layer)
    tensors.push_back(zeros(fmt::format("nystromformer.encoder.layer.{}.attention.self.conv.weight", layer),
                            StoredType::kF32, {attention.heads, 1, attention.taps, 1}));
  if (!skipped.empty())
    notes.push_back(fmt::format("{} tensors without a counterpart are skipped; the first is {}.",
                                skipped.size(), skipped.front()));
  return tensors;
}

}  // namespace nystrom
