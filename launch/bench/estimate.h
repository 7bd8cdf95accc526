#pragma once
// Estimated time of a step on other GPUs: a roofline from counted operations and NVIDIA's data
// sheets.

#include <array>
#include <string>
#include <string_view>

#include "kernels/tensor/context.h"

namespace nystrom {

struct GpuPeak {
  std::string_view name;
  double bf16_flops;    ///< per second, dense, on tensor cores
  double memory_bytes;  ///< per second, read and written together
  double fp32_flops;    ///< per second, not on tensor cores
};

inline constexpr std::array kGpuPeaks{
    GpuPeak{"A100 SXM 80 GB", 312e12, 2.039e12, 19.5e12},
    GpuPeak{"H100 SXM", 989e12, 3.35e12, 67e12},
    GpuPeak{"H200", 989e12, 4.8e12, 67e12},
    GpuPeak{"B200", 2250e12, 8.0e12, 75e12},
};

/// Seconds of the ops of `profile` on `gpu`, each op at the slower of the two peak rates. A lower bound where
/// the profiled step ran in bf16; an fp32 step moves up to twice the bytes.
double seconds_at_peak(const Profile& profile, const GpuPeak& gpu);

/// "3.4 seconds", "25 minutes": two digits or so, for people.
std::string rough_time(double seconds);

}  // namespace nystrom
