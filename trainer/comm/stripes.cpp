#include "trainer/comm/stripes.h"

#include <algorithm>

namespace nystrom {
namespace {

constexpr std::int64_t kGrain = 64;  // full vectors and cache lines of any type

}  // namespace

Stripes cut_stripes(std::int64_t size, std::int64_t elements, int ranks) {
  const std::int64_t smallest = kGrain * ranks, most = std::max(elements / smallest, std::int64_t{1});
  Stripes stripes{.all = {}, .rest = size};
  while (stripes.rest >= smallest) {
    const std::int64_t part = std::min(stripes.rest / smallest, most) * kGrain;
    stripes.rest -= part * ranks;
    stripes.all.push_back({stripes.rest, part});
  }
  return stripes;
}

std::vector<PartOfShard> parts_elsewhere(const Stripes& stripes, std::span<const std::int64_t> shards,
                                         int rank) {
  std::vector<PartOfShard> parts;
  const auto ranks = static_cast<int>(shards.size()) - 1;
  for (const Stripe& stripe : stripes.all)
    for (int holder = 0; holder < ranks; ++holder) {
      const std::int64_t begin = stripe.begin + holder * stripe.part, end = begin + stripe.part;
      auto owner = static_cast<int>(std::ranges::upper_bound(shards, begin) - shards.begin()) - 1;
      for (std::int64_t at = begin; at < end; ++owner) {
        const std::int64_t next = std::min(end, shards[static_cast<std::size_t>(owner) + 1]);
        if (next > at && holder != owner && (holder == rank || owner == rank))
          parts.push_back({at, next - at, holder, owner});
        at = next;
      }
    }
  return parts;
}

std::vector<DeviceMessage> messages_of(std::span<const PartOfShard> parts, const Tensor& values, int rank,
                                       Course course) {
  std::vector<DeviceMessage> messages;
  for (const PartOfShard& part : parts) {
    const Tensor piece = values.rows(part.begin, part.count);
    const bool to_owner = course == Course::kToOwners;
    const int from = to_owner ? part.holder : part.owner, to = to_owner ? part.owner : part.holder;
    messages.push_back({from == rank ? DeviceMessage::Way::kSend : DeviceMessage::Way::kReceive,
                        {static_cast<std::byte*>(piece.address), piece.bytes()},
                        from == rank ? to : from});
  }
  return messages;
}

}  // namespace nystrom
