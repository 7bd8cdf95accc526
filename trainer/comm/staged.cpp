#include "trainer/comm/staged.h"

namespace nystrom {

StagedReduction::Stage& StagedReduction::stage_for(const Tensor& values) {
  if (started_ == stages_.size()) {  // in the first step
    auto stage = std::make_unique<Stage>();
    stage->memory = Buffer(values.bytes(), pinned_);
    stage->host = Tensor(stage->memory.data(), values.dtype, values.shape);
    stages_.push_back(std::move(stage));
  }
  Stage& stage = *stages_[started_++];
  NYSTROM_CHECK(stage.host.numel() == values.numel(), "a bucket of {} values, {} in the first step",
                values.numel(), stage.host.numel());
  stage.device = values;
  stage.sent = false;
  return stage;
}

void StagedReduction::start(const Tensor& values, bool scatters) {
  Stage& stage = stage_for(values);
  stage.scatters = scatters;
  context_.stream().record(final_);
  stream_.wait(final_);
  cuda::copy_to_host(stream_, stage.host.address, values.address, values.bytes());
  stream_.record(stage.copied);
  send_arrived(false);
}

// In order, since every rank must start the same all-reduces in the same order.
void StagedReduction::send_arrived(bool wait) {
  for (std::size_t i = 0; i < started_; ++i) {
    Stage& stage = *stages_[i];
    if (stage.sent) continue;
    if (wait)
      stage.copied.synchronize();
    else if (!stage.copied.happened())
      return;
    stage.ticket = stage.scatters ? comm_.start_reduce_scatter(stage.host, kGradientScatter)
                                  : comm_.start_all_reduce(stage.host, kGradientSum);
    stage.sent = true;
  }
}

void StagedReduction::finish() {
  send_arrived(true);
  for (std::size_t i = 0; i < started_; ++i) {
    const Stage& stage = *stages_[i];
    comm_.wait(stage.ticket);
    const std::int64_t count = stage.host.numel() / (stage.scatters ? comm_.ranks() : 1);
    const std::int64_t begin = stage.scatters ? comm_.rank() * count : 0;
    const Tensor sums = stage.host.rows(begin, count);
    cuda::copy_to_device(stream_, stage.device.rows(begin, count).address, sums.address, sums.bytes());
  }
  stream_.record(back_);
  context_.stream().wait(back_);
  started_ = 0;
}

Tensor StagedReduction::host_place(Buffer& place, const Tensor& values) {
  if (place.data() == nullptr) place = Buffer(values.bytes(), pinned_);  // in the first step
  NYSTROM_CHECK(place.bytes() == values.bytes(), "{} bytes are exchanged, {} in the first step",
                values.bytes(), place.bytes());
  return {place.data(), values.dtype, values.shape};
}

void StagedReduction::sum(const Tensor& values) {
  const Tensor host = host_place(sums_[values.bytes()], values);
  context_.stream().record(final_);
  stream_.wait(final_);
  cuda::copy_to_host(stream_, host.address, values.address, values.bytes());
  stream_.record(back_);
  back_.synchronize();
  comm_.all_reduce(host, kOptimizerSum);
  cuda::copy_to_device(stream_, values.address, host.address, host.bytes());
  stream_.record(back_);
  context_.stream().wait(back_);
}

void StagedReduction::carry(std::span<const DeviceMessage> messages, std::string_view what) {
  std::size_t bytes = 0;
  for (const DeviceMessage& message : messages) bytes += message.bytes.size();
  if (messages_.bytes() < bytes) messages_ = Buffer(bytes, pinned_);
  std::vector<std::span<std::byte>> places;  // on the host
  std::byte* next = messages_.data();
  const cuda::Stream& stream = context_.stream();
  for (const DeviceMessage& message : messages) {
    places.emplace_back(next, message.bytes.size());
    next += message.bytes.size();
    if (message.way == DeviceMessage::Way::kSend)
      cuda::copy_to_host(stream, places.back().data(), message.bytes.data(), message.bytes.size());
  }
  stream.synchronize();
  std::vector<Comm::Ticket> tickets;
  for (std::size_t i = 0; i < messages.size(); ++i)
    tickets.push_back(messages[i].way == DeviceMessage::Way::kSend
                          ? comm_.start_send(places[i], messages[i].rank, what)
                          : comm_.start_receive(places[i], messages[i].rank, what));
  for (const Comm::Ticket ticket : tickets) comm_.wait(ticket);
  for (std::size_t i = 0; i < messages.size(); ++i)
    if (messages[i].way == DeviceMessage::Way::kReceive)
      cuda::copy_to_device(stream, messages[i].bytes.data(), places[i].data(), places[i].size());
  stream.synchronize();  // the places are used again
}

void StagedReduction::gather(const Tensor& values, std::span<const std::int64_t> begins) {
  const auto rank = static_cast<std::size_t>(comm_.rank());
  if (whole_.bytes() < values.bytes()) {
    stream_.synchronize();  // the place may still be read
    whole_ = Buffer(values.bytes(), pinned_);
  }
  const Tensor host(whole_.data(), values.dtype, values.shape);
  const auto part = [&](const Tensor& of) { return of.rows(begins[rank], begins[rank + 1] - begins[rank]); };
  context_.stream().record(final_);
  stream_.wait(final_);
  cuda::copy_to_host(stream_, part(host).address, part(values).address, part(host).bytes());
  stream_.record(back_);
  back_.synchronize();
  comm_.all_gather_shards(host, begins, kWeightExchange);
  cuda::copy_to_device(stream_, values.address, host.address, host.bytes());
  stream_.record(back_);
  context_.stream().wait(back_);
}

}  // namespace nystrom
