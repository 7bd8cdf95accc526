#include "trainer/comm/rank_group.h"

#include <algorithm>

namespace nystrom {
RankGroup::RankGroup(Comm& comm, int ranks)
    : comm_(comm), ranks_(ranks), first_(comm.rank() / ranks * ranks) {
  NYSTROM_CHECK(ranks >= 1 && comm.ranks() % ranks == 0, "groups of {} of {} ranks", ranks, comm.ranks());
}

void RankGroup::send(std::span<const std::byte> bytes, int to) {
  if (device_ != nullptr)
    messages_.push_back(
        {DeviceMessage::Way::kSend, {const_cast<std::byte*>(bytes.data()), bytes.size()}, first_ + to});
  else
    sent_.push_back(comm_.start_send(bytes, first_ + to, kSequenceExchange));
  bytes_sent_ += static_cast<std::int64_t>(bytes.size());
}

void RankGroup::receive(std::span<std::byte> bytes, int from) {
  if (device_ != nullptr)
    messages_.push_back({DeviceMessage::Way::kReceive, bytes, first_ + from});
  else
    comm_.wait(comm_.start_receive(bytes, first_ + from, kSequenceExchange));
}

void RankGroup::finish() {
  if (device_ != nullptr && !messages_.empty()) device_->exchange(messages_);
  messages_.clear();
  std::ranges::for_each(sent_, [this](Comm::Ticket ticket) { comm_.wait(ticket); });
  sent_.clear();
}

}  // namespace nystrom
