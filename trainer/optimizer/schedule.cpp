#include "trainer/optimizer/schedule.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <utility>
#include <vector>

#include "kernels/core/check.h"

namespace nystrom {
namespace {

/// A step of a run, in doubles.
struct Step {
  double s, w, steps;  // steps: S

  Step(const ScheduleOptions& schedule, std::int64_t step, std::int64_t all)
      : s(static_cast<double>(step)),
        w(static_cast<double>(schedule.warmup_steps)),
        steps(static_cast<double>(all)) {}

  /// From behind the warmup to step S + 1, so that no step has the end's rate.
  [[nodiscard]] double last() const { return steps - w + 1; }
  /// Of the way from step w to step S + 1, what is left.
  [[nodiscard]] double left() const { return std::max(0.0, (steps - s + 1) / last()); }
};

double linear(const ScheduleOptions&, const Step& at) {
  return at.left();
}

double constant(const ScheduleOptions&, const Step&) {
  return 1;
}

double cosine(const ScheduleOptions&, const Step& at) {
  return (1 + std::cos(std::numbers::pi * std::min(1.0, (at.s - at.w) / at.last()))) / 2;
}

double inverse_sqrt(const ScheduleOptions&, const Step& at) {
  return std::sqrt(std::max(at.w, 1.0) / at.s);
}

double polynomial(const ScheduleOptions& schedule, const Step& at) {
  const double end = schedule.end_share.value_or(0);
  return end + (1 - end) * std::pow(at.left(), schedule.power);
}

double wsd(const ScheduleOptions& schedule, const Step& at) {
  const double end = schedule.end_share.value_or(0), d = static_cast<double>(schedule.decay_steps);
  const double x = std::clamp((at.s - (at.steps - d)) / (d + 1), 0.0, 1.0);
  return end + (1 - end) * (schedule.decay_shape == DecayShape::kLinear ? 1 - x : 1 - std::sqrt(x));
}

/// s/w up to w, then `after`.
template <double (*after)(const ScheduleOptions&, const Step&)>
UpdateRates warmed_up(const ScheduleOptions& schedule, std::int64_t step, std::int64_t steps) {
  const Step at(schedule, step, steps);
  return {.share = at.s <= at.w ? at.s / at.w : after(schedule, at)};
}

/// A line from `start` at step 1 to `peak` at step w, and one from there to `end` at step S.
double two_lines(const Step& at, double start, double peak, double end) {
  if (at.s <= at.w) return at.w > 1 ? start + (peak - start) * (at.s - 1) / (at.w - 1) : peak;
  return peak + (end - peak) * std::min(1.0, (at.s - at.w) / (at.steps - at.w));
}

// OneCycleLR of PyTorch with `anneal_strategy="linear"` (Smith and Topin, arXiv 1708.07120).
UpdateRates one_cycle(const ScheduleOptions& schedule, std::int64_t step, std::int64_t steps) {
  const Step at(schedule, step, steps);
  UpdateRates rates{.share = two_lines(at, schedule.start_share, 1, schedule.end_share.value_or(4e-6))};
  if (schedule.beta1_ends && schedule.beta1_peak)
    rates.beta1 = two_lines(at, *schedule.beta1_ends, *schedule.beta1_peak, *schedule.beta1_ends);
  return rates;
}

constexpr std::array<std::string_view, 2> kPolynomialKeys{"power", "end_share"};
constexpr std::array<std::string_view, 3> kWsdKeys{"decay_steps", "decay_shape", "end_share"};
constexpr std::array<std::string_view, 4> kOneCycleKeys{"start_share", "end_share", "beta1_ends",
                                                        "beta1_peak"};

constexpr std::array kKinds{
    ScheduleKind{"linear", &warmed_up<linear>, "(S − s + 1)/(S − w + 1)"},
    ScheduleKind{"constant", &warmed_up<constant>, "1"},
    ScheduleKind{"cosine", &warmed_up<cosine>, "half a cosine to 0"},
    ScheduleKind{"inverse_sqrt", &warmed_up<inverse_sqrt>, "√(w/s)"},
    ScheduleKind{"polynomial", &warmed_up<polynomial>,
                 "e + (1 − e) ((S − s + 1)/(S − w + 1))^`power`, e = `end_share`", kPolynomialKeys},
    ScheduleKind{
        "wsd", &warmed_up<wsd>,
        "1 up to step S − d, d = `decay_steps`, then e + (1 − e) (1 − x) or e + (1 − e) (1 − √x), x = "
        "(s − (S − d))/(d + 1)",
        kWsdKeys},
    ScheduleKind{
        "one_cycle", &one_cycle,
        "no such warmup, but a line from `start_share` at step 1 to 1 at step w and one to `end_share` "
        "at step S",
        kOneCycleKeys}};

}  // namespace

std::span<const ScheduleKind> schedule_kinds() {
  return kKinds;
}

const ScheduleKind& find_schedule(std::string_view name) {
  std::vector<std::string_view> names;
  for (const ScheduleKind& kind : kKinds) {
    if (kind.name == name) return kind;
    names.push_back(kind.name);
  }
  refuse("`schedule.kind` is {}; it must be one of {}.", name, fmt::join(names, ", "));
}

void check_schedule(const ScheduleOptions& schedule, std::int64_t steps) {
  const std::int64_t w = schedule.warmup_steps, d = schedule.kind == "wsd" ? schedule.decay_steps : 0;
  if (w > steps) refuse("`schedule.warmup_steps` ({}) is above the {} steps of the run; lower it.", w, steps);
  if (w > steps - d)
    refuse(
        "`schedule.warmup_steps` ({}) and `schedule.decay_steps` ({}) are more than the {} steps of the run; "
        "lower one.",
        w, d, steps);
  for (const auto& [key, beta1] :
       {std::pair{"beta1_ends", schedule.beta1_ends}, {"beta1_peak", schedule.beta1_peak}})
    if (beta1 && !(*beta1 >= 0 && *beta1 < 1))
      refuse("`schedule.{}` is {}; it must be in [0, 1).", key, *beta1);
  if (schedule.beta1_ends.has_value() != schedule.beta1_peak.has_value())
    refuse("`schedule.beta1_ends` and `schedule.beta1_peak` are a cycle together; give both or neither.");
}

UpdateRates update_rates(const ScheduleOptions& schedule, std::int64_t step, std::int64_t steps) {
  return find_schedule(schedule.kind).rates(schedule, step, steps);
}

}  // namespace nystrom
