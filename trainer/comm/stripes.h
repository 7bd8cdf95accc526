#pragma once
// Stripes of a flat tensor: the units in which it is reduce-scattered or all-gathered. A stripe has one part
// for each rank, all of one size, so that every link carries as much, and its collective can start when
// backward has finished the stripe. The shards in which optimizers keep their state are contiguous instead
// (zero_partition.h), so parts move between the rank that has summed them and the rank that owns them: 1/N of
// the tensor for each of N ranks.

#include <cstdint>
#include <span>
#include <vector>

#include "trainer/comm/gpu_collectives.h"

namespace nystrom {

struct Stripe {
  std::int64_t begin = 0, part = 0;  ///< elements: rank r has [begin + r part, begin + (r + 1) part)
};

struct Stripes {
  std::vector<Stripe> all;  ///< from the end of the tensor, where backward finishes first
  std::int64_t rest = 0;    ///< elements [0, rest) are in no stripe: fewer than 64 for each rank
};

/// Of a tensor [size] in stripes of at most `elements`, but at least 64 for each rank. Parts are multiples of
/// 64 elements.
[[nodiscard]] Stripes cut_stripes(std::int64_t size, std::int64_t elements, int ranks);

/// Elements [begin, begin + count) are in `holder`'s part of a stripe, and in `owner`'s shard.
struct PartOfShard {
  std::int64_t begin = 0, count = 0;
  int holder = 0, owner = 0;
};

/// Those that `rank` either holds or owns, but not both; for any two ranks in the same order on both.
/// shards: [ranks + 1]; shard r is [shards[r], shards[r + 1]).
[[nodiscard]] std::vector<PartOfShard> parts_elsewhere(const Stripes& stripes,
                                                       std::span<const std::int64_t> shards, int rank);

enum class Course { kToOwners, kToHolders };
/// This rank's messages that move the parts of values [size].
[[nodiscard]] std::vector<DeviceMessage> messages_of(std::span<const PartOfShard> parts, const Tensor& values,
                                                     int rank, Course course);

}  // namespace nystrom
