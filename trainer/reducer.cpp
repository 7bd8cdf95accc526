#include "trainer/reducer.h"

#include <algorithm>

namespace nystrom {

GradientReducer::GradientReducer(Comm& comm, const Tensor& gradients, std::int64_t bucket_bytes,
                                 DeviceReduction* device)
    : comm_(comm), device_(device) {
  if (comm.ranks() == 1) return;  // nothing to sum
  const auto size =
      std::max<std::int64_t>(1, bucket_bytes / static_cast<std::int64_t>(size_of(gradients.dtype)));
  for (std::int64_t end = gradients.numel(); end > 0; end -= size) {
    const std::int64_t begin = std::max<std::int64_t>(0, end - size);
    buckets_.push_back(gradients.rows(begin, end - begin));
    offsets_.push_back(begin);
  }
  tickets_.reserve(buckets_.size());
}

void GradientReducer::begin() {
  NYSTROM_CHECK(tickets_.empty(), "{} all-reduces of the last step were not waited for", tickets_.size());
}

void GradientReducer::ready(std::int64_t offset) {
  for (; started_ < buckets() && offsets_[started_] >= offset; ++started_)
    if (device_ != nullptr)
      device_->start(buckets_[started_]);
    else
      tickets_.push_back(comm_.start_all_reduce(buckets_[started_], kGradientSum));
}

void GradientReducer::finish() {
  ready(0);
  if (device_ != nullptr && !buckets_.empty()) device_->finish();
  for (const auto ticket : tickets_) comm_.wait(ticket);
  tickets_.clear();
  started_ = 0;
}

}  // namespace nystrom
