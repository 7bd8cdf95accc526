#pragma once
// CPU features, by CPUID (and of the operating system, which must save the
// registers).

#include <string>

namespace nystrom {

struct CpuFeatures {
  bool avx2 = false;         ///< with FMA: the least that the program runs on
  bool avx512 = false;       ///< F, VL, DQ and BW
  bool avx512_bf16 = false;  ///< dot products of bf16 pairs
  bool amx_bf16 = false;     ///< tiles of bf16
  std::string model;         ///< the CPU's brand string, empty if it has none

  [[nodiscard]] static CpuFeatures detect();
};

/// Whether matrix products in bf16 have their own instructions here.
[[nodiscard]] bool bf16_is_native();

}  // namespace nystrom
