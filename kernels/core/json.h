#pragma once
// All parsing of JSON, most of which is untrusted. Compiled once: nlohmann's parser takes the
// compiler seconds in every file that calls it.
//
// Functions that follow JSON, ours and nlohmann's, recurse: text that is nested more than kMaxJsonDepth deep
// gets no further than here. And nlohmann::ordered_json looks through all members of an object for each that
// is added: parsing here, and append_member, do not.

#include <concepts>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "kernels/core/numbers.h"

namespace nystrom {

inline constexpr int kMaxJsonDepth = 100;

/// `Json` is nlohmann::json or nlohmann::ordered_json. Throws InputError, naming `where`, for text that is no
/// JSON or nested too deep.
template <class Json>
Json parse_json(std::string_view where, std::string_view text);

/// The same for text that needs no name: throws nlohmann::json::parse_error where it is not valid JSON.
template <class Json>
Json parse_json(std::string_view text);

/// A discarded value, where `text` is not valid JSON or nested too deep.
template <class Json>
Json try_parse_json(std::string_view text);

/// JSON as Python's json.dumps writes it: NaN, Infinity and -Infinity are numbers too, and half a surrogate
/// pair
/// (`\ud83d` alone) becomes U+FFFD and is added to `lone_surrogates`. A discarded value where `text` is no
/// such JSON or nested too deep. A number that is not finite has no text: dump() gives null.
[[nodiscard]] nlohmann::json try_parse_python_json(std::string_view text, std::int64_t& lone_surrogates);

/// Are arrays and objects nested more than kMaxJsonDepth deep? For text that is not valid JSON: it may be.
[[nodiscard]] bool is_nested_too_deep(std::string_view text);

/// A key that the outermost object has twice, of which the parser keeps the last value; none if there is no
/// such key. Precondition: `text` is JSON.
[[nodiscard]] std::optional<std::string> twice_given_key(std::string_view text);

/// Adds a member to an object. Precondition: it has none of that name.
void append_member(nlohmann::ordered_json& object, const std::string& key, nlohmann::ordered_json value);

/// A whole number of a file as To. Throws InputError, "WHAT is VALUE; ...", for another value and for a
/// number that does not fit, which get<To>() would wrap around. `what`: a text, or a function that makes it.
template <std::integral To, class Json, class What>
[[nodiscard]] To json_integer(const Json& value, const What& what) {
  if (value.is_number_unsigned()) return narrowed<To>(value.template get<std::uint64_t>(), what);
  if (value.is_number_integer()) return narrowed<To>(value.template get<std::int64_t>(), what);
  refuse("{} is {}; it must be an integer.", text_of(what),
         value.dump(-1, ' ', false, Json::error_handler_t::replace));
}

}  // namespace nystrom
