#include "launch/report/series.h"

#include <algorithm>
#include <cmath>

namespace nystrom {
namespace {

void join(Bucket& bucket, const Bucket& next) {
  bucket.last = next.last;
  bucket.count += next.count;
  bucket.sum += next.sum;
  bucket.least = std::min(bucket.least, next.least);
  bucket.most = std::max(bucket.most, next.most);
}

}  // namespace

void Series::add(std::int64_t step, double value) {
  if (!std::isfinite(value)) return;
  if (count_ == 0 || value < min_) min_ = value, min_step_ = step;
  if (count_ == 0 || value > max_) max_ = value, max_step_ = step;
  ++count_;
  last_ = value;
  const Bucket one{step, step, 1, value, value, value};
  if (!even_.empty() && even_.back().first / width_ == step / width_)
    join(even_.back(), one);
  else
    even_.push_back(one);
  if (even_.size() > kMaxBuckets) widen();
  const double position = std::log2(static_cast<double>(std::max<std::int64_t>(step, 1)));
  const auto octave = static_cast<std::int64_t>(kPerOctave * position);
  if (octave == octave_)
    join(by_octave_.back(), one);
  else
    by_octave_.push_back(one);
  octave_ = octave;
}

void Series::widen() {
  while (even_.size() > kMaxBuckets) {
    width_ *= 2;
    std::vector<Bucket> wider;
    for (const Bucket& bucket : even_)
      if (!wider.empty() && wider.back().first / width_ == bucket.first / width_)
        join(wider.back(), bucket);
      else
        wider.push_back(bucket);
    even_ = std::move(wider);
  }
}

}  // namespace nystrom
