#include "launch/chart/scale.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace nystrom {
namespace {

struct Unit {
  double factor;
  const char* suffix;
};

/// Of a number: k, M, G, T for large ones.
Unit unit_of(double value) {
  constexpr std::array kUnits{Unit{1e12, "T"}, Unit{1e9, "G"}, Unit{1e6, "M"}, Unit{1e3, "k"}};
  constexpr double kPlain = 1e4;  // below, all digits stand: 5000
  if (std::abs(value) < kPlain) return {1, ""};
  for (const Unit& unit : kUnits)
    if (std::abs(value) >= unit.factor) return unit;
  return {1, ""};
}

std::string without_zeros(std::string text) {
  if (text.find('.') == std::string::npos) return text;
  text.erase(text.find_last_not_of('0') + 1);
  if (text.ends_with('.')) text.pop_back();
  return text == "-0" ? "0" : text;
}

/// "2e-5", where printf writes "2e-05".
std::string scientific(double value, int digits) {
  const std::string text = fmt::format("{:.{}e}", value, digits - 1);
  const std::size_t e = text.find('e');
  return fmt::format("{}e{}", without_zeros(text.substr(0, e)), std::stoi(text.substr(e + 1)));
}

/// 1, 2 or 5 times a power of ten: the least such step that makes at most `wanted` intervals.
double round_step(double length, int wanted) {
  const double raw = length / std::max(wanted, 1);
  const double power = std::pow(10.0, std::floor(std::log10(raw)));
  for (const double factor : {1.0, 2.0, 5.0})
    if (raw <= factor * power * (1 + 1e-9)) return factor * power;
  return 10 * power;
}

bool is_tiny(double value) {
  return value != 0 && std::abs(value) < 1e-3;
}

/// Labels of multiples of `step`, the largest of them `most`.
std::string linear_label(double value, double step, double most) {
  if (value == 0) return "0";
  if (is_tiny(most) || std::abs(most) >= 1e15) return scientific(value, 4);
  const Unit unit = unit_of(most);
  const double decimals = std::ceil(-std::log10(step / unit.factor) - 1e-9);
  return fmt::format("{:.{}f}{}", value / unit.factor, std::clamp(static_cast<int>(decimals), 0, 12),
                     unit.suffix);
}

std::vector<Tick> linear_ticks(double low, double high, int wanted) {
  const double step = round_step(high - low, wanted);
  const double first = std::ceil(low / step - 1e-9), last = std::floor(high / step + 1e-9);
  const double most = step * std::max(std::abs(first), std::abs(last));
  std::vector<Tick> found;
  for (int i = 0; i <= wanted && first + i <= last; ++i)
    found.push_back({(first + i) * step, linear_label((first + i) * step, step, most)});
  return found;
}

/// Powers of ten, every n-th of them where they are many.
std::vector<Tick> decades(double low, double high, int wanted) {
  const double first = std::ceil(std::log10(low) - 1e-9), last = std::floor(std::log10(high) + 1e-9);
  const double every = std::max(1.0, std::ceil((last - first + 1) / std::max(wanted, 1)));
  std::vector<Tick> found;
  for (double power = first; power <= last; power += every)
    found.push_back({std::pow(10.0, power), number_text(std::pow(10.0, power))});
  return found;
}

std::vector<Tick> log_ticks(double low, double high, int wanted) {
  constexpr double kFewFactor = 8;
  if (high / low < kFewFactor) return linear_ticks(low, high, wanted);
  if (std::log10(high / low) * 3 > 2 * wanted) return decades(low, high, wanted);
  std::vector<Tick> found;
  for (double power = std::pow(10.0, std::floor(std::log10(low))); power <= high; power *= 10)
    for (const double factor : {1.0, 2.0, 5.0})
      if (const double value = factor * power; value >= low * (1 - 1e-9) && value <= high * (1 + 1e-9))
        found.push_back({value, number_text(value)});
  return found;
}

}  // namespace

void Extent::add(double value) {
  if (!std::isfinite(value)) return;
  low = empty ? value : std::min(low, value);
  high = empty ? value : std::max(high, value);
  empty = false;
}

std::string number_text(double value, int digits) {
  if (std::isnan(value)) return "undefined";
  if (std::isinf(value)) return value > 0 ? "∞" : "-∞";
  if (value == 0) return "0";
  if (is_tiny(value) || std::abs(value) >= 1e15) return scientific(value, digits);
  const Unit unit = unit_of(value);
  const double scaled = value / unit.factor;
  const int before = static_cast<int>(std::floor(std::log10(std::abs(scaled)))) + 1;
  return without_zeros(fmt::format("{:.{}f}", scaled, std::max(digits - before, 0))) + unit.suffix;
}

std::vector<Tick> ticks(Scale scale, double low, double high, int wanted) {
  return scale == Scale::kLinear ? linear_ticks(low, high, wanted) : log_ticks(low, high, wanted);
}

double Axis::at(double value) const {
  const double inside = std::clamp(value, low, high);
  const double share =
      scale == Scale::kLinear ? (inside - low) / (high - low) : std::log(inside / low) / std::log(high / low);
  return begin + share * (end - begin);
}

Axis axis_around(const Extent& extent, Scale scale, double margin) {
  Axis axis{.scale = scale, .low = extent.low, .high = extent.high};
  if (scale == Scale::kLog) {
    if (extent.empty || extent.low <= 0) return {.scale = scale, .low = 1, .high = 10};
    if (axis.low == axis.high) axis.low /= 2, axis.high *= 2;
    const double factor = std::pow(axis.high / axis.low, margin);
    axis.low /= factor, axis.high *= factor;
    return axis;
  }
  if (extent.empty) return {.scale = scale, .low = 0, .high = 1};
  constexpr double kNarrowest = 1e-9;  // of its numbers: ticks would be equal
  const double size = std::max(std::abs(axis.low), std::abs(axis.high));
  if (axis.high - axis.low <= kNarrowest * size) {
    const double half = size == 0 ? 1 : size / 10;
    axis.low -= half, axis.high += half;
  }
  const double space = margin * (axis.high - axis.low);
  axis.low -= space, axis.high += space;
  return axis;
}

}  // namespace nystrom
