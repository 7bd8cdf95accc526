#include "trainer/optimizer/state_layout.h"

#include <algorithm>

namespace nystrom {
namespace {

constexpr std::int64_t kGap = static_cast<std::int64_t>(kAlignment / sizeof(float));

}  // namespace

// Neighbours stay neighbours, so that an op finds them in one piece; other pieces begin aligned, as in the
// store.
StateLayout::StateLayout(const ParameterStore& store, const ZeroPartition& weights, Covers covers)
    : partition_(weights) {
  if (covers == nullptr) {
    parameters_.assign(store.all().begin(), store.all().end());
    return;
  }
  for (const Parameter& parameter : store.all()) {
    if (!covers(parameter)) continue;
    const bool neighbour =
        !offsets_.empty() && offsets_.back() + parameters_.back().numel() == parameter.offset;
    if (!neighbour) size_ = (size_ + kGap - 1) / kGap * kGap;
    offsets_.push_back(parameter.offset);
    parameters_.push_back(parameter);
    parameters_.back().offset = size_;
    size_ += parameter.numel();
  }
  std::vector<std::int64_t> begins;
  for (const std::int64_t begin : weights.begins()) begins.push_back(position(begin));
  partition_ = ZeroPartition(std::move(begins), weights.rank());
}

std::int64_t StateLayout::position(std::int64_t at) const {
  if (offsets_.empty()) return parameters_.empty() ? 0 : at;
  const auto next = std::ranges::upper_bound(offsets_, at);
  if (next != offsets_.begin()) {
    const auto here = static_cast<std::size_t>(next - offsets_.begin()) - 1;
    if (at < offsets_[here] + parameters_[here].numel())
      return parameters_[here].offset + at - offsets_[here];
  }
  return next == offsets_.end() ? size_
                                : parameters_[static_cast<std::size_t>(next - offsets_.begin())].offset;
}

}  // namespace nystrom
