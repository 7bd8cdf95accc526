#pragma once
// Partition of flat parameter tensors across ranks: ZeRO stage 1 (Rajbhandari et al., arXiv 1910.02054),
// `training.zero`. A rank keeps the optimizer's state of one part of the weights and updates that part; then
// the ranks exchange their parts.

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "kernels/tensor/buffer.h"
#include "trainer/comm/comm.h"

namespace nystrom {

class Parts {
 public:
  /// One part: everything.
  explicit Parts(std::int64_t size) : Parts(size, 0, 1) {}
  /// Contiguous, in the order of ranks, whole multiples of 64 elements but for the end; their sizes differ by
  /// less than 128, and with more ranks than such pieces some are empty.
  Parts(std::int64_t size, int rank, int ranks);

  [[nodiscard]] bool divided() const { return begins_.size() > 2; }
  [[nodiscard]] std::int64_t size() const { return begins_.back(); }
  /// [ranks + 1]: part r is [begins[r], begins[r + 1]).
  [[nodiscard]] std::span<const std::int64_t> begins() const { return begins_; }
  /// Of this rank's part.
  [[nodiscard]] std::int64_t begin() const { return begins_[rank_]; }
  [[nodiscard]] std::int64_t end() const { return begins_[rank_ + 1]; }
  [[nodiscard]] std::int64_t count() const { return end() - begin(); }
  /// This rank's part of a flat tensor [size]; empty where that is.
  [[nodiscard]] Tensor mine(const Tensor& flat) const {
    return flat.empty() ? Tensor{} : flat.rows(begin(), count());
  }

 private:
  std::size_t rank_;
  std::vector<std::int64_t> begins_;
};

/// Every rank's part of `whole` [size], a tensor of the host that rank 0 alone has, into `mine` [count],
/// which lies in `memory`. Collective; takes 4 MiB beside it.
void scatter_parts(Comm& comm, const Parts& parts, const Tensor& whole, const Tensor& mine, Memory& memory,
                   std::string_view what);

}  // namespace nystrom
