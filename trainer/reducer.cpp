#include "trainer/reducer.h"

#include <algorithm>

namespace nystrom {

GradientReducer::GradientReducer(Comm& comm, const Tensor& gradients, std::int64_t bucket_bytes)
    : comm_(comm) {
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
  while (started() < buckets() && offsets_[started()] >= offset)
    tickets_.push_back(comm_.start_all_reduce(buckets_[started()], "the all-reduce of gradients"));
}

void GradientReducer::finish() {
  ready(0);
  for (const auto ticket : tickets_) comm_.wait(ticket);
  tickets_.clear();
}

}  // namespace nystrom
