#pragma once
// Loops that do nothing but multiply and add, in registers.

#include <cstdint>

namespace nystrom {

/// Each does `rounds` rounds and returns its floating-point operations.
double multiply_fp32(std::int64_t rounds);
/// Needs CpuFeatures::avx512_bf16.
double multiply_bf16(std::int64_t rounds);
/// Needs amx_is_usable().
double multiply_tiles(std::int64_t rounds);

}  // namespace nystrom
