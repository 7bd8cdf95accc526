#pragma once
// The project's own matrix products in bf16, for CPUs with AVX512-BF16.

#include "kernels/cpu/products/slab.h"

namespace nystrom {

/// A product of bf16 numbers, its sums in fp32. Results are fp32, or with `rounded` bf16; then k is
/// kMaxRoundedK at most. Needs CpuFeatures::avx512_bf16. Subnormal numbers count as zero, as these
/// instructions have it.
void product_bf16(Context& context, const Product& product, bool rounded);

}  // namespace nystrom
