#include "trainer/optimizer/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace nystrom {

double schedule_factor(const ScheduleOptions& schedule, std::int64_t step, std::int64_t steps) {
  const auto s = static_cast<double>(step), w = static_cast<double>(schedule.warmup_steps);
  const double last = static_cast<double>(steps) - w + 1;
  if (step <= schedule.warmup_steps) return s / w;
  switch (schedule.kind) {
    case ScheduleKind::kLinear:
      return std::max(0.0, (static_cast<double>(steps) - s + 1) / last);
    case ScheduleKind::kConstant:
      return 1;
    case ScheduleKind::kCosine:
      return (1 + std::cos(std::numbers::pi * std::min(1.0, (s - w) / last))) / 2;
    case ScheduleKind::kInverseSqrt:
      return std::sqrt(std::max(w, 1.0) / s);
  }
  return 0;
}

}  // namespace nystrom
