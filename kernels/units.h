#pragma once
// What a CPU's multiplication units can do at most.

#include "kernels/tensor/context.h"
#include "kernels/tensor/dtype.h"

namespace nystrom {

/// Floating-point operations per second of the context's threads together in a loop without memory:
/// multiply-adds of fp32, or of bf16 by AMX or AVX512-BF16 (0 where the CPU has neither). Measured, for some
/// 50 ms. On the CPU only.
double unit_flops(Context& context, DType type);

}  // namespace nystrom
