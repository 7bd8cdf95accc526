#pragma once
// The ways to multiply bf16 on CPUs, each a matmul() of its own; matmul() takes the fastest that the CPU has.

#include <string_view>

#include "kernels/matmul.h"

namespace nystrom {

/// By AMX (products/amx.h); needs amx_is_usable(). Here and in the next two subnormal numbers count as zero,
/// as the instructions have it.
void matmul_bf16_by_amx(Context& context, const Matmul& args);
/// The same with imitated tiles, for tests; needs CpuFeatures::avx512_bf16. Very slow.
void matmul_bf16_by_imitated_amx(Context& context, const Matmul& args);
/// By AVX512-BF16 (products/bf16.h); needs CpuFeatures::avx512_bf16.
void matmul_bf16_by_avx512(Context& context, const Matmul& args);
/// By oneDNN's primitive. Without instructions for bf16 it is correct, but slow.
void matmul_bf16_by_onednn(Context& context, const Matmul& args);
/// Through fp32, converting and allocating.
void matmul_bf16_by_f32(Context& context, const Matmul& args);

/// What matmul() takes here. NYSTROM_PRODUCTS=onednn in the environment asks for oneDNN where there are
/// instructions for bf16.
struct Bf16Way {
  std::string_view name;
  void (*matmul)(Context&, const Matmul&);
};
const Bf16Way& bf16_way();

}  // namespace nystrom
