#pragma once
// Small folders for tests of `nystrom convert`, and ways to change them.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>

#include "data/tokenizer/training.h"
#include "file_bytes.h"
#include "kernels/core/check.h"
#include "kernels/core/json.h"
#include "launch/models/conversion.h"
#include "launch/models/model_source.h"
#include "small_network.h"
#include "temporary_folder.h"

namespace nystrom::testing {

using Json = nlohmann::json;

inline std::string refusal(const ConvertOptions& options) {
  try {
    (void)convert(options);
  } catch (const InputError& error) {
    return error.what();
  }
  return {};
}

inline const Tokenizer& tokenizer() {
  static const Tokenizer trained = [] {
    std::vector<std::string> sentences;
    for (int i = 0; i < 50; ++i)
      for (const char* text : {"the old captain", "a young sailor", "mended the torn sail", "at night é"})
        sentences.emplace_back(text);
    TokenizerTraining options;
    options.vocabulary_size = 48;
    return train_tokenizer(options, sentences);
  }();
  return trained;
}

class ConversionCase : public ::testing::Test {
 protected:
  /// A folder of a small model with random weights and the tokenizer.
  std::string folder(const HeadConfig& head = HeadKind::kPretraining, std::int64_t taps = 3) {
    ModelConfig config = small_model();
    config.attention.taps = taps;
    config.vocabulary_size = tokenizer().vocabulary_size();
    Network network(config, head, DType::kF32, false);
    network.initialize(5);
    write_huggingface_folder(at_ / "m", {.model = config,
                                         .head = head,
                                         .tensors = tensors_of(network.parameters()),
                                         .files = {{"spiece.model", tokenizer().bytes()}}});
    return at_ / "m";
  }
  /// Rewrites the folder's weights, changed.
  static void change_weights(const std::string& folder,
                             const std::function<void(std::vector<TensorToWrite>&)>& change) {
    const std::string path = folder + "/model.safetensors";
    std::vector<TensorToWrite> tensors;
    const SafetensorsFile file(path);
    for (const auto& [name, tensor] : file.tensors())
      tensors.push_back(
          {name, tensor.type, tensor.shape, [bytes = file.read_bytes(tensor)] { return bytes; }});
    change(tensors);
    write_safetensors(path, std::move(tensors));
  }
  /// Sets keys of the folder's config.json.
  static void change_config(const std::string& folder, const Json& changes) {
    const std::string path = folder + "/config.json";
    Json config = parse_json<Json>(read_bytes(path));
    config.update(changes);
    std::ofstream(path) << config.dump();
  }
  static std::vector<float> values_of(const WeightFiles& files, const std::string& name) {
    const auto& entry = *files.find(name);
    std::vector<float> values(entry.tensor->elements());
    entry.file->read<float>(*entry.tensor, values);
    return values;
  }
  TemporaryFolder at_;
};

/// A folder as transformers writes BertForMaskedLM or RobertaForMaskedLM, of made-up weights.
inline std::string bert(const TemporaryFolder& at, bool roberta) {
  const std::string folder = at / (roberta ? "roberta" : "bert"), stem = roberta ? "roberta." : "bert.";
  std::filesystem::create_directories(folder);
  const std::int64_t c = 8, f = 12, v = 23, positions = 16;
  Json config{{"model_type", roberta ? "roberta" : "bert"},
              {"vocab_size", v},
              {"hidden_size", c},
              {"num_hidden_layers", 2},
              {"num_attention_heads", 2},
              {"intermediate_size", f},
              {"hidden_act", "gelu"},
              {"max_position_embeddings", roberta ? positions + 2 : positions},
              {"type_vocab_size", roberta ? 1 : 2},
              {"architectures", {roberta ? "RobertaForMaskedLM" : "BertForMaskedLM"}},
              {"pad_token_id", roberta ? 1 : 0}};
  std::ofstream(folder + "/config.json") << config.dump();
  std::vector<TensorToWrite> tensors;
  const auto add = [&](const std::string& name, std::vector<std::int64_t> shape) {
    std::size_t count = 1;
    for (const auto extent : shape) count *= static_cast<std::size_t>(extent);
    std::vector<float> values(count);
    Random random(9, Purpose::kTest, tensors.size());
    for (float& value : values) value = static_cast<float>(0.3 * random.normal());
    tensors.push_back({name, StoredType::kF32, std::move(shape), [values] {
                         const auto bytes = std::as_bytes(std::span(values));
                         return std::vector<std::byte>(bytes.begin(), bytes.end());
                       }});
  };
  add(stem + "embeddings.word_embeddings.weight", {v, c});
  add(stem + "embeddings.position_embeddings.weight", {roberta ? positions + 2 : positions, c});
  add(stem + "embeddings.token_type_embeddings.weight", {roberta ? 1 : 2, c});
  add(stem + "embeddings.LayerNorm.weight", {c});
  add(stem + "embeddings.LayerNorm.bias", {c});
  for (int layer = 0; layer < 2; ++layer) {
    const std::string at_layer = stem + "encoder.layer." + std::to_string(layer) + ".";
    for (const char* name :
         {"attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"}) {
      add(at_layer + name + ".weight", {c, c});
      add(at_layer + name + ".bias", {c});
    }
    for (const char* name : {"attention.output.LayerNorm", "output.LayerNorm"}) {
      add(at_layer + name + ".weight", {c});
      add(at_layer + name + ".bias", {c});
    }
    add(at_layer + "intermediate.dense.weight", {f, c});
    add(at_layer + "intermediate.dense.bias", {f});
    add(at_layer + "output.dense.weight", {c, f});
    add(at_layer + "output.dense.bias", {c});
  }
  const std::string head = roberta ? "lm_head." : "cls.predictions.transform.";
  add(head + "dense.weight", {c, c});
  add(head + "dense.bias", {c});
  add(head + (roberta ? "layer_norm" : "LayerNorm") + ".weight", {c});
  add(head + (roberta ? "layer_norm" : "LayerNorm") + ".bias", {c});
  add(roberta ? "lm_head.bias" : "cls.predictions.bias", {v});
  write_safetensors(folder + "/model.safetensors", std::move(tensors));
  return folder;
}

}  // namespace nystrom::testing
