#include "kernels/core/json.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
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

/// A discarded value where `text` is not valid JSON.
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

/// Before the name of a number that is not finite, in a string: a code point that stands for no character.
constexpr std::string_view kNotFinite = "\xEF\xB7\x90";  // U+FDD0

struct NotFinite {
  std::string_view name;
  double value;
};
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr std::array<NotFinite, 3> kNotFiniteNumbers{
    {{"NaN", std::numeric_limits<double>::quiet_NaN()}, {"Infinity", kInfinity}, {"-Infinity", -kInfinity}}};

/// The code unit of an escape \uXXXX at the beginning of `text`; 0 where there is none.
unsigned escaped_unit(std::string_view text) {
  unsigned unit = 0;
  if (text.size() < 6 || !text.starts_with("\\u")) return 0;
  const auto [stop, error] = std::from_chars(text.data() + 2, text.data() + 6, unit, 16);
  return error == std::errc{} && stop == text.data() + 6 ? unit : 0;
}

/// An escape of a string, from its backslash on, as the parser takes it.
std::string_view take_escape(std::string_view& text, std::int64_t& lone_surrogates) {
  const unsigned unit = escaped_unit(text);
  const bool surrogate = (unit & 0xF800U) == 0xD800U;
  const bool pair = (unit & 0xFC00U) == 0xD800U && (escaped_unit(text.substr(6)) & 0xFC00U) == 0xDC00U;
  const std::size_t size = pair ? 12 : unit > 0 ? 6 : 2;
  const std::string_view escape = text.substr(0, size);
  text.remove_prefix(std::min(size, text.size()));
  if (!surrogate || pair) return escape;
  ++lone_surrogates;
  return "\\uFFFD";
}

/// What only Python writes, as JSON: numbers that are not finite become marked strings.
std::string without_pythons_own(std::string_view text, std::int64_t& lone_surrogates) {
  std::string json;
  bool in_string = false;
  while (!text.empty()) {
    if (in_string && text[0] == '\\') {
      json += take_escape(text, lone_surrogates);
      continue;
    }
    const auto number = std::ranges::find_if(
        kNotFiniteNumbers, [&](const NotFinite& n) { return !in_string && text.starts_with(n.name); });
    if (number != kNotFiniteNumbers.end()) {
      json.append("\"").append(kNotFinite).append(number->name).append("\"");
      text.remove_prefix(number->name.size());
      continue;
    }
    in_string = in_string != (text[0] == '"');
    json += text[0];
    text.remove_prefix(1);
  }
  return json;
}

/// Makes a marked string a number again.
bool restore_number(int /*depth*/, nlohmann::json::parse_event_t event, nlohmann::json& value) {
  if (event != nlohmann::json::parse_event_t::value || !value.is_string()) return true;
  const std::string_view text = value.get_ref<const std::string&>();
  for (const auto& number : kNotFiniteNumbers)
    if (text.starts_with(kNotFinite) && text.substr(kNotFinite.size()) == number.name) {
      value = number.value;
      return true;
    }
  return true;
}

}  // namespace

nlohmann::json try_parse_python_json(std::string_view text, std::int64_t& lone_surrogates) {
  auto json = try_parse_json<nlohmann::json>(text);
  if (!json.is_discarded() || is_nested_too_deep(text)) return json;
  std::int64_t found = 0;
  json = nlohmann::json::parse(without_pythons_own(text, found), restore_number, false);
  if (!json.is_discarded()) lone_surrogates += found;
  return json;
}

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
      at += c == '\\' ? 1 : 0;  // what follows does not end the string
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
