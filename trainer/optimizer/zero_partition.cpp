#include "trainer/optimizer/zero_partition.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace nystrom {
namespace {

constexpr std::int64_t kMinGrain = 64, kGrains = 65536;
constexpr std::int64_t kPiece = 1 << 20U;  // elements of one broadcast

}  // namespace

ZeroPartition::ZeroPartition(std::int64_t size, int rank, int ranks) : rank_(static_cast<std::size_t>(rank)) {
  NYSTROM_CHECK(rank >= 0 && rank < ranks, "part {} of {}", rank, ranks);
  const std::int64_t of = grain(size), pieces = (size + of - 1) / of;
  for (std::int64_t r = 0; r <= ranks; ++r) begins_.push_back(std::min(size, pieces * r / ranks * of));
}

std::int64_t ZeroPartition::grain(std::int64_t size) {
  const auto most = static_cast<std::uint64_t>(std::max(size / kGrains, kMinGrain));
  return static_cast<std::int64_t>(std::bit_floor(most));
}

// Broadcasts chunks to all ranks, each of which keeps its shard: slower than a scatter, but it happens once
// per resume and no rank but rank 0 needs memory for the whole.
void scatter_shards(Comm& comm, const ZeroPartition& partition, const Tensor& whole, const Tensor& mine,
                    Memory& memory, std::string_view what) {
  const auto bytes = [&](std::int64_t elements) {
    return static_cast<std::size_t>(elements) * size_of(mine.dtype);
  };
  const Buffer piece(bytes(std::min(kPiece, partition.size())));
  for (std::int64_t begin = 0; begin < partition.size(); begin += kPiece) {
    const std::int64_t end = std::min(begin + kPiece, partition.size());
    if (comm.rank() == 0)
      std::memcpy(piece.data(), static_cast<const std::byte*>(whole.address) + bytes(begin),
                  bytes(end - begin));
    comm.broadcast({piece.data(), bytes(end - begin)}, 0, what);
    const std::int64_t first = std::max(begin, partition.begin()), last = std::min(end, partition.end());
    if (first < last)
      memory.write(static_cast<std::byte*>(mine.address) + bytes(first - partition.begin()),
                   piece.data() + bytes(first - begin), bytes(last - first));
  }
}

}  // namespace nystrom
