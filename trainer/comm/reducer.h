#pragma once
// Gradient all-reduce in buckets, overlapped with backward. The flat gradient tensor is split into buckets
// from its end, where backward finishes first; each bucket's all-reduce starts as soon as its gradients are
// final.
//
// Where each rank needs the sums of its shard alone (ZeRO), buckets are reduce-scattered in stripes
// (stripes.h) and the parts move to their owners at the end: (N - 1) / N of the tensor and 1 / N of it
// travel, instead of 2 (N - 1) / N.
//
// Reduction in bf16 (`communication.reduction`) halves the bytes: each rank's gradient is rounded, and so is
// every partial sum, so that the error of the sum of g_1 ... g_N over N ranks is at most
// ((1 + 2^-8)^N - 1) (|g_1| + ... + |g_N|).
//
//   reducer.begin();                                         // before backward of the last micro-batch
//   network.backward(..., [&](std::int64_t offset) { reducer.ready(offset); });
//   reducer.finish();                                        // starts the remaining buckets, waits for all
//
// Buckets depend only on the sizes of the tensor and the bucket, so the sums have the same bits whatever the
// micro-batches; a rank without sequences calls begin() and finish() only.

#include <cstdint>
#include <vector>

#include "trainer/comm/comm.h"
#include "trainer/comm/gpu_collectives.h"

namespace nystrom {

struct ReducerOptions {
  std::int64_t bucket_bytes = 0;      ///< 0: automatic_bucket_bytes()
  bool bf16 = false;                  ///< reduce in bf16 instead of the gradients' type
  DeviceReduction* device = nullptr;  ///< for gradients on a GPU: reduces instead of Comm
  /// [ranks + 1]: rank r needs the sums of [shards[r], shards[r + 1]) only. Empty: every rank needs all.
  std::span<const std::int64_t> shards = {};
};

/// 4 MiB through the CPUs, which fits a cache: the fastest of 1 to 100 MiB where ranks share a machine.
/// 32 MiB over NCCL (`device` of kind nccl), where each call costs tens of microseconds.
[[nodiscard]] std::int64_t automatic_bucket_bytes(const DeviceReduction* device);

class GradientReducer {
 public:
  /// gradients [N], fp32 or fp64, in the context's memory.
  GradientReducer(Context& context, Comm& comm, const Tensor& gradients, const ReducerOptions& options = {});
  ~GradientReducer();
  GradientReducer(const GradientReducer&) = delete;
  GradientReducer& operator=(const GradientReducer&) = delete;

  void begin();
  /// Gradients at and beyond `offset` are final.
  void ready(std::int64_t offset);
  /// Whether ready(offset) would start anything.
  [[nodiscard]] bool due(std::int64_t offset) const {
    return started_ < buckets() && offsets_[started_] >= offset;
  }
  /// Every gradient, or those of this rank's shard, are sums over ranks afterwards, for ops that follow. The
  /// others are undefined then.
  void finish();

  [[nodiscard]] std::size_t buckets() const { return buckets_.size(); }
  /// Buckets whose reduction has been started since begin().
  [[nodiscard]] std::size_t started() const { return started_; }

 private:
  void add_bucket(std::int64_t begin, std::int64_t count);
  void add_stripes(std::int64_t elements);
  void start(std::size_t bucket);
  void move_to_owners();
  [[nodiscard]] Tensor mine(const Tensor& flat) const;

  Context& context_;
  Comm& comm_;
  DeviceReduction* device_;
  Tensor gradients_;
  OwnedTensor rounded_;               // [N] bf16, where they are summed so
  Tensor summed_;                     // [N]: these, or the gradients
  std::vector<std::int64_t> shards_;  // [ranks + 1]; empty: every rank needs all
  std::vector<DeviceMessage> moves_;  // of parts to their owners
  std::size_t started_ = 0;
  std::size_t scattered_ = 0;          // the first buckets, which are reduce-scattered
  std::vector<Tensor> buckets_;        // in the order in which backward finishes them
  std::vector<std::int64_t> offsets_;  // of each bucket's first element
  std::vector<Comm::Ticket> tickets_;
};

}  // namespace nystrom
