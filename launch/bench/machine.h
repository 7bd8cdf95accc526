#pragma once
// What this machine can do at most, measured: the bounds that a program's speed is a share of.

#include <string>

#include "kernels/tensor/context.h"

namespace nystrom {

struct MachineCeiling {
  double fp32_flops = 0;  ///< a second, of a large matrix product through the program's own op
  double bf16_flops = 0;
  double copy_bytes = 0;  ///< a second, read and written together, of a copy far larger than the caches
};

/// Takes about a second. bf16 only where it is asked for.
MachineCeiling measure_machine(Context& context, bool bf16);

/// Resident memory of this process at its largest so far.
double peak_memory_bytes();

}  // namespace nystrom
