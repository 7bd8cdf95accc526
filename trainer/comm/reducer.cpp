#include "trainer/comm/reducer.h"

#include <algorithm>

#include "kernels/rows.h"

namespace nystrom {

std::int64_t automatic_bucket_bytes(const DeviceReduction* device) {
  constexpr std::int64_t kCached = std::int64_t{4} << 20, kOverNccl = std::int64_t{32} << 20;
  return device != nullptr && device->kind() == "nccl" ? kOverNccl : kCached;
}

GradientReducer::GradientReducer(Context& context, Comm& comm, const Tensor& gradients,
                                 const ReducerOptions& options)
    : context_(context), comm_(comm), device_(options.device), gradients_(gradients) {
  if (comm.ranks() == 1) return;  // nothing to sum
  if (options.bf16) rounded_ = OwnedTensor(DType::kBF16, gradients.shape, context.memory());
  const Tensor& summed = options.bf16 ? rounded_.view() : gradients;
  const std::int64_t bytes =
      options.bucket_bytes > 0 ? options.bucket_bytes : automatic_bucket_bytes(options.device);
  const auto size = std::max<std::int64_t>(1, bytes / static_cast<std::int64_t>(size_of(summed.dtype)));
  for (std::int64_t end = summed.numel(); end > 0; end -= size) {
    const std::int64_t begin = std::max<std::int64_t>(0, end - size);
    buckets_.push_back(summed.rows(begin, end - begin));
    offsets_.push_back(begin);
  }
  tickets_.reserve(buckets_.size());
}

void GradientReducer::begin() {
  NYSTROM_CHECK(tickets_.empty(), "{} all-reduces of the last step were not waited for", tickets_.size());
}

void GradientReducer::ready(std::int64_t offset) {
  for (; due(offset); ++started_) start(started_);
}

void GradientReducer::start(std::size_t bucket) {
  const Tensor& values = buckets_[bucket];
  if (!rounded_.view().empty()) convert(context_, gradients_.rows(offsets_[bucket], values.numel()), values);
  if (device_ != nullptr)
    device_->start(values);
  else
    tickets_.push_back(comm_.start_all_reduce(values, kGradientSum));
}

void GradientReducer::finish() {
  ready(0);
  if (device_ != nullptr && !buckets_.empty()) device_->finish();
  for (const auto ticket : tickets_) comm_.wait(ticket);
  if (!rounded_.view().empty()) convert(context_, rounded_, gradients_);
  tickets_.clear();
  started_ = 0;
}

}  // namespace nystrom
