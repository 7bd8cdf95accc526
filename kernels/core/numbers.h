#pragma once
// Checked narrowing of integers from files.

#include <concepts>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

#include "kernels/core/check.h"

namespace nystrom {

/// What a number is, in a message: a text, or a function that makes one when it is needed.
template <class What>
std::string text_of(const What& what) {
  if constexpr (std::is_convertible_v<const What&, std::string_view>)
    return std::string(std::string_view(what));
  else
    return what();
}

/// `value` as To. Throws InputError for one that does not fit: "WHAT is VALUE; it must be from MIN to MAX."
template <std::integral To, std::integral From, class What>
[[nodiscard]] To narrowed(From value, const What& what) {
  using Limits = std::numeric_limits<To>;
  if (!std::in_range<To>(value))
    refuse("{} is {}; it must be from {} to {}.", text_of(what), value, Limits::min(), Limits::max());
  return static_cast<To>(value);
}

}  // namespace nystrom
