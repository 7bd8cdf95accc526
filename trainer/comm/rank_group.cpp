#include "trainer/comm/rank_group.h"

#include <algorithm>

namespace nystrom {
namespace {
constexpr std::string_view kSharedSequence = "its part of a sequence that several ranks share";
}

RankGroup::RankGroup(Comm& comm, int ranks)
    : comm_(comm), ranks_(ranks), first_(comm.rank() / ranks * ranks) {
  NYSTROM_CHECK(ranks >= 1 && comm.ranks() % ranks == 0, "groups of {} of {} ranks", ranks, comm.ranks());
}

void RankGroup::send(std::span<const std::byte> bytes, int to) {
  sent_.push_back(comm_.start_send(bytes, first_ + to, kSharedSequence));
  bytes_sent_ += static_cast<std::int64_t>(bytes.size());
}

void RankGroup::receive(std::span<std::byte> bytes, int from) {
  comm_.wait(comm_.start_receive(bytes, first_ + from, kSharedSequence));
}

void RankGroup::finish() {
  std::ranges::for_each(sent_, [this](Comm::Ticket ticket) { comm_.wait(ticket); });
  sent_.clear();
}

}  // namespace nystrom
