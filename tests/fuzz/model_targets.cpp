// Files of models and configurations: safetensors, their index, config.json, YAML.

#include <fmt/format.h>

#include <cstring>
#include <stdexcept>

#include "fuzz_target.h"
#include "kernels/core/check.h"
#include "launch/config/config.h"
#include "model/check.h"
#include "model/exchange/huggingface.h"
#include "model/exchange/safetensors.h"

namespace nystrom::fuzz {
namespace {

std::string with_length(const std::string& header, std::uint64_t length, std::size_t data_bytes) {
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, sizeof length);
  return bytes + header + std::string(data_bytes, '\1');
}
std::string safetensors(const std::string& header, std::size_t data_bytes) {
  return with_length(header, header.size(), data_bytes);
}

void run_safetensors(std::string_view input) {
  const SafetensorsFile file(scratch_file("model.safetensors", input));
  for (const auto& [name, tensor] : file.tensors()) {
    std::vector<float> values(tensor.elements());
    file.read(tensor, std::span(values));
  }
}

std::vector<std::string> safetensors_seeds() {
  const std::string two = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                          R"("b":{"dtype":"BF16","shape":[1,2],"data_offsets":[8,12]}})";
  std::vector<std::string> seeds{
      safetensors(two, 12),
      safetensors(R"({"__metadata__":{"format":"pt"},"x":{"dtype":"F16","shape":[],"data_offsets":[0,2]}})",
                  2),
      safetensors("{}", 0),
      with_length(two, std::uint64_t{1} << 63U, 12),  // a header of 2^63 bytes
      with_length(two, ~std::uint64_t{0}, 12),
      with_length(two, two.size() + 13, 12),
      safetensors(R"({"a":{"dtype":"F64","shape":[4611686018427387904,4],"data_offsets":[0,0]}})", 0),
      safetensors(R"({"a":{"dtype":"F32","shape":[9223372036854775807],"data_offsets":[0,4]}})", 4),
      safetensors(R"({"a":{"dtype":"F32","shape":[18446744073709551615],"data_offsets":[0,4]}})", 4),
      safetensors(R"({"a":{"dtype":"U8","shape":[0,9223372036854775807],"data_offsets":[0,0]}})", 0),
      safetensors(std::string(100000, '['), 0)};
  return seeds;
}

void run_weight_index(std::string_view input) {
  clear_scratch();
  scratch_file("folder/part.safetensors",
               safetensors(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 8));
  scratch_file("outside.safetensors",
               safetensors(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 8));
  scratch_file("folder/model.safetensors.index.json", input);
  const WeightFiles files(scratch() + "/folder");
  for (const auto& [name, entry] : files.tensors())
    if (entry.file->path() != scratch() + "/folder/part.safetensors")
      throw std::runtime_error("left the folder: " + entry.file->path());
}

std::vector<std::string> weight_index_seeds() {
  return {R"({"weight_map":{"a":"part.safetensors"}})",
          R"({"weight_map":{"a":"../outside.safetensors"}})",
          R"({"weight_map":{"a":"/etc/passwd"}})",
          R"({"weight_map":{"a":"."}})",
          R"({"weight_map":{"a":".."}})",
          R"({"weight_map":{"a":7,"b":null}})",
          R"({"metadata":{},"weight_map":{}})"};
}

void run_config_json(std::string_view input) {
  clear_scratch();
  scratch_file("model/config.json", input);
  const HuggingFaceConfig config = read_huggingface_config(scratch() + "/model");
  check(config.model);
  (void)huggingface_config_text(
      {.model = config.model, .head = config.head, .base_config = std::string(input)});
}

std::vector<std::string> config_json_seeds() {
  const std::string usual =
      R"({"architectures":["NystromformerForMaskedLM"],"model_type":"nystromformer","vocab_size":100,)"
      R"("hidden_size":32,"num_hidden_layers":2,"num_attention_heads":2,"intermediate_size":64,)"
      R"("max_position_embeddings":64,"type_vocab_size":2,"num_landmarks":8,"segment_means_seq_len":64,)"
      R"("conv_kernel_size":3,"hidden_act":"gelu_new","layer_norm_eps":1e-5,"pad_token_id":1,)"
      R"("nystrom":{"kind":"nystrom","landmarks":8,"pinv_init":"per_matrix"}})";
  const auto replaced = [&](const std::string& from, const std::string& to) {
    std::string text = usual;
    text.replace(text.find(from), from.size(), to);
    return text;
  };
  return {usual,
          replaced("NystromformerForMaskedLM", "NystromformerForSequenceClassification"),
          replaced("\"hidden_size\":32", "\"hidden_size\":9223372036854775807"),
          replaced("\"num_attention_heads\":2", "\"num_attention_heads\":0"),
          replaced("\"num_landmarks\":8", "\"num_landmarks\":-9223372036854775808"),
          replaced("\"conv_kernel_size\":3", "\"conv_kernel_size\":null"),
          replaced("\"layer_norm_eps\":1e-5", "\"layer_norm_eps\":1e999"),
          replaced("\"vocab_size\":100", "\"vocab_size\":1e30"),
          replaced("\"pad_token_id\":1", "\"pad_token_id\":4294967297"),
          replaced("\"max_position_embeddings\":64", "\"max_position_embeddings\":18446744073709551615"),
          replaced("\"vocab_size\":100", "\"vocab_size\":\"\xff\xfe\""),
          replaced("\"segment_means_seq_len\":64", "\"segment_means_seq_len\":0,\"id2label\":{}"),
          std::string(200000, '['),
          ""};
}

void run_yaml(std::string_view input) {
  const Config config = read_config_text(std::string(input), "fuzzed.yaml");
  try {
    (void)read_config_text(to_yaml(config), "written.yaml");
  } catch (const Error& error) {
    throw std::runtime_error(std::string("what was written is not read: ") + error.what());
  }
}

std::vector<std::string> yaml_seeds() {
  // Nine lists of nine of the list before: 9^9 words if anybody spelled them out.
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 9; ++i) {
    bomb += fmt::format("a{}: &a{} [", i, i);
    for (int j = 0; j < 9; ++j) bomb += fmt::format("{}*a{}", j == 0 ? "" : ", ", i - 1);
    bomb += "]\n";
  }
  std::string shards = bomb;
  shards.replace(shards.find("a8: &a8"), 7, "corpus:");
  return {"seed: 1\nrun: {directory: here, log_every: 2}\nmodel: {layers: 2, attention: {kind: softmax}}\n",
          "data:\n  shards: [a/*.h5, 'b']\n  masking: {probability: 0.15, unit: span}\n",
          "corpus: [{kind: lines, path: a.txt}, {kind: jsonl, path: b, field: body}]\n",
          "training: {steps: 10, micro_batch: auto, global_batch: 8}\n",
          bomb,
          shards,
          "data: &a {shards: *a}\n",
          "&a [*a]",
          "seed: 99999999999999999999\n",
          "seed: .nan\noptimizer: {learning_rate: .inf}\n",
          std::string(5000, '['),
          std::string(5000, '{'),
          std::string(3000, '-') + " x",
          "? [a]\n: b\n",
          "%YAML 9.9\n---\nseed: 1\n...\n---\nseed: 2\n",
          "&a\xfe,*a",  // documents without end
          ", *a5, *a5]\na7: &a7 [*a6, s",
          "seed: !!binary \"!\"\n"};
}

}  // namespace

std::vector<Target> model_targets() {
  return {
      {"safetensors", run_safetensors, safetensors_seeds, "dtype shape data_offsets F32 BF16 __metadata__"},
      {"weight_index", run_weight_index, weight_index_seeds, "weight_map .. / .safetensors"},
      {"config_json", run_config_json, config_json_seeds, "null true hidden_size num_landmarks nystrom"},
      {"yaml", run_yaml, yaml_seeds, "&a *a [ ] { } : - | > !! --- null true .inf"}};
}

}  // namespace nystrom::fuzz
