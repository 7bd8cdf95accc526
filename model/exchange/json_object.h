#pragma once
// Validated JSON access for untrusted files: a value of the wrong type is refused by file and key.

#include <nlohmann/json.hpp>
#include <string>

#include "kernels/core/check.h"

namespace nystrom {

/// Parses a text. Refuses, naming `where`, text that is not JSON, and nesting so deep that recursive
/// functions would overflow the stack.
inline nlohmann::json parse_json(const std::string& where, const std::string& text) {
  constexpr int kMaxDepth = 100;
  const auto check_depth = [&](int depth, nlohmann::json::parse_event_t, const nlohmann::json&) {
    if (depth > kMaxDepth) refuse("{} is nested more than {} levels deep.", where, kMaxDepth);
    return true;
  };
  try {
    return nlohmann::json::parse(text, check_depth);
  } catch (const nlohmann::json::exception&) {
    refuse("{} is not valid JSON.", where);
  }
}

class JsonObject {
 public:
  /// `where` names the object in messages: a file, or a key of it. `object` must outlive this.
  JsonObject(std::string where, const nlohmann::json& object) : where_(std::move(where)), object_(object) {
    if (!object.is_object()) refuse("{} is not a JSON object.", where_);
  }

  [[nodiscard]] bool has(const char* key) const { return object_.contains(key); }
  [[nodiscard]] bool is_null(const char* key) const { return has(key) && object_[key].is_null(); }
  [[nodiscard]] const nlohmann::json& operator[](const char* key) const { return object_[key]; }

  [[nodiscard]] std::int64_t integer(const char* key, std::int64_t otherwise) const {
    if (!has(key)) return otherwise;
    const auto& value = object_[key];
    if (!value.is_number_integer())
      refuse("{}: `{}` is {}; it must be an integer.", where_, key, value.dump());
    return value.get<std::int64_t>();
  }
  [[nodiscard]] double number(const char* key, double otherwise) const {
    if (!has(key)) return otherwise;
    const auto& value = object_[key];
    if (!value.is_number()) refuse("{}: `{}` is {}; it must be a number.", where_, key, value.dump());
    return value.get<double>();
  }
  [[nodiscard]] std::string text(const char* key, const std::string& otherwise) const {
    if (!has(key)) return otherwise;
    const auto& value = object_[key];
    if (!value.is_string()) refuse("{}: `{}` is {}; it must be a string.", where_, key, value.dump());
    return value.get<std::string>();
  }
  [[nodiscard]] bool boolean(const char* key, bool otherwise) const {
    if (!has(key)) return otherwise;
    const auto& value = object_[key];
    if (!value.is_boolean()) refuse("{}: `{}` is {}; it must be true or false.", where_, key, value.dump());
    return value.get<bool>();
  }

 private:
  std::string where_;
  const nlohmann::json& object_;
};

}  // namespace nystrom
