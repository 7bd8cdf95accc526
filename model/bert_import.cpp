#include "model/bert_import.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "model/json_object.h"
#include "model/tensor_edits.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr std::int64_t kLandmarks = 64, kTaps = 65;

void require_value(const std::string& path, const JsonObject& json, const char* key,
                   const std::string& only) {
  const std::string value = json.is_null(key) ? only : json.text(key, only);
  if (value != only) refuse("{}: {} is '{}'; only '{}' can be taken over.", path, key, value, only);
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

/// Our name of a tensor of theirs; none where we have no such tensor.
std::optional<std::string> our_name(std::string name) {
  modernize(name);
  (void)(replace_prefix(name, "bert.", "") || replace_prefix(name, "roberta.", ""));
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
    if (replace_prefix(name, from, to)) {
      const bool tied = name.starts_with("cls.predictions.decoder.");
      const bool buffer = name.ends_with("position_ids") || name.ends_with("token_type_ids");
      return tied || buffer ? std::optional<std::string>() : name;
    }
  return std::nullopt;
}

/// Rows of a table, in this order; -1: zeros.
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

TensorToWrite reshaped(TensorToWrite tensor, const std::string& model_type, const ModelConfig& model) {
  std::vector<std::int64_t> rows;
  if (tensor.name == kPositionTable && model_type == "bert" && tensor.shape.size() == 2) {
    for (std::int64_t row = -kPositionOffset; row < tensor.shape[0]; ++row) rows.push_back(row);
    std::fill_n(rows.begin(), kPositionOffset, -1);
    return with_rows(std::move(tensor), std::move(rows));
  }
  if (tensor.name.ends_with("token_type_embeddings.weight") && tensor.shape.size() == 2 &&
      tensor.shape[0] < model.token_types) {
    rows.assign(static_cast<std::size_t>(model.token_types), 0);
    return with_rows(std::move(tensor), std::move(rows));
  }
  return tensor;
}

}  // namespace

bool is_bert_type(const std::string& model_type) {
  return model_type == "bert" || model_type == "roberta";
}

HuggingFaceConfig read_bert_config(const std::string& folder, const std::string& model_type) {
  const std::string path = (fs::path(folder) / "config.json").string();
  const Json parsed = Json::parse(read_text_file(path), nullptr, false);
  const JsonObject json(path, parsed);
  require_value(path, json, "position_embedding_type", "absolute");
  if (json.boolean("is_decoder", false))
    refuse("{}: is_decoder is true; this program trains encoders.", path);
  const std::string activation = json.text("hidden_act", "gelu");
  if (activation != "gelu" && activation != "gelu_new")
    refuse("{}: hidden_act is '{}'; this program knows gelu and gelu_new.", path, activation);
  HuggingFaceConfig config;
  ModelConfig& model = config.model;
  const bool roberta = model_type == "roberta";
  model.vocabulary_size = json.integer("vocab_size", roberta ? 50265 : 30522);
  model.hidden_size = json.integer("hidden_size", 768);
  model.layers = json.integer("num_hidden_layers", 12);
  model.intermediate_size = json.integer("intermediate_size", 3072);
  model.max_positions = json.integer("max_position_embeddings", roberta ? 514 : 512);
  if (roberta) model.max_positions -= kPositionOffset;
  model.token_types = std::max<std::int64_t>(2, json.integer("type_vocab_size", 2));
  model.pad_token_id = static_cast<std::int32_t>(json.integer("pad_token_id", roberta ? 1 : 0));
  model.activation = activation == "gelu" ? Activation::kGelu : Activation::kGeluNew;
  model.dropout = json.number("hidden_dropout_prob", 0.1);
  model.layer_norm_epsilon = json.number("layer_norm_eps", 1e-12);
  model.initializer_range = json.number("initializer_range", 0.02);
  model.attention.heads = json.integer("num_attention_heads", 12);
  model.attention.landmarks = kLandmarks;
  model.attention.taps = kTaps;
  check(model);
  config.architecture = "NystromformerForMaskedLM";
  config.head = HeadKind::kMaskedLm;
  config.has_head = true;
  config.notes.push_back(fmt::format(
      "{} is a {} model: transformers would run softmax attention; here its weights start Nystrom attention "
      "with "
      "{} landmarks and a convolution of {} taps that is zero. Its tokenizer is not one that this program "
      "computes: give shards of its ids (NVIDIA's), or tokenizer.path.",
      folder, model_type, kLandmarks, kTaps));
  return config;
}

std::vector<TensorToWrite> import_bert(const WeightFiles& files, const std::string& model_type,
                                       const ModelConfig& model, std::vector<std::string>& notes) {
  std::vector<TensorToWrite> tensors;
  std::vector<std::string> left;
  for (const auto& [name, entry] : files.tensors()) {
    const auto ours = our_name(name);
    if (!ours) {
      if (name.find("decoder") == std::string::npos && !name.ends_with("_ids")) left.push_back(name);
      continue;
    }
    tensors.push_back(reshaped({*ours, entry.tensor->type, entry.tensor->shape,
                                [entry = entry] { return entry.file->read_bytes(*entry.tensor); }},
                               model_type, model));
  }
  const AttentionConfig& attention = model.attention;
  for (std::int64_t layer = 0; layer < model.layers && attention.taps > 0; ++layer)
    tensors.push_back(zeros(fmt::format("nystromformer.encoder.layer.{}.attention.self.conv.weight", layer),
                            StoredType::kF32, {attention.heads, 1, attention.taps, 1}));
  if (!left.empty())
    notes.push_back(fmt::format("{} tensors have no counterpart here and are left out, {} the first.",
                                left.size(), left.front()));
  return tensors;
}

}  // namespace nystrom
