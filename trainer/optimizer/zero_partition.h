#pragma once
// Partition of flat parameter tensors across ranks: ZeRO stage 1 (Rajbhandari et al., arXiv 1910.02054),
// `training.zero`. Each rank keeps the optimizer state of one shard of the weights and updates that shard;
// then the ranks all-gather the weights.

#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "kernels/tensor/buffer.h"
#include "trainer/comm/comm.h"

namespace nystrom {

class ZeroPartition {
 public:
  /// Not sharded: one shard with everything.
  explicit ZeroPartition(std::int64_t size) : ZeroPartition(size, 0, 1) {}
  /// Contiguous shards in rank order, multiples of the grain except for the end; their sizes differ by less
  /// than two grains, and some are empty where there are more ranks than grains.
  ZeroPartition(std::int64_t size, int rank, int ranks);
  /// begins: [ranks + 1], growing from 0.
  ZeroPartition(std::vector<std::int64_t> begins, int rank)
      : rank_(static_cast<std::size_t>(rank)), begins_(std::move(begins)) {}

  /// Elements: a power of two, at least 64 (full vectors and cache lines of any type); a large tensor has at
  /// least 65,536 grains. It does not depend on the ranks, so what is computed grain by grain does not
  /// either.
  [[nodiscard]] static std::int64_t grain(std::int64_t size);

  [[nodiscard]] bool sharded() const { return begins_.size() > 2; }
  [[nodiscard]] std::int64_t size() const { return begins_.back(); }
  /// [ranks + 1]: shard r is [begins[r], begins[r + 1]).
  [[nodiscard]] std::span<const std::int64_t> begins() const { return begins_; }
  [[nodiscard]] int rank() const { return static_cast<int>(rank_); }
  /// Of this rank's shard.
  [[nodiscard]] std::int64_t begin() const { return begins_[rank_]; }
  [[nodiscard]] std::int64_t end() const { return begins_[rank_ + 1]; }
  [[nodiscard]] std::int64_t count() const { return end() - begin(); }
  /// This rank's shard of a flat tensor [size]; empty if the tensor is.
  [[nodiscard]] Tensor shard_of(const Tensor& flat) const {
    return flat.empty() ? Tensor{} : flat.rows(begin(), count());
  }

 private:
  std::size_t rank_;
  std::vector<std::int64_t> begins_;
};

/// Scatters `whole` [size], a host tensor on rank 0, into each rank's shard `mine` [count], which is in
/// `memory`. Collective; needs a buffer of 4 MiB.
void scatter_shards(Comm& comm, const ZeroPartition& partition, const Tensor& whole, const Tensor& mine,
                    Memory& memory, std::string_view what);

}  // namespace nystrom
