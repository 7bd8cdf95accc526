// config.json of a Hugging Face folder: reading and writing.

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "kernels/core/files.h"
#include "model/attention/registry.h"
#include "model/check.h"
#include "model/exchange/bert_import.h"
#include "model/exchange/huggingface.h"
#include "model/exchange/json_object.h"

namespace nystrom {
namespace {

using Json = nlohmann::json;
namespace fs = std::filesystem;

constexpr std::int64_t kDefaultLandmarks = 64;  // transformers', and its segment_means_seq_len

template <class Value>
struct Choice {
  const char* name;
  Value value;
};
constexpr Choice<Activation> kActivations[] = {{"gelu_new", Activation::kGeluNew},
                                               {"gelu_pytorch_tanh", Activation::kGeluNew},
                                               {"gelu", Activation::kGelu}};

template <class Value, std::size_t N>
Value choose(const std::string& where, const char* key, const std::string& name,
             const Choice<Value> (&of)[N]) {
  std::vector<std::string> known;
  for (const auto& choice : of) {
    if (name == choice.name) return choice.value;
    known.emplace_back(choice.name);
  }
  refuse("{}: `{}` is {}; it must be one of {}.", where, key, name, fmt::join(known, ", "));
}

template <class Value, std::size_t N>
const char* name_in(Value value, const Choice<Value> (&of)[N]) {
  for (const auto& choice : of)
    if (value == choice.value) return choice.name;
  return "?";
}

template <HasNames E>
E choose(const std::string& where, const char* key, const std::string& name) {
  const std::optional<E> value = find_named<E>(name);
  if (!value) refuse("{}: `{}` is {}; it must be one of {}.", where, key, name, names_of<E>(", "));
  return *value;
}

/// Reads an option of the object `nystrom`; what it does not name keeps its value.
class OwnOptionReader {
 public:
  OwnOptionReader(const std::string& where, const JsonObject& own) : where_(where), own_(own) {}

  void operator()(const char* key, std::int64_t& value) const { value = own_.integer(key, value); }
  void operator()(const char* key, std::int32_t& value) const { value = own_.integer32(key, value); }
  void operator()(const char* key, bool& value) const { value = own_.boolean(key, value); }
  void operator()(const char* key, std::optional<std::int64_t>& value) const {
    if (own_.has(key)) value = own_.integer(key, 0);
  }
  template <HasNames E>
  void operator()(const char* key, E& value) const {
    value = choose<E>(where_, key, own_.text(key, std::string(name_of(value))));
  }

 private:
  const std::string& where_;
  const JsonObject& own_;
};

/// The same the other way round.
class OwnOptionWriter {
 public:
  explicit OwnOptionWriter(Json& own) : own_(own) {}

  void operator()(const char* key, std::int64_t value) const { own_[key] = value; }
  void operator()(const char* key, std::int32_t value) const { own_[key] = value; }
  void operator()(const char* key, bool value) const { own_[key] = value; }
  void operator()(const char* key, const std::optional<std::int64_t>& value) const {
    own_[key] = value.value();
  }
  template <HasNames E>
  void operator()(const char* key, E value) const {
    own_[key] = name_of(value);
  }

 private:
  Json& own_;
};

/// The keys of the object `nystrom`.
std::vector<std::string> own_keys(const ModelConfig& model) {
  std::vector<std::string> keys{"kind"};
  const auto add = [&](const char* key, const auto&) { keys.emplace_back(key); };
  AttentionConfig::visit_options(add, model.attention);
  NetworkConfig::visit_options(add, model.network);
  for (const char* key : {"padding", "attention_dropout", "head", "task"}) keys.emplace_back(key);
  return keys;
}

/// The object `nystrom`: options that only this program reads.
void read_own_options(const std::string& where, const Json& object, HuggingFaceConfig& config) {
  const JsonObject own(where, object);
  AttentionConfig& attention = config.model.attention;
  const std::vector<std::string> known = own_keys(config.model);
  for (const auto& [key, value] : object.items())
    if (std::ranges::find(known, key) == known.end())
      refuse("{}: unknown key `{}`; the keys are {}.", where, key, fmt::join(known, ", "));
  attention.kind = attention_entry(own.text("kind", attention.kind), where + ": kind").name;
  AttentionConfig::visit_options(OwnOptionReader(where, own), attention);
  NetworkConfig::visit_options(OwnOptionReader(where, own), config.model.network);
  config.model.padding =
      choose<Padding>(where, "padding", own.text("padding", std::string(name_of(Padding::kExact))));
  config.model.attention_dropout = own.number("attention_dropout", 0);
  if (own.has("head") && own.text("head", "") != kEmbeddingEntry.name)
    refuse("{}: `head` is {}; it can be {} alone: `architectures` names the others.", where,
           own.text("head", ""), kEmbeddingEntry.name);
  if (!own.has("task")) return;
  const JsonObject task(where + ".task", object["task"]);
  for (const auto& [key, value] : object["task"].items()) config.task[key] = task.text(key.c_str(), "");
}

ModelConfig read_shape(const std::string& path, const JsonObject& json) {
  ModelConfig model;
  model.vocabulary_size = json.integer("vocab_size", 30000);
  model.hidden_size = json.integer("hidden_size", 768);
  model.layers = json.integer("num_hidden_layers", 12);
  model.intermediate_size = json.integer("intermediate_size", 3072);
  model.max_positions = json.integer("max_position_embeddings", 510);
  model.token_types = json.integer("type_vocab_size", 2);
  model.pad_token_id = json.is_null("pad_token_id") ? -1 : json.integer32("pad_token_id", 1);
  model.activation = choose(path, "hidden_act", json.text("hidden_act", "gelu_new"), kActivations);
  model.dropout = json.number("hidden_dropout_prob", 0.1);
  model.layer_norm_epsilon = json.number("layer_norm_eps", 1e-5);
  model.initializer_range = json.number("initializer_range", 0.02);
  model.attention.heads = json.integer("num_attention_heads", 12);
  model.attention.landmarks = json.integer("num_landmarks", 64);
  model.attention.taps = json.is_null("conv_kernel_size") ? 0 : json.integer("conv_kernel_size", 65);
  return model;
}

std::string what_transformers_runs(const JsonObject& json, const HuggingFaceConfig& config) {
  const AttentionConfig& attention = config.model.attention;
  const std::int64_t landmarks = json.integer("num_landmarks", 64);
  const std::int64_t length = json.integer("segment_means_seq_len", 64);
  const std::string here = attention_entry(attention.kind).describe(attention);
  if (const std::string more = beyond_transformers(config.model, config.head); !more.empty())
    return fmt::format(
        "transformers can run this folder with its own code (`trust_remote_code=True`) alone, because it has "
        "{}. Here it runs {}.",
        more, here);
  if (length == landmarks)
    return fmt::format(
        "transformers would run this folder with exact softmax attention (its `segment_means_seq_len` equals "
        "its `num_landmarks`, {}). Here it runs {}.",
        landmarks, here);
  return fmt::format(
      "transformers would run this folder with Nystrom attention with {} landmarks, on sequences of exactly "
      "{} tokens and with one pseudo-inverse scale for the whole batch. Here it runs {} on any length.",
      landmarks, length, here);
}

std::string first_architecture(const JsonObject& json) {
  if (!json.has("architectures") || !json["architectures"].is_array() || json["architectures"].empty() ||
      !json["architectures"][0].is_string())
    return {};
  return json["architectures"][0].get<std::string>();
}

std::int64_t count_labels(const std::string& path, const JsonObject& json) {
  constexpr std::int64_t kMaxLabels = std::int64_t{1} << 20U;
  const bool named = json.has("id2label") && json["id2label"].is_object();
  const std::int64_t count =
      named ? static_cast<std::int64_t>(json["id2label"].size()) : json.integer("num_labels", 2);
  if (count < 1 || count > kMaxLabels)
    refuse("{}: `{}` gives {} labels; a classification needs 1 to {}.", path,
           named ? "id2label" : "num_labels", count, kMaxLabels);
  return count;
}

Problem problem_of(const JsonObject& json, std::int64_t labels) {
  const std::string type = json.is_null("problem_type") ? "" : json.text("problem_type", "");
  if (type == "regression" || (type.empty() && labels == 1)) return Problem::kRegression;
  return type == "multi_label_classification" ? Problem::kMultiLabel : Problem::kSingleLabel;
}

std::vector<std::string> label_names(const JsonObject& json, std::int64_t count) {
  std::vector<std::string> names;
  if (!json.has("id2label") || !json["id2label"].is_object()) return names;
  for (std::int64_t label = 0; label < count; ++label) {
    const auto found = json["id2label"].find(std::to_string(label));
    names.push_back(found != json["id2label"].end() && found->is_string() ? found->get<std::string>()
                                                                          : fmt::format("LABEL_{}", label));
  }
  return names;
}

/// Does an encoder without a head make embeddings, as this program trained it?
bool makes_embeddings(const JsonObject& json) {
  return json.has("nystrom") && json["nystrom"].is_object() && json["nystrom"].contains("head");
}

/// Of two heads of one architecture, this is the one without extra tensors, which config.json does not
/// mention.
void read_head(const std::string& path, const JsonObject& json, HuggingFaceConfig& config) {
  config.head = HeadKind::kMaskedLm;
  config.has_head = config.architecture.empty();
  if (config.architecture == kEmbeddingEntry.architecture && !makes_embeddings(json)) {
    config.foreign = "nystromformer";  // a warm start, as BERT is
    config.has_head = true;
    return;
  }
  for (const HeadEntry* entry : head_registry()) {
    if (entry->architecture != config.architecture) continue;
    config.has_head = true;
    config.head = entry->kind;
    if (!entry->labels_from_config) continue;
    const std::int64_t labels = count_labels(path, json);
    config.head = {entry->kind, labels, problem_of(json, labels)};
    config.labels = label_names(json, labels);
  }
  if (config.has_head && config.foreign.empty() && is_language_model(config.head.kind) &&
      !json.boolean("tie_word_embeddings", true))
    refuse("{}: `tie_word_embeddings` is false; here the decoder is tied to the word embeddings.", path);
}

/// Number and names of the labels of a classification, and the meaning of its logits.
void write_labels(const HuggingFaceFolder& folder, Json& json) {
  const HeadConfig& head = folder.head;
  const HeadEntry& entry = entry_of(head.kind);
  if (!entry.labels_from_config) return;
  for (std::int64_t label = 0; label < head.labels; ++label) {
    const bool named = std::ssize(folder.labels) == head.labels;
    const std::string name =
        named ? folder.labels[static_cast<std::size_t>(label)] : fmt::format("LABEL_{}", label);
    json["id2label"][std::to_string(label)] = name;
    json["label2id"][name] = label;
  }
  if (!entry.has_problem) return;
  json["problem_type"] = head.problem == Problem::kRegression   ? "regression"
                         : head.problem == Problem::kMultiLabel ? "multi_label_classification"
                                                                : "single_label_classification";
}

/// The classes of kModelingModule by transformers' Auto classes: NystromForMaskedLM for
/// NystromformerForMaskedLM.
Json auto_map(const HeadEntry& head) {
  constexpr std::string_view kTheirs = "Nystromformer";
  const auto ours = [](std::string_view name) { return fmt::format("{}.Nystrom{}", kModelingModule, name); };
  Json map{{"AutoModel", ours("Model")},
           {std::string(head.auto_class), ours(head.architecture.substr(kTheirs.size()))}};
  if (!head.extra_tensors.empty()) map["AutoModelForPreTraining"] = ours("ForPreTraining");
  return map;
}

}  // namespace

bool is_huggingface_folder(const std::string& path) {
  std::error_code ignored;
  return fs::is_regular_file(fs::path(path) / "config.json", ignored);
}

HuggingFaceConfig read_huggingface_config(const std::string& folder) {
  const std::string path = (fs::path(folder) / "config.json").string();
  refuse_link_out_of(folder, path);
  const Json parsed = parse_json<Json>(path, read_file(path));
  const JsonObject json(path, parsed);
  const std::string type = json.text("model_type", "");
  if (is_bert_type(type)) {
    HuggingFaceConfig config = read_bert_config(folder, type);
    config.foreign = type;
    return config;
  }
  if (type != "nystromformer")
    refuse("{}: `model_type` is {}; it must be nystromformer, or bert or roberta for a warm start.", path,
           type);
  HuggingFaceConfig config;
  config.model = read_shape(path, json);
  config.architecture = first_architecture(json);
  read_head(path, json, config);
  config.is_ours = json.has("nystrom");
  if (config.is_ours) read_own_options(path + ": nystrom", json["nystrom"], config);
  check_of_file(path, config.model);
  config.notes.push_back(what_transformers_runs(json, config));
  return config;
}

std::int64_t nystrom_length(const std::string& config) {
  const Json parsed = parse_json<Json>("config.json", config);
  const JsonObject json("config.json", parsed);
  const std::int64_t length = json.integer("segment_means_seq_len", kDefaultLandmarks);
  return length > 0 && length != json.integer("num_landmarks", kDefaultLandmarks) ? length : 0;
}

std::int64_t segment_means_length(const HuggingFaceFolder& folder) {
  const AttentionConfig& attention = folder.model.attention;
  if (!beyond_transformers(folder.model, folder.head).empty()) return 0;
  std::int64_t length = folder.model.max_positions;
  if (folder.sequence_length > 0) length = std::min(length, folder.sequence_length);
  return attention_entry(attention.kind).segment_means_length(attention, length);
}

std::string huggingface_config_text(const HuggingFaceFolder& folder) {
  const ModelConfig& model = folder.model;
  const AttentionConfig& attention = model.attention;
  Json json = folder.base_config.empty() ? Json::object()
                                         : parse_json<Json>("the folder's config.json", folder.base_config);
  json["architectures"] = {std::string(entry_of(folder.head.kind).architecture)};  // a base may lack its head
  if (folder.base_config.empty() || is_language_model(folder.head.kind)) json["tie_word_embeddings"] = true;
  if (folder.base_config.empty()) {
    json["bos_token_id"] = folder.bos_id;
    json["eos_token_id"] = folder.eos_id;
    json["inv_coeff_init_option"] = false;
    write_labels(folder, json);
  }
  json["dtype"] = folder.type == StoredType::kF64    ? "float64"
                  : folder.type == StoredType::kF16  ? "float16"
                  : folder.type == StoredType::kBF16 ? "bfloat16"
                                                     : "float32";
  json.erase("torch_dtype");  // its older name
  json["model_type"] = "nystromformer";
  json["vocab_size"] = model.vocabulary_size;
  json["hidden_size"] = model.hidden_size;
  json["num_hidden_layers"] = model.layers;
  json["num_attention_heads"] = attention.heads;
  json["intermediate_size"] = model.intermediate_size;
  json["max_position_embeddings"] = model.max_positions;
  json["type_vocab_size"] = model.token_types;
  json["pad_token_id"] = model.pad_token_id < 0 ? Json() : Json(model.pad_token_id);
  json["hidden_act"] = name_in(model.activation, kActivations);
  json["hidden_dropout_prob"] = model.dropout;
  json["attention_probs_dropout_prob"] = model.attention_dropout;
  json["layer_norm_eps"] = model.layer_norm_epsilon;
  json["initializer_range"] = model.initializer_range;
  json["num_landmarks"] = attention.landmarks;
  json["segment_means_seq_len"] = segment_means_length(folder);
  // transformers cannot read null, which it documents; one zero tap is the same.
  json["conv_kernel_size"] = std::max<std::int64_t>(attention.taps, 1);
  json["nystrom"] = {{"kind", attention.kind},
                     {"padding", name_of(model.padding)},
                     {"attention_dropout", model.attention_dropout}};
  const AttentionEntry& kind = attention_entry(attention.kind);
  const OwnOptionWriter write(json["nystrom"]);
  AttentionConfig::visit_options(
      [&](const char* key, const auto& value) {
        if (stores_option(kind, key)) write(key, value);
      },
      attention);
  NetworkConfig::visit_options(
      [&](const char* key, const auto& value, const auto& otherwise) {
        if (value != otherwise) write(key, value);
      },
      model.network, kDefaultNetwork);
  if (folder.head.kind == HeadKind::kEmbedding) json["nystrom"]["head"] = kEmbeddingEntry.name;
  if (!folder.task.empty()) json["nystrom"]["task"] = folder.task;
  for (const char* code : {"auto_map", "custom_pipelines"}) json.erase(code);  // untrusted
  if (folder.has_code) json["auto_map"] = auto_map(entry_of(folder.head.kind));
  return json.dump(2) + "\n";
}

}  // namespace nystrom
