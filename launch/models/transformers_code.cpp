#include "launch/models/transformers_code.h"

#include <string>

#include "kernels/core/check.h"
#include "kernels/core/json.h"
#include "model/heads/head_registry.h"

namespace nystrom {
namespace {

using OrderedJson = nlohmann::ordered_json;

/// Entry `index` of modules.json of sentence-transformers.
OrderedJson module_of(int index, const char* folder, const char* type) {
  return {{"idx", index},
          {"name", std::to_string(index)},
          {"path", folder},
          {"type", fmt::format("sentence_transformers.models.{}", type)}};
}

}  // namespace

std::vector<FolderFile> transformers_code(const HuggingFaceFolder& folder) {
  std::vector<FolderFile> files{{kModelingModule + std::string(".py"), std::string(modeling_code())}};
  const bool embeds = folder.head.kind == HeadKind::kEmbedding;
  if (!embeds && !is_language_model(folder.head.kind)) return files;
  const auto add = [&files](const char* name, const OrderedJson& json) {
    files.push_back({name, json.dump(2) + "\n"});
  };
  const Pooling pooling = embeds ? folder.model.network.pooling : Pooling::kMean;
  OrderedJson modules =
      OrderedJson::array({module_of(0, "", "Transformer"), module_of(1, "1_Pooling", "Pooling")});
  if (embeds && folder.model.network.normalize) modules.push_back(module_of(2, "2_Normalize", "Normalize"));
  add("modules.json", modules);
  add("sentence_bert_config.json",
      {{"max_seq_length", folder.model.max_positions}, {"do_lower_case", false}});
  add("1_Pooling/config.json", {{"word_embedding_dimension", folder.model.hidden_size},
                                {"pooling_mode_cls_token", pooling == Pooling::kFirst},
                                {"pooling_mode_mean_tokens", pooling == Pooling::kMean},
                                {"pooling_mode_max_tokens", pooling == Pooling::kMax},
                                {"pooling_mode_mean_sqrt_len_tokens", false}});
  return files;
}

}  // namespace nystrom
