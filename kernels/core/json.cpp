#include "kernels/core/json.h"

#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "kernels/core/check.h"

namespace nystrom {
namespace {

/// Sees the keys of the outermost object.
class KeyWatch : public nlohmann::json_sax<nlohmann::json> {
 public:
  [[nodiscard]] const std::optional<std::string>& twice() const { return twice_; }

  bool null() override { return true; }
  bool boolean(bool /*value*/) override { return true; }
  bool number_integer(number_integer_t /*value*/) override { return true; }
  bool number_unsigned(number_unsigned_t /*value*/) override { return true; }
  bool number_float(number_float_t /*value*/, const string_t& /*text*/) override { return true; }
  bool string(string_t& /*value*/) override { return true; }
  bool binary(binary_t& /*value*/) override { return true; }
  bool start_object(std::size_t /*members*/) override { return ++depth_ > 0; }
  bool end_object() override { return --depth_ >= 0; }
  bool start_array(std::size_t /*elements*/) override { return ++depth_ > 0; }
  bool end_array() override { return --depth_ >= 0; }
  bool key(string_t& key) override {
    if (depth_ == 1 && !twice_ && !seen_.insert(key).second) twice_ = key;
    return true;
  }
  bool parse_error(std::size_t /*at*/, const std::string& /*token*/,
                   const nlohmann::detail::exception& /*error*/) override {
    return false;
  }

 private:
  int depth_ = 0;
  std::set<std::string> seen_;
  std::optional<std::string> twice_;
};

using Ordered = nlohmann::ordered_json;

/// Builds an ordered_json in the order of the text. Of equal keys the last value counts, in the place of the
/// first.
class OrderedBuilder : public nlohmann::json_sax<Ordered> {
 public:
  [[nodiscard]] Ordered& root() { return root_; }

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(value); }
  bool number_unsigned(number_unsigned_t value) override { return add(value); }
  bool number_float(number_float_t value, const string_t& /*text*/) override { return add(value); }
  bool string(string_t& value) override { return add(std::move(value)); }
  bool binary(binary_t& value) override { return add(std::move(value)); }
  bool start_object(std::size_t /*members*/) override { return open(Ordered::object()); }
  bool end_object() override { return close(); }
  bool start_array(std::size_t /*elements*/) override { return open(Ordered::array()); }
  bool end_array() override { return close(); }
  bool key(string_t& key) override {
    Level& level = open_.back();
    auto& members = level.container->get_ref<Ordered::object_t&>();
    const auto [place, is_new] = level.places.try_emplace(key, members.size());
    if (is_new) append_member(*level.container, key, nullptr);
    level.member = &members.Container::operator[](place->second).second;
    return true;
  }
  bool parse_error(std::size_t /*at*/, const std::string& /*token*/,
                   const nlohmann::detail::exception& /*error*/) override {
    return false;
  }

 private:
  struct Level {
    Ordered* container;
    Ordered* member = nullptr;                                 // of an object: what the next value is for
    std::unordered_map<std::string, std::size_t> places = {};  // of its keys
  };

  /// Where the next value goes. A container does not move while one inside it is open.
  Ordered& place() {
    if (open_.empty()) return root_;
    Level& level = open_.back();
    if (level.container->is_object()) return *level.member;
    return level.container->get_ref<Ordered::array_t&>().emplace_back();
  }
  bool add(Ordered value) {
    place() = std::move(value);
    return true;
  }
  bool open(Ordered empty) {
    Ordered& here = place();
    here = std::move(empty);
    open_.push_back({&here});
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  Ordered root_;
  std::vector<Level> open_;
};

/// A discarded value where `text` is no JSON.
template <class Json>
Json parsed(std::string_view text) {
  return Json::parse(text, nullptr, false);
}
template <>
Ordered parsed(std::string_view text) {
  OrderedBuilder builder;
  if (!Ordered::sax_parse(text, &builder)) return Ordered(Ordered::value_t::discarded);
  return std::move(builder.root());
}

}  // namespace

void append_member(Ordered& object, const std::string& key, Ordered value) {
  auto& members = object.get_ref<Ordered::object_t&>();
  members.Container::emplace_back(key, std::move(value));
}

bool is_nested_too_deep(std::string_view text) {
  int depth = 0;
  bool in_string = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (in_string) {
      at += c == '\\' ? 1 : 0;  // what follows is no end of the string
      in_string = c != '"';
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > kMaxJsonDepth) return true;
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return false;
}

std::optional<std::string> twice_given_key(std::string_view text) {
  KeyWatch watch;
  (void)nlohmann::json::sax_parse(text, &watch);
  return watch.twice();
}

template <class Json>
Json parse_json(std::string_view where, std::string_view text) {
  if (is_nested_too_deep(text)) refuse("{} is nested more than {} levels deep.", where, kMaxJsonDepth);
  Json json = parsed<Json>(text);
  if (json.is_discarded()) refuse("{} is not valid JSON.", where);
  return json;
}

template <class Json>
Json parse_json(std::string_view text) {
  if (is_nested_too_deep(text)) refuse("A text of JSON is nested more than {} levels deep.", kMaxJsonDepth);
  Json json = parsed<Json>(text);
  return json.is_discarded() ? Json::parse(text) : json;  // which throws, saying where
}

template <class Json>
Json try_parse_json(std::string_view text) {
  return is_nested_too_deep(text) ? Json(Json::value_t::discarded) : parsed<Json>(text);
}

template nlohmann::json parse_json(std::string_view, std::string_view);
template nlohmann::ordered_json parse_json(std::string_view, std::string_view);
template nlohmann::json parse_json(std::string_view);
template nlohmann::ordered_json parse_json(std::string_view);
template nlohmann::json try_parse_json(std::string_view);
template nlohmann::ordered_json try_parse_json(std::string_view);

}  // namespace nystrom
