#include "launch/models/transformers_code.h"

#include "kernels/core/json.h"
#include "model/heads/head_registry.h"

namespace nystrom {

std::vector<FolderFile> transformers_code(const HuggingFaceFolder& folder) {
  using OrderedJson = nlohmann::ordered_json;
  std::vector<FolderFile> files{{kModelingModule + std::string(".py"), std::string(modeling_code())}};
  if (!is_language_model(folder.head.kind)) return files;
  const auto add = [&files](const char* name, const OrderedJson& json) {
    files.push_back({name, json.dump(2) + "\n"});
  };
  const OrderedJson transformer{
      {"idx", 0}, {"name", "0"}, {"path", ""}, {"type", "sentence_transformers.models.Transformer"}};
  const OrderedJson pooling{
      {"idx", 1}, {"name", "1"}, {"path", "1_Pooling"}, {"type", "sentence_transformers.models.Pooling"}};
  add("modules.json", OrderedJson::array({transformer, pooling}));
  add("sentence_bert_config.json",
      {{"max_seq_length", folder.model.max_positions}, {"do_lower_case", false}});
  add("1_Pooling/config.json", {{"word_embedding_dimension", folder.model.hidden_size},
                                {"pooling_mode_cls_token", false},
                                {"pooling_mode_mean_tokens", true},
                                {"pooling_mode_max_tokens", false},
                                {"pooling_mode_mean_sqrt_len_tokens", false}});
  return files;
}

}  // namespace nystrom
