#pragma once
// Series of a number over the steps of a run, in bounded memory: steps are aggregated in
// buckets, each with mean, minimum and maximum.

#include <cstddef>
#include <cstdint>
#include <vector>

namespace nystrom {

struct Bucket {
  std::int64_t first = 0, last = 0;  ///< steps
  std::int64_t count = 0;
  double sum = 0, least = 0, most = 0;

  [[nodiscard]] double mean() const { return sum / static_cast<double>(count); }
  [[nodiscard]] double step() const { return (static_cast<double>(first) + static_cast<double>(last)) / 2; }
};

class Series {
 public:
  static constexpr std::size_t kMaxBuckets = 512;

  /// The next value; NaN and infinities do not count. Precondition: steps do not fall.
  void add(std::int64_t step, double value);

  /// Buckets of `width()` steps, a power of two: at most kMaxBuckets.
  [[nodiscard]] const std::vector<Bucket>& even() const { return even_; }
  /// Buckets for a logarithmic axis: kPerOctave between a step and its double.
  [[nodiscard]] const std::vector<Bucket>& by_octave() const { return by_octave_; }
  [[nodiscard]] std::int64_t width() const { return width_; }

  [[nodiscard]] bool empty() const { return even_.empty(); }
  [[nodiscard]] double last() const { return last_; }
  [[nodiscard]] std::int64_t last_step() const { return even_.empty() ? 0 : even_.back().last; }
  [[nodiscard]] std::int64_t count() const { return count_; }
  /// The minimum and the maximum, each with the first step that has it.
  [[nodiscard]] double min() const { return min_; }
  [[nodiscard]] std::int64_t min_step() const { return min_step_; }
  [[nodiscard]] double max() const { return max_; }
  [[nodiscard]] std::int64_t max_step() const { return max_step_; }

 private:
  static constexpr double kPerOctave = 32;

  void widen();

  std::vector<Bucket> even_, by_octave_;
  std::int64_t width_ = 1, count_ = 0;
  std::int64_t octave_ = -1;  // index of the last bucket of by_octave_
  double last_ = 0, min_ = 0, max_ = 0;
  std::int64_t min_step_ = 0, max_step_ = 0;
};

}  // namespace nystrom
