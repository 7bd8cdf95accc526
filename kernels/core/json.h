#pragma once
// JSON parsing, compiled once: nlohmann's parser takes the compiler seconds in every file that calls it.

#include <nlohmann/json.hpp>
#include <string_view>

namespace nystrom {

/// `Json` is nlohmann::json or nlohmann::ordered_json. Throws nlohmann::json::parse_error.
template <class Json>
Json parse_json(std::string_view text);

/// A discarded value, where `text` is no JSON.
template <class Json>
Json try_parse_json(std::string_view text);

}  // namespace nystrom
