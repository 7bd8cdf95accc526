#pragma once
// Implementations of matmul() for bf16 on CPUs, and the dispatch to the fastest that the CPU supports.

#include <string_view>

#include "kernels/matmul.h"

namespace nystrom {

/// By AMX (products/amx.h); needs amx_is_usable(). Here and in the next two subnormal numbers count as zero,
/// as the instructions have it.
void matmul_bf16_by_amx(Context& context, const Matmul& args);
/// The same with emulated tiles, for tests; needs CpuFeatures::avx512_bf16. Very slow.
void matmul_bf16_by_emulated_amx(Context& context, const Matmul& args);
/// By AVX512-BF16 (products/bf16.h); needs CpuFeatures::avx512_bf16.
void matmul_bf16_by_avx512(Context& context, const Matmul& args);
/// By oneDNN's primitive. Without instructions for bf16 it is correct, but slow.
void matmul_bf16_by_onednn(Context& context, const Matmul& args);
/// Through fp32, converting and allocating.
void matmul_bf16_by_f32(Context& context, const Matmul& args);

/// The implementation that matmul() dispatches to. NYSTROM_PRODUCTS=onednn in the environment asks for oneDNN
/// where there are instructions for bf16.
struct Bf16Matmul {
  std::string_view name;
  void (*run)(Context&, const Matmul&);
};
const Bf16Matmul& bf16_matmul();

}  // namespace nystrom
