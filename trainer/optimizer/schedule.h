#pragma once
// The learning rate as a pure function of the step, counted from 1; w warmup steps, S steps in all.

#include <cstdint>

#include "kernels/core/names.h"

namespace nystrom {

enum class ScheduleKind {
  kLinear,      ///< s/w up to w, then (S - s + 1) / (S - w + 1)
  kConstant,    ///< s/w up to w, then 1
  kCosine,      ///< s/w up to w, then (1 + cos(pi (s - w) / (S - w + 1))) / 2
  kInverseSqrt  ///< s/w up to w, then sqrt(max(w, 1) / s)
};

template <>
struct EnumNames<ScheduleKind> {
  static constexpr Named<ScheduleKind> kAll[] = {{ScheduleKind::kLinear, "linear"},
                                                 {ScheduleKind::kConstant, "constant"},
                                                 {ScheduleKind::kCosine, "cosine"},
                                                 {ScheduleKind::kInverseSqrt, "inverse_sqrt"}};
};

struct ScheduleOptions {
  ScheduleKind kind = ScheduleKind::kLinear;
  std::int64_t warmup_steps = 0;  ///< w, at most S
};

/// Share of the peak rate at step s of S, 1 <= s.
[[nodiscard]] double schedule_factor(const ScheduleOptions& schedule, std::int64_t step, std::int64_t steps);

}  // namespace nystrom
