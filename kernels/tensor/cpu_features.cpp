#include "kernels/tensor/cpu_features.h"

#include <cpuid.h>

#include <array>
#include <cstdint>
#include <cstring>

namespace nystrom {
namespace {

struct Registers {
  std::uint32_t a = 0, b = 0, c = 0, d = 0;
};

Registers cpuid(std::uint32_t leaf, std::uint32_t subleaf = 0) {
  Registers r;
  __get_cpuid_count(leaf, subleaf, &r.a, &r.b, &r.c, &r.d);  // zeros where the CPU has no such leaf
  return r;
}

constexpr bool bit(std::uint32_t value, unsigned index) {
  return ((value >> index) & 1U) != 0;
}

/// XCR0: the register states that the operating system saves.
std::uint64_t saved_states() {
  if (!bit(cpuid(1).c, 27)) return 0;  // OSXSAVE
  std::uint32_t low = 0, high = 0;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return std::uint64_t{high} << 32U | low;
}

std::string model_name() {
  if (cpuid(0x80000000U).a < 0x80000004U) return {};
  std::array<char, 49> name{};
  for (std::uint32_t part = 0; part < 3; ++part) {
    const Registers r = cpuid(0x80000002U + part);
    std::memcpy(name.data() + 16 * part, &r, 16);
  }
  std::string text(name.data());
  const auto first = text.find_first_not_of(' ');
  return first == std::string::npos ? std::string()
                                    : text.substr(first, text.find_last_not_of(' ') - first + 1);
}

}  // namespace

CpuFeatures CpuFeatures::detect() {
  constexpr std::uint64_t kYmm = 0x6, kZmm = 0xe6, kTiles = 0x60000;
  const std::uint64_t states = saved_states();
  const bool ymm = (states & kYmm) == kYmm, zmm = (states & kZmm) == kZmm,
             tiles = (states & kTiles) == kTiles;
  const Registers basic = cpuid(1), extended = cpuid(7), more = cpuid(7, 1);
  CpuFeatures f;
  f.avx2 = ymm && bit(basic.c, 12) && bit(extended.b, 5);
  f.avx512 = zmm && bit(extended.b, 16) && bit(extended.b, 17) && bit(extended.b, 30) && bit(extended.b, 31);
  f.avx512_bf16 = f.avx512 && bit(more.a, 5);
  f.amx_bf16 = f.avx512 && tiles && bit(extended.d, 22) && bit(extended.d, 24);
  f.model = model_name();
  return f;
}

bool bf16_is_native() {
  static const CpuFeatures features = CpuFeatures::detect();
  return features.avx512_bf16 || features.amx_bf16;
}

}  // namespace nystrom
