#include "data/tokenizer/json/json_parts.h"

#include <algorithm>

#include "kernels/core/check.h"

namespace nystrom {

using Json = nlohmann::json;

std::string type_of(const Json& json) {
  return json.is_object() ? json.value("type", "") : "";
}

void check_members(const Json& json, const std::string& path, std::initializer_list<std::string_view> known,
                   const std::string& origin) {
  if (!json.is_object()) refuse_value(path, json.is_null() ? "null" : "no object", origin);
  for (const auto& [key, value] : json.items())
    if (key != "type" && std::ranges::find(known, key) == known.end())
      refuse("{}: its member `{}.{}` is not supported.", origin, path, key);
}

void refuse_value(const std::string& path, std::string_view value, const std::string& origin) {
  refuse("{}: its `{}` is {}, which is not supported.", origin, path, value.empty() ? "missing" : value);
}

BertNormalization bert_normalization(const Json& json) {
  BertNormalization options;
  options.clean = json.value("clean_text", true);
  options.ideographs = json.value("handle_chinese_chars", true);
  options.lowercase = json.value("lowercase", true);
  const auto accents = json.value("strip_accents", Json());
  options.strip_accents = accents.is_null() ? options.lowercase : accents.get<bool>();
  return options;
}

}  // namespace nystrom
