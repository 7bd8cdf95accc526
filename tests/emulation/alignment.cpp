// Accesses that are not aligned, which are fatal on a GPU, are faults. Kernels are compiled with
// -fsanitize=alignment; this takes the place of the sanitizer's own library.

#include <fmt/format.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "machine.h"

namespace nystrom::emulation {
namespace {

/// What the compiler says of the access (as in libubsan's ubsan_handlers.h).
struct TypeMismatch {
  const char* file;
  std::uint32_t line, column;
  const struct {
    std::uint16_t kind, info;
    char name[1];  ///< quoted; ends with a zero
  } * type;
  std::uint8_t log_alignment, access;
};

[[noreturn]] void misaligned(const TypeMismatch& mismatch, std::uintptr_t address) {
  std::string_view file = mismatch.file;
  if (const auto slash = file.rfind('/'); slash != std::string_view::npos) file.remove_prefix(slash + 1);
  const std::string sentence =
      fmt::format("at {}:{} accesses {} at an address that is no multiple of {}: {:#x}", file, mismatch.line,
                  mismatch.type->name, 1U << mismatch.log_alignment, address);
  (void)abandon_kernel(sentence);  // does not come back where a kernel runs
  std::fprintf(stderr, "emulation: host code %s\n", sentence.c_str());
  std::abort();
}

}  // namespace
}  // namespace nystrom::emulation

extern "C" {
// Weak, so that a build with the sanitizer's own library has that.
[[gnu::weak]] void __ubsan_handle_type_mismatch_v1_abort(const nystrom::emulation::TypeMismatch* mismatch,
                                                         std::uintptr_t address) {
  nystrom::emulation::misaligned(*mismatch, address);
}
}
