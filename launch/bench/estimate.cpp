#include "launch/bench/estimate.h"

#include <fmt/format.h>

#include <algorithm>

namespace nystrom {

double seconds_at_peak(const Profile& profile, const GpuPeak& gpu) {
  double seconds = 0;
  for (const auto& [name, count] : profile)
    seconds += std::max((count.flops - count.fp32_flops) / gpu.bf16_flops + count.fp32_flops / gpu.fp32_flops,
                        count.bytes / gpu.memory_bytes);
  return seconds;
}

std::string rough_time(double seconds) {
  constexpr double kMinute = 60, kHour = 3600, kDay = 86400;
  if (seconds < 0.1) return "less than 0.1 seconds";
  if (seconds < kMinute) return fmt::format("{:.1f} seconds", seconds);
  if (seconds < 2 * kMinute) return fmt::format("{:.0f} seconds", seconds);
  if (seconds < 2 * kHour) return fmt::format("{:.0f} minutes", seconds / kMinute);
  if (seconds < 2 * kDay) return fmt::format("{:.0f} hours", seconds / kHour);
  return fmt::format("{:.0f} days", seconds / kDay);
}

}  // namespace nystrom
