#include "trainer/optimizer/weight_exchange.h"

#include <algorithm>
#include <limits>

#include "kernels/rows.h"

namespace nystrom {
namespace {

/// Elements of fp32 that are worth a collective of their own.
constexpr std::int64_t kLong = std::int64_t{1} << 16;

}  // namespace

WeightExchange::WeightExchange(Context& context, Comm& comm, DeviceReduction* device, ParameterStore& store,
                               const ZeroPartition& partition)
    : context_(context), comm_(comm), device_(device), store_(store), partition_(partition) {
  const bool countable = store.flat_size() <= std::numeric_limits<std::int32_t>::max();  // of small_rows_
  if (partition.sharded() && !store.rounded_copy().empty() && countable) plan();
}

// Runs of parameters of one sort, the gaps behind them included.
void WeightExchange::plan() {
  std::vector<Range> small;
  const auto all = store_.all();
  std::int64_t begin = 0, rounded_from = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const bool last = i + 1 == all.size(), multiplied = all[i].only_multiplied();
    if (!last && all[i + 1].only_multiplied() == multiplied) continue;
    const Range run{begin, last ? store_.flat_size() : all[i + 1].offset};
    begin = run.end;
    if (multiplied) continue;
    if (run.end - run.begin < kLong) {
      small.push_back(run);
      continue;
    }
    exact_.push_back(run);
    if (rounded_from < run.begin) rounded_.push_back({rounded_from, run.begin});
    rounded_from = run.end;
  }
  if (rounded_from < store_.flat_size()) rounded_.push_back({rounded_from, store_.flat_size()});
  list_small(small);
}

void WeightExchange::list_small(const std::vector<Range>& small) {
  std::vector<std::int32_t> rows;
  for (const Range& run : small)
    for (std::int64_t i = run.begin; i < run.end; ++i) rows.push_back(static_cast<std::int32_t>(i));
  for (const std::int64_t begin : partition_.begins())
    small_begins_.push_back(std::ranges::lower_bound(rows, begin) - rows.begin());
  if (rows.empty()) return;
  const auto count = static_cast<std::int64_t>(rows.size());
  small_rows_ = OwnedTensor(DType::kI32, {count}, store_.memory());
  small_ = OwnedTensor(store_.weights().dtype, {count, 1}, store_.memory());
  const HostValues numbers(small_rows_, store_.memory());
  std::ranges::copy(rows, numbers.view().data<std::int32_t>());
  numbers.write_back();
}

void WeightExchange::share(std::int64_t step) {
  const Tensor weights = store_.weights(), copy = store_.rounded_copy();
  if (!partition_.sharded()) return store_.round_copy(context_);
  if (!rounds()) {
    gather(weights, partition_.begins());
    if (device_ != nullptr) device_->synchronize(step, kWeightExchange);
    return store_.round_copy(context_);
  }
  round_shard();
  for (const Range& range : rounded_) gather_range(copy, range);
  for (const Range& range : exact_) gather_range(weights, range);
  if (!small_.view().empty()) gather_small();
  if (device_ != nullptr) device_->synchronize(step, kWeightExchange);
  for (const Range& range : exact_) convert(context_, range.of(weights), range.of(copy));
  complete_ = false;
}

void WeightExchange::round_shard() {
  const Tensor copy = partition_.shard_of(store_.rounded_copy());
  if (copy.numel() > 0) convert(context_, partition_.shard_of(store_.weights()), copy);
}

void WeightExchange::complete(std::int64_t step) {
  if (complete_) return;
  gather(store_.weights(), partition_.begins());
  if (device_ != nullptr) device_->synchronize(step, kWeightExchange);
  complete_ = true;
}

void WeightExchange::gather_small() {
  const auto rank = static_cast<std::size_t>(partition_.rank());
  const std::int64_t first = small_begins_[rank], count = small_begins_[rank + 1] - first;
  if (count > 0)
    gather_rows(context_, column(), small_rows_.view().rows(first, count), small_.view().rows(first, count));
  gather(small_.view().reshaped({small_begins_.back()}), small_begins_);
  scatter_rows(context_, small_, small_rows_, column());
}

void WeightExchange::gather_range(const Tensor& flat, const Range& range) {
  std::vector<std::int64_t> begins;
  for (const std::int64_t begin : partition_.begins())
    begins.push_back(std::clamp(begin, range.begin, range.end) - range.begin);
  gather(range.of(flat), begins);
}

void WeightExchange::gather(const Tensor& values, std::span<const std::int64_t> begins) {
  if (device_ != nullptr)
    device_->gather(values, begins);
  else
    comm_.all_gather_shards(values, begins, kWeightExchange);
}

std::vector<Tensor> WeightExchange::shared() {
  if (complete_) return {store_.weights()};
  std::vector<Tensor> all{store_.rounded_copy()};
  for (const Range& range : exact_) all.push_back(range.of(store_.weights()));
  if (small_.view().empty()) return all;
  gather_rows(context_, column(), small_rows_, small_);
  all.push_back(small_);
  return all;
}

}  // namespace nystrom
