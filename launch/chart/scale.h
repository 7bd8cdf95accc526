#pragma once
// Scales of charts: round ticks, their labels, and where a value is on an axis.

#include <string>
#include <vector>

namespace nystrom {

enum class Scale { kLinear, kLog };

/// The least and the most of what was added; numbers that are not finite do not count.
struct Extent {
  double low = 0, high = 0;
  bool empty = true;

  void add(double value);
};

/// "0", "1.5k", "20M", "0.0031", "2e-5": up to `digits` significant digits, without zeros at the end.
[[nodiscard]] std::string number_text(double value, int digits = 4);

struct Tick {
  double value = 0;
  std::string label;
};

/// Round values within [low, high], rising, about `wanted` of them: multiples of 1, 2 or 5 times a power of
/// ten, labelled with equally many decimals; on a log scale powers of ten, with their twos and fives where
/// these are few, and as on a linear scale within less than a factor of eight. Preconditions: low < high,
/// both finite; low > 0 for kLog.
[[nodiscard]] std::vector<Tick> ticks(Scale scale, double low, double high, int wanted);

/// An axis from `begin` to `end`, in the units of the drawing. `low` is at `begin`.
struct Axis {
  Scale scale = Scale::kLinear;
  double low = 0, high = 1;
  double begin = 0, end = 1;

  /// Where a value is; values beyond the ends are at the ends. Precondition: the value is finite.
  [[nodiscard]] double at(double value) const;
  [[nodiscard]] bool contains(double value) const { return value >= low && value <= high; }
};

/// Ends for an axis around an extent: equal ends are moved apart, `margin` is added at both ends as a share
/// of the length. On a log scale ends are above zero: an extent without a positive number gets [1, 10].
[[nodiscard]] Axis axis_around(const Extent& extent, Scale scale, double margin);

}  // namespace nystrom
