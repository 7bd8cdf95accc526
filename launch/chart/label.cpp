#include "launch/chart/label.h"

#include <algorithm>

#include "kernels/core/utf8.h"

namespace nystrom {
namespace {

/// Bytes of the first `characters` of `text`.
std::size_t prefix_bytes(std::string_view text, std::size_t characters) {
  std::size_t at = 0;
  for (; characters > 0 && at < text.size(); --characters)
    at += std::max<std::size_t>(utf8_sequence(text.substr(at)), 1);
  return at;
}

}  // namespace

std::size_t label_length(std::string_view text) {
  std::size_t length = 0;
  for (; !text.empty(); ++length) text.remove_prefix(prefix_bytes(text, 1));
  return length;
}

std::string short_label(std::string_view text, std::size_t characters) {
  if (prefix_bytes(text, characters) == text.size()) return std::string(text);
  return std::string(text.substr(0, prefix_bytes(text, characters - 1))) + "…";
}

}  // namespace nystrom
