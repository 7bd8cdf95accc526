#pragma once
// Validated JSON access for untrusted files: a value of the wrong type is refused by file and key.

#include <nlohmann/json.hpp>
#include <string>

#include "kernels/core/check.h"
#include "kernels/core/json.h"

namespace nystrom {

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
    return has(key) ? json_integer<std::int64_t>(object_[key], [&] { return name_of(key); }) : otherwise;
  }
  /// One that must fit 32 bits.
  [[nodiscard]] std::int32_t integer32(const char* key, std::int32_t otherwise) const {
    return has(key) ? json_integer<std::int32_t>(object_[key], [&] { return name_of(key); }) : otherwise;
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
  [[nodiscard]] std::string name_of(const char* key) const { return fmt::format("{}: `{}`", where_, key); }

  std::string where_;
  const nlohmann::json& object_;
};

}  // namespace nystrom
