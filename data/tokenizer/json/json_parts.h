#pragma once
// Parts of a tokenizer.json: every member is known, or refused by its path.

#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace nystrom {

/// The member `type`; empty where there is none.
[[nodiscard]] std::string type_of(const nlohmann::json& json);

/// Refuses each member of the object at `path` but `type` and `known`: it could change the ids.
void check_members(const nlohmann::json& json, const std::string& path,
                   std::initializer_list<std::string_view> known, const std::string& origin);

/// "FILE: `PATH` is VALUE, which is not supported."
[[noreturn]] void refuse_value(const std::string& path, std::string_view value, const std::string& origin);

/// The members of a BertNormalizer.
struct BertNormalization {
  bool clean = false, ideographs = false, lowercase = false, strip_accents = false;
};
[[nodiscard]] BertNormalization bert_normalization(const nlohmann::json& json);

}  // namespace nystrom
