#include "trainer/comm/reducer.h"

#include <algorithm>

#include "kernels/rows.h"
#include "trainer/comm/stripes.h"

namespace nystrom {

std::int64_t automatic_bucket_bytes(const DeviceReduction* device) {
  constexpr std::int64_t kCached = std::int64_t{4} << 20, kOverNccl = std::int64_t{32} << 20;
  return device != nullptr && device->kind() == "nccl" ? kOverNccl : kCached;
}

GradientReducer::GradientReducer(Context& context, Comm& comm, const Tensor& gradients,
                                 const ReducerOptions& options)
    : context_(context),
      comm_(comm),
      device_(options.device),
      gradients_(gradients),
      shards_(options.shards.begin(), options.shards.end()) {
  if (comm.ranks() == 1) return;  // nothing to sum
  if (options.bf16) rounded_ = OwnedTensor(DType::kBF16, gradients.shape, context.memory());
  summed_ = options.bf16 ? rounded_.view() : gradients;
  const std::int64_t bytes =
      options.bucket_bytes > 0 ? options.bucket_bytes : automatic_bucket_bytes(options.device);
  const auto size = std::max<std::int64_t>(1, bytes / static_cast<std::int64_t>(size_of(summed_.dtype)));
  if (!shards_.empty()) {
    add_stripes(size);
  } else {
    for (std::int64_t end = summed_.numel(); end > 0; end -= size) {
      const std::int64_t begin = std::max<std::int64_t>(0, end - size);
      add_bucket(begin, end - begin);
    }
  }
  tickets_.reserve(buckets_.size());
  if (device_ != nullptr)
    for (const Tensor& bucket : buckets_) device_->register_memory(bucket);
}

GradientReducer::~GradientReducer() {
  if (device_ != nullptr) device_->forget_memory();
}

void GradientReducer::add_bucket(std::int64_t begin, std::int64_t count) {
  buckets_.push_back(summed_.rows(begin, count));
  offsets_.push_back(begin);
}

// What is in no stripe is all-reduced.
void GradientReducer::add_stripes(std::int64_t elements) {
  const Stripes stripes = cut_stripes(summed_.numel(), elements, comm_.ranks());
  for (const Stripe& stripe : stripes.all) add_bucket(stripe.begin, stripe.part * comm_.ranks());
  scattered_ = buckets_.size();
  if (stripes.rest > 0) add_bucket(0, stripes.rest);
  moves_ =
      messages_of(parts_elsewhere(stripes, shards_, comm_.rank()), summed_, comm_.rank(), Course::kToOwners);
}

void GradientReducer::begin() {
  NYSTROM_CHECK(tickets_.empty(), "{} all-reduces of the last step were not waited for", tickets_.size());
}

void GradientReducer::ready(std::int64_t offset) {
  for (; due(offset); ++started_) start(started_);
}

void GradientReducer::start(std::size_t bucket) {
  const Tensor& values = buckets_[bucket];
  const bool scatters = bucket < scattered_;
  if (!rounded_.view().empty()) convert(context_, gradients_.rows(offsets_[bucket], values.numel()), values);
  if (device_ != nullptr)
    scatters ? device_->start_scatter(values) : device_->start(values);
  else
    tickets_.push_back(scatters ? comm_.start_reduce_scatter(values, kGradientScatter)
                                : comm_.start_all_reduce(values, kGradientSum));
}

void GradientReducer::finish() {
  ready(0);
  if (device_ != nullptr && !buckets_.empty()) device_->finish();
  for (const auto ticket : tickets_) comm_.wait(ticket);
  tickets_.clear();
  if (scattered_ > 0) move_to_owners();
  if (!rounded_.view().empty()) convert(context_, mine(rounded_), mine(gradients_));
  started_ = 0;
}

void GradientReducer::move_to_owners() {
  if (device_ != nullptr) return device_->move(moves_);
  for (const DeviceMessage& move : moves_)
    tickets_.push_back(move.way == DeviceMessage::Way::kSend
                           ? comm_.start_send(move.bytes, move.rank, kShardExchange)
                           : comm_.start_receive(move.bytes, move.rank, kShardExchange));
  for (const auto ticket : tickets_) comm_.wait(ticket);
  tickets_.clear();
}

/// Of a flat tensor, what this rank needs the sums of.
Tensor GradientReducer::mine(const Tensor& flat) const {
  if (shards_.empty()) return flat;
  const auto rank = static_cast<std::size_t>(comm_.rank());
  return flat.rows(shards_[rank], shards_[rank + 1] - shards_[rank]);
}

}  // namespace nystrom
