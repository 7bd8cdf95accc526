#include "allocations.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <new>

namespace {

std::atomic<bool> counting{false};
std::atomic<std::int64_t> counted{0};
std::array<std::atomic<void*>, 8> callers{};

bool is_of_the_products(void* caller) {
  Dl_info info{};
  return dladdr(caller, &info) != 0 && info.dli_fname != nullptr &&
         std::strstr(info.dli_fname, "dnnl") != nullptr;
}

void note(void* caller) {
  if (!counting || is_of_the_products(caller)) return;
  const auto index = static_cast<std::size_t>(counted++);
  if (index < callers.size()) callers[index] = caller;
}

void* take(std::size_t bytes, std::size_t alignment) {
  const std::size_t whole = (bytes + alignment - 1) / alignment * alignment;
  void* memory = alignment <= alignof(std::max_align_t)
                     ? std::malloc(bytes == 0 ? 1 : bytes)
                     : std::aligned_alloc(alignment, whole == 0 ? alignment : whole);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

// Everything else (arrays, nothrow) comes down to these two.
void* operator new(std::size_t bytes) {
  note(__builtin_return_address(0));
  return take(bytes, alignof(std::max_align_t));
}
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  note(__builtin_return_address(0));
  return take(bytes, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  std::free(memory);
}

namespace nystrom {

AllocationCount::AllocationCount() {
  counted = 0;
  counting = true;
}

AllocationCount::~AllocationCount() {
  counting = false;
}

std::int64_t AllocationCount::here() const {
  return counted;
}

std::string AllocationCount::where() const {
  counting = false;
  std::string text;
  for (std::size_t i = 0; i < callers.size() && static_cast<std::int64_t>(i) < counted; ++i) {
    Dl_info info{};
    dladdr(callers[i], &info);
    text +=
        fmt::format("{}+{:#x} ", info.dli_fname == nullptr ? "?" : info.dli_fname,
                    static_cast<const char*>(callers[i].load()) - static_cast<const char*>(info.dli_fbase));
  }
  return text;
}

}  // namespace nystrom
