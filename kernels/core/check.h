#pragma once
// Errors, whose messages are sentences. Library code throws them; only main prints them and chooses the exit
// status.

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>

#include "kernels/core/printable.h"

namespace nystrom {

/// The work failed (exit status 1): a disk is full, a peer is gone, a number is not finite.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The input or the configuration was refused (exit status 2). The sentence names the file, key or value and
/// says what to do.
class InputError : public Error {
 public:
  using Error::Error;
};

/// The GPU failed (exit status 1): a call returned an error, or an op that ran before it did.
class DeviceError : public Error {
 public:
  using Error::Error;
};

/// A broken precondition inside the program (exit status 1): carries file, line and the values.
class InternalError : public Error {
 public:
  using Error::Error;
};

namespace detail {

template <class T>
inline constexpr bool is_list = false;
template <class Iterator, class End>
inline constexpr bool is_list<fmt::join_view<Iterator, End, char>> = true;

/// A value of a message. Texts and lists come from anywhere: they are made printable, and bounded.
template <class T>
auto shown(const T& value) {
  if constexpr (std::is_convertible_v<const T&, std::string_view>)
    return printable(value);
  else if constexpr (is_list<T>)
    return printable(
        fmt::vformat("{}", fmt::make_format_args(value)));  // a view may not be passed to format()
  else
    return value;
}

template <class... Shown>
std::string sentence(fmt::string_view format, const Shown&... values) {
  return fmt::vformat(format, fmt::make_format_args(values...));
}

[[noreturn]] void check_failed(const char* file, int line, const char* condition, const std::string& values);

}  // namespace detail

/// A sentence that failed: the values that are text are made printable (kernels/core/printable.h).
template <class... Args>
[[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) {
  throw Error(detail::sentence(format, detail::shown(args)...));
}

/// The same of an input that is refused.
template <class... Args>
[[noreturn]] void refuse(fmt::format_string<Args...> format, Args&&... args) {
  throw InputError(detail::sentence(format, detail::shown(args)...));
}

}  // namespace nystrom

/// Precondition of library code: NYSTROM_CHECK(x.dim(1) == c, "x has {} columns, not {}", x.dim(1), c).
#define NYSTROM_CHECK(condition, ...)                                                              \
  do {                                                                                             \
    if (!(condition)) [[unlikely]]                                                                 \
      ::nystrom::detail::check_failed(__FILE__, __LINE__, #condition, ::fmt::format(__VA_ARGS__)); \
  } while (false)
