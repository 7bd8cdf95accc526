#pragma once
// Measured ceilings of this machine, for the share of bound: matrix product and memory copy.

#include <string>

#include "kernels/tensor/context.h"

namespace nystrom {

struct MachineCeiling {
  double fp32_flops = 0;  ///< per second, of a large matrix product by the program's own op
  double bf16_flops = 0;
  double copy_bytes = 0;  ///< per second, read and written together, of a copy far larger than the caches
};

/// Takes about a second. Measures bf16 only if `bf16`.
MachineCeiling measure_machine(Context& context, bool bf16);

/// Peak resident memory of this process so far.
double peak_memory_bytes();

/// Memory that programs can still take without swapping, in bytes: the machine's, or the rest of this
/// process's control group where that is less. 0 if it cannot be told.
double available_memory_bytes();

}  // namespace nystrom
