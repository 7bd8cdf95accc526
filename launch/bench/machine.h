#pragma once
// Measured peak rates of a CPU or GPU, for the share of bound: matrix product and memory copy.

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "kernels/tensor/context.h"
#include "trainer/metrics/step_profile.h"

namespace nystrom {

struct MachineCeiling {
  double fp32_flops =
      0;  ///< per second, of a large matrix product by the program's own op, of random numbers
  double bf16_flops = 0;
  double copy_bytes = 0;  ///< per second, read and written together, of a copy far larger than the caches
  /// Of a CPU's multiplication units in a loop without memory (kernels/units.h); 0 on a GPU, and of bf16
  /// where that has no instructions.
  double fp32_units = 0, bf16_units = 0;
  std::string_view bf16_products = {};  ///< how a CPU multiplies bf16: as in kernels/matmul.h
  double threads_ratio =
      1;  ///< of fp32_units to those of one thread: 2 threads of one core reach some 1, of two cores 2
};

/// Of the device of `context`. Takes about a second, and memory that it gives back: on a GPU up to 2 GiB,
/// less where less is free. Measures bf16 only if `bf16`.
MachineCeiling measure_machine(Context& context, bool bf16);

/// The least time of an op: the longer of its bytes at the rate of a copy, and of its operations, those of
/// fp32 (OpCount::fp32_flops) at the rate of a product in fp32, all others at that of `precision`.
double bound_seconds(const OpCount& count, const MachineCeiling& machine, DType precision);

/// The least time of an op's operations by the units alone; 0 where these were not measured.
double units_seconds(const OpCount& count, const MachineCeiling& machine, DType precision);

/// What a profiled step is measured by (`run.profile_steps`): the above, at this precision. Nothing where the
/// device has no memory left to measure with.
std::function<std::optional<MachineRates>(Context&)> rates_at(DType precision);

/// Peak resident memory of this process so far.
double peak_memory_bytes();

/// Memory that programs can still take without swapping, in bytes: the machine's, or the rest of this
/// process's control group where that is less. 0 if it is unknown.
double available_memory_bytes();

}  // namespace nystrom
