#include "launch/models/model_card.h"

#include <cmath>
#include <filesystem>
#include <fstream>

#include "kernels/core/check.h"
#include "kernels/core/files.h"
#include "kernels/core/json.h"
#include "model/attention/registry.h"
#include "model/heads/head_registry.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;
using OrderedJson = nlohmann::ordered_json;

/// The run directory of a checkpoint RUN/checkpoints/x.h5; else empty.
fs::path run_of(const std::string& checkpoint) {
  const fs::path folder = fs::absolute(checkpoint).parent_path();
  return folder.filename() == "checkpoints" ? folder.parent_path() : fs::path();
}

std::string row(const std::string& name, const OrderedJson& value) {
  return fmt::format("| {} | {} |\n", name, value.is_string() ? value.get<std::string>() : value.dump());
}

/// Figures of the last lines of metrics.jsonl up to the step of the checkpoint.
std::string pretraining_figures(const fs::path& run, std::int64_t step) {
  std::error_code ignored;
  if (!fs::is_regular_file(run / "metrics.jsonl", ignored)) return {};
  std::ifstream file(run / "metrics.jsonl");
  OrderedJson training, validation;
  for (std::string line; std::getline(file, line);) {
    const OrderedJson object = try_parse_json<OrderedJson>(line);
    if (!object.is_object() || !object.contains("step") || object["step"] > step) continue;
    (object.contains("loss") ? training : validation) = object;
  }
  std::string text;
  for (const char* key : {"loss", "mlm_loss", "mlm_accuracy", "sop_loss", "sop_accuracy"})
    if (training.contains(key))
      text += row(fmt::format("{} (step {})", key, training["step"].dump()), training[key]);
  if (validation.is_object())
    for (const auto& [key, value] : validation.items())
      if (key.starts_with("validation_") && value.is_number())
        text += row(fmt::format("{} (step {})", key, validation["step"].dump()), value);
  return text;
}

std::string split_rows(const OrderedJson& splits) {
  std::string text;
  for (const auto& [split, scores] : splits.items()) {
    if (!scores.is_object() || split == "undefined") continue;
    for (const auto& [metric, value] : scores.items()) text += row(split + " " + metric, value);
  }
  return text;
}

/// Metrics by split at the step of the checkpoint, from results.json, else from evaluations.json; empty if
/// neither has that step.
std::string task_figures(const fs::path& run, std::int64_t step) {
  const auto read = [&run](const char* name) { return try_read_file((run / name).string()).value_or(""); };
  const OrderedJson results = try_parse_json<OrderedJson>(read("results.json"));
  const auto is_of = [step](const OrderedJson& object, const char* key) {
    return object.contains(key) && object[key] == step;
  };
  if (results.is_object() && is_of(results, results.contains("best_step") ? "best_step" : "steps"))
    return split_rows(results);
  const OrderedJson evaluations = try_parse_json<OrderedJson>(read("evaluations.json"));
  if (evaluations.is_array())
    for (const auto& evaluation : evaluations)
      if (evaluation.is_object() && is_of(evaluation, "step") && evaluation.contains("scores"))
        return split_rows(evaluation["scores"]);
  return {};
}

/// The version of nystrom that trained a checkpoint; empty if unknown. Host and command stay out of a card,
/// which is published.
std::string training_version(const ModelSource& source) {
  const OrderedJson written = try_parse_json<OrderedJson>(source.provenance());
  if (!written.is_object()) return {};
  const OrderedJson& start = written.contains("source") ? written["source"] : written;
  return start.is_object() ? start.value("version", std::string()) : std::string();
}

std::string figures(const ModelSource& source) {
  if (source.is_folder()) return {};
  const auto [step, samples, seconds] = source.progress();
  std::string text = row("steps", step) + row("sequences seen", samples);
  if (const std::string version = training_version(source); !version.empty()) text += row("nystrom", version);
  if (seconds > 0) text += row("hours of training", std::round(seconds / 36) / 100);
  for (const char* key : {"task.kind", "task.name", "training.global_batch", "optimizer.learning_rate",
                          "data.sequence_length", "seed"})
    if (const std::string value = source.setting(key); !value.empty()) text += row(key, value);
  const fs::path run = run_of(source.path());
  if (run.empty()) return text;
  const bool pretrained = is_language_model(source.head().kind);
  return text + (pretrained ? pretraining_figures(run, step) : task_figures(run, step));
}

std::string shape_of(const ModelConfig& model) {
  return fmt::format(
      "{} layers, hidden size {}, {} heads, feed-forward size {}, vocabulary size {}, up to {} positions",
      model.layers, model.hidden_size, model.attention.heads, model.intermediate_size, model.vocabulary_size,
      model.max_positions);
}

std::string attention_of(const ModelConfig& model) {
  const AttentionConfig& a = model.attention;
  const std::string taps =
      a.taps > 0 ? fmt::format("a depthwise convolution of the values with kernel size {}", a.taps)
                 : "no convolution";
  const AttentionEntry& kind = attention_entry(a.kind);
  const std::string details = kind.details(a);
  return fmt::format("{} ({}){}{}, {}", kind.describe(a), kind.reference, details.empty() ? "" : ", ",
                     details, taps);
}

/// What sentence-transformers computes with the folder; empty for other heads.
std::string sentence_transformers_note(const HuggingFaceFolder& folder) {
  constexpr std::string_view kCall = "`SentenceTransformer(\"this-folder\", trust_remote_code=True)`";
  if (is_language_model(folder.head.kind))
    return fmt::format("{} averages the vectors of all tokens. ", kCall);
  if (folder.head.kind != HeadKind::kEmbedding) return {};
  const NetworkConfig& network = folder.model.network;
  const std::string_view pooled =
      network.pooling == Pooling::kFirst  ? "the last hidden state of the first token"
      : network.pooling == Pooling::kMean ? "the mean of the last hidden states"
                                          : "the maximum of the last hidden states";
  std::string text = fmt::format("{} computes its embeddings: {}{}. ", kCall, pooled,
                                 network.normalize ? ", scaled to length 1" : "");
  const auto sizes = folder.task.find("task.sizes");
  if (sizes == folder.task.end()) return text;
  std::string numbers = sizes->second;  // as in YAML: ["768", "256"]
  std::erase_if(numbers, [](char c) { return c == '[' || c == ']' || c == '"'; });
  return text + fmt::format("They can be truncated to the sizes {} (`truncate_dim`). ", numbers);
}

/// The snippet of the card, which a test runs as it is: two texts of different lengths through the model.
std::string snippet(const HeadEntry& head, bool has_code) {
  const bool pairs = head.pipeline_tag == "question-answering",
             choices = head.pipeline_tag == "multiple-choice";
  const std::string_view inputs =
      pairs     ? "[\"Where is it?\", \"Who came?\"], [\"It is here.\", \"She came, and then he came too.\"]"
      : choices ? "[\"It rains.\", \"It rains.\"], [\"So I stay.\", \"So I go out for a long walk.\"]"
                : "[\"A sentence.\", \"Another sentence, which is longer than the first.\"]";
  std::string text = fmt::format(
      "```python\nfrom transformers import {0}, AutoTokenizer\n\n"
      "tokenizer = AutoTokenizer.from_pretrained(\"this-folder\")\n"
      "model = {0}.from_pretrained(\"this-folder\"{1})\n",
      head.auto_class, has_code ? ", trust_remote_code=True" : "");
  if (has_code) {
    text += fmt::format("inputs = tokenizer({}, padding=True, return_tensors=\"pt\")\n", inputs);
    if (choices) text += "inputs = {name: values[None] for name, values in inputs.items()}\n";
    text += "outputs = model(**inputs)\n";
  }
  return text + "```\n\n";
}

}  // namespace

std::string what_transformers_will_run(const HuggingFaceFolder& folder, const std::string& path) {
  const std::int64_t length = segment_means_length(folder), landmarks = folder.model.attention.landmarks;
  if (const std::string more = beyond_transformers(folder.model, folder.head); !more.empty())
    return fmt::format("transformers fails to run {}, because it has {}.", path, more);
  if (length == landmarks)
    return fmt::format("transformers will run {} with exact softmax attention{}.", path,
                       folder.model.attention.taps > 0
                           ? ", for unpadded text only: its convolution includes the values of padding"
                           : "");
  return fmt::format(
      "transformers will run {} with {} landmarks on unpadded text of exactly {} tokens, with one "
      "pseudo-inverse scale for the whole batch.",
      path, landmarks, length);
}

std::string model_card(const ModelSource& source, const HuggingFaceFolder& folder) {
  const HeadEntry& head = entry_of(folder.head.kind);
  std::string text = fmt::format(
      "---\nlibrary_name: transformers\npipeline_tag: {}\ntags:\n- nystromformer\n---\n\n# A "
      "Nyströmformer\n\n"
      "{}; {}. Written by nystrom {}.\n\n",
      head.pipeline_tag, shape_of(folder.model), attention_of(folder.model), NYSTROM_VERSION);
  text += snippet(head, folder.has_code);
  text += "## What transformers computes\n\n";
  if (folder.has_code)
    text +=
        "With `trust_remote_code=True` transformers (tested with 4.45 to 5.24) runs `modeling_nystrom.py` of this folder: any sequence length, "
        "padding without influence, and a result that does not depend on the other sequences of the batch, equal to "
        "what nystrom computes up to rounding. " +
        sentence_transformers_note(folder) + "Without it: ";
  text += what_transformers_will_run(folder, "this folder");
  const std::int64_t length = segment_means_length(folder);
  if (length > 0 && length != folder.model.attention.landmarks)
    text +=
        " Other lengths fail there, and the result depends on padding and on the other sequences of the "
        "batch. For another length, a multiple of `num_landmarks`, change `segment_means_seq_len` in "
        "`config.json`.";
  text += " The options of nystrom are in the object `nystrom` of `config.json`.";
  if (!head.extra_tensors.empty())
    text += fmt::format(" The {} are extra tensors{}.", head.extra_tensors,
                        folder.has_code ? ", which `AutoModelForPreTraining` loads"
                                        : ", which transformers reports as unexpected and skips");
  const std::string table = figures(source);
  if (!table.empty()) text += "\n\n## Training\n\n| | |\n|---|---|\n" + table;
  return text + "\n";
}

}  // namespace nystrom
