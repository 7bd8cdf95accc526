#pragma once
// Errors are sentences. Library code throws one of these; only main prints it and picks the exit status.

#include <fmt/format.h>

#include <stdexcept>
#include <string>

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

template <class... Args>
[[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) {
  throw Error(fmt::format(format, std::forward<Args>(args)...));
}

template <class... Args>
[[noreturn]] void refuse(fmt::format_string<Args...> format, Args&&... args) {
  throw InputError(fmt::format(format, std::forward<Args>(args)...));
}

namespace detail {
[[noreturn]] void check_failed(const char* file, int line, const char* condition, const std::string& values);
}

}  // namespace nystrom

/// Precondition of library code: NYSTROM_CHECK(x.dim(1) == c, "x has {} columns, not {}", x.dim(1), c).
#define NYSTROM_CHECK(condition, ...)                                                              \
  do {                                                                                             \
    if (!(condition)) [[unlikely]]                                                                 \
      ::nystrom::detail::check_failed(__FILE__, __LINE__, #condition, ::fmt::format(__VA_ARGS__)); \
  } while (false)
