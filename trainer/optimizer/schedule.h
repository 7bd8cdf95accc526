#pragma once
// The learning rate as a pure function of the step, counted from 1; w warmup steps, S steps in all. A new
// schedule is a function and a row of the table in schedule.cpp.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "kernels/core/names.h"

namespace nystrom {

/// How `wsd` falls, as x goes from 0 to 1.
enum class DecayShape {
  kLinear,       ///< 1 - x
  kOneMinusSqrt  ///< 1 - sqrt(x) (Hägele et al., arXiv 2405.18392)
};

template <>
struct EnumNames<DecayShape> {
  static constexpr Named<DecayShape> kAll[] = {{DecayShape::kLinear, "linear"},
                                               {DecayShape::kOneMinusSqrt, "one_minus_sqrt"}};
};

struct ScheduleOptions {
  std::string kind = "linear";
  std::int64_t warmup_steps = 0;         ///< w, at most S
  double power = 1;                      ///< `polynomial`
  std::int64_t decay_steps = 0;          ///< `wsd`: w + decay_steps is at most S
  DecayShape decay_shape = {};           ///< `wsd`
  double start_share = 0.04;             ///< `one_cycle`: of the peak, at step 1
  std::optional<double> end_share = {};  ///< of the peak, at the end; none: the kind's
  /// `one_cycle`: beta1 at steps 1 and S, and at step w; both or neither.
  std::optional<double> beta1_ends = {}, beta1_peak = {};
};

/// What the schedule says of an update.
struct UpdateRates {
  double share = 1;                  ///< of the peak learning rates
  std::optional<double> beta1 = {};  ///< in place of `optimizer.beta1`
};

struct ScheduleKind {
  std::string_view name;  ///< `schedule.kind`
  /// At step s, 1 <= s, of S.
  UpdateRates (*rates)(const ScheduleOptions& schedule, std::int64_t step, std::int64_t steps);
  std::string_view formula;  ///< for the documentation: the factor behind the warmup
  /// Keys of `schedule` that not all kinds use.
  std::span<const std::string_view> keys = {};
};
[[nodiscard]] std::span<const ScheduleKind> schedule_kinds();
/// Refuses an unknown name.
[[nodiscard]] const ScheduleKind& find_schedule(std::string_view name);

/// Refuses, naming the keys, what contradicts itself or does not fit into S steps.
void check_schedule(const ScheduleOptions& schedule, std::int64_t steps);

/// At step s of S, 1 <= s.
[[nodiscard]] UpdateRates update_rates(const ScheduleOptions& schedule, std::int64_t step,
                                       std::int64_t steps);

}  // namespace nystrom
