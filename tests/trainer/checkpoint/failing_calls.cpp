// Environment of a program that this is preloaded into: FAILING_CALLS_FOLDER, FAILING_CALLS_FIRST,
// FAILING_CALLS_LAST, FAILING_CALLS_ERROR (a number), and FAILING_CALLS_ONLY if one call is meant.

#include "failing_calls.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string_view>

namespace {

constexpr std::size_t kMaxPath = 4096;

struct Plan {
  std::mutex mutex;
  char folder[kMaxPath] = "";
  char only[32] = "";
  std::int64_t first = 1, last = 0, counted = 0;
  int error = ENOSPC;
};

std::int64_t number_in(const char* name, std::int64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::atoll(text);
}

void arm(Plan& plan, const char* folder, std::int64_t first, std::int64_t last, int error, const char* only) {
  const std::lock_guard held(plan.mutex);
  std::snprintf(plan.folder, sizeof plan.folder, "%s", folder == nullptr ? "" : folder);
  std::snprintf(plan.only, sizeof plan.only, "%s", only == nullptr ? "" : only);
  plan.first = first;
  plan.last = last;
  plan.error = error;
  plan.counted = 0;
}

Plan& plan() {
  static Plan* only = [] {
    auto* made = new Plan;  // outlives every call
    if (const char* folder = std::getenv("FAILING_CALLS_FOLDER"))
      arm(*made, folder, number_in("FAILING_CALLS_FIRST", 1), number_in("FAILING_CALLS_LAST", 0),
          static_cast<int>(number_in("FAILING_CALLS_ERROR", ENOSPC)), std::getenv("FAILING_CALLS_ONLY"));
    return made;
  }();
  return *only;
}

bool fails(const char* call, const char* path) {
  Plan& p = plan();
  const std::lock_guard held(p.mutex);
  if (p.folder[0] == '\0' || std::strncmp(path, p.folder, std::strlen(p.folder)) != 0) return false;
  if (p.only[0] != '\0' && std::strcmp(p.only, call) != 0) return false;
  ++p.counted;
  if (p.counted < p.first || p.counted > p.last) return false;
  errno = p.error;
  return true;
}

bool fails(const char* call, int file) {
  char link[64], path[kMaxPath];
  std::snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  const ssize_t length = ::readlink(link, path, sizeof path - 1);
  if (length <= 0) return false;
  path[length] = '\0';
  return fails(call, path);
}

template <class Function>
Function* real(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

mode_t mode_of(int flags, std::va_list arguments) {
  return (flags & (O_CREAT | O_TMPFILE)) != 0 ? static_cast<mode_t>(va_arg(arguments, unsigned)) : 0;
}

}  // namespace

// The names and types are the system's.
extern "C" {

void failing_calls_arm(const char* folder, std::int64_t first, std::int64_t last, int error,
                       const char* only) {
  arm(plan(), folder, first, last, error, only);
}
std::int64_t failing_calls_counted() {
  Plan& p = plan();
  const std::lock_guard held(p.mutex);
  return p.counted;
}

#define FAILING_OPEN(name)                                             \
  int name(const char* path, int flags, ...) {                         \
    std::va_list arguments;                                            \
    va_start(arguments, flags);                                        \
    const mode_t mode = mode_of(flags, arguments);                     \
    va_end(arguments);                                                 \
    if (fails("open", path)) return -1;                                \
    return real<int(const char*, int, ...)>(#name)(path, flags, mode); \
  }
FAILING_OPEN(open)
FAILING_OPEN(open64)

#define FAILING_FLUSH(name)              \
  int name(int file) {                   \
    if (fails("fsync", file)) return -1; \
    return real<int(int)>(#name)(file);  \
  }
FAILING_FLUSH(fsync)
FAILING_FLUSH(fdatasync)

#define FAILING_PWRITE(name)                                                                  \
  ssize_t name(int file, const void* bytes, size_t count, off_t offset) {                     \
    if (fails("write", file)) return -1;                                                      \
    return real<ssize_t(int, const void*, size_t, off_t)>(#name)(file, bytes, count, offset); \
  }
FAILING_PWRITE(pwrite)
FAILING_PWRITE(pwrite64)

#define FAILING_TRUNCATE(name)                        \
  int name(int file, off_t bytes) noexcept {          \
    if (fails("ftruncate", file)) return -1;          \
    return real<int(int, off_t)>(#name)(file, bytes); \
  }
FAILING_TRUNCATE(ftruncate)
FAILING_TRUNCATE(ftruncate64)

ssize_t write(int file, const void* bytes, size_t count) {
  if (fails("write", file)) return -1;
  return real<ssize_t(int, const void*, size_t)>("write")(file, bytes, count);
}
ssize_t writev(int file, const iovec* parts, int count) {
  if (fails("write", file)) return -1;
  return real<ssize_t(int, const iovec*, int)>("writev")(file, parts, count);
}
int rename(const char* from, const char* to) noexcept {
  if (fails("rename", from)) return -1;
  return real<int(const char*, const char*)>("rename")(from, to);
}
}
