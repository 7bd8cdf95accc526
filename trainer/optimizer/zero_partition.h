#pragma once
// Partition of flat parameter tensors across ranks: ZeRO stage 1 (Rajbhandari et al., arXiv 1910.02054),
// `training.zero`. Each rank keeps the optimizer state of one shard of the weights and updates that shard;
// then the ranks all-gather the weights.

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "kernels/tensor/buffer.h"
#include "trainer/comm/comm.h"

namespace nystrom {

class ZeroPartition {
 public:
  /// Not sharded: one shard with everything.
  explicit ZeroPartition(std::int64_t size) : ZeroPartition(size, 0, 1) {}
  /// Contiguous shards in rank order, multiples of 64 elements except for the end; their sizes differ by less
  /// than 128 elements, and some are empty where there are more ranks than blocks of 64.
  ZeroPartition(std::int64_t size, int rank, int ranks);

  [[nodiscard]] bool sharded() const { return begins_.size() > 2; }
  [[nodiscard]] std::int64_t size() const { return begins_.back(); }
  /// [ranks + 1]: shard r is [begins[r], begins[r + 1]).
  [[nodiscard]] std::span<const std::int64_t> begins() const { return begins_; }
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

/// Scatters `whole` [size], a host tensor on rank 0, into each rank's shard `mine` [count], which lies in
/// `memory`. Collective; needs a buffer of 4 MiB.
void scatter_shards(Comm& comm, const ZeroPartition& partition, const Tensor& whole, const Tensor& mine,
                    Memory& memory, std::string_view what);

}  // namespace nystrom
