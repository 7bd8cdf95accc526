#pragma once
// Staged GPU collectives over MPI, through pinned host memory: for ranks that share a GPU, and clusters
// without NCCL.

#include <map>
#include <memory>
#include <vector>

#include "kernels/tensor/cuda/context.h"
#include "trainer/comm/gpu_collectives.h"

namespace nystrom {

/// Each bucket: a copy to the host on its own stream, an all-reduce or reduce-scatter there in the
/// background, a copy back.
class StagedReduction final : public DeviceReduction {
 public:
  StagedReduction(CudaContext& context, Comm& comm) : context_(context), comm_(comm) {}

  [[nodiscard]] std::string_view kind() const override { return "mpi"; }
  void start(const Tensor& values) override { start(values, /*scatters=*/false); }
  void start_scatter(const Tensor& values) override { start(values, /*scatters=*/true); }
  /// The host waits for the sums: they pass through it.
  void finish() override;
  void move(std::span<const DeviceMessage> messages) override { carry(messages, kShardExchange); }
  void gather(const Tensor& values, std::span<const std::int64_t> begins) override;
  void sum(const Tensor& values) override;
  /// The host waits for the messages: they pass through it.
  void exchange(std::span<const DeviceMessage> messages) override { carry(messages, kSequenceExchange); }
  void synchronize(std::int64_t, std::string_view) override {}  // the host has waited
  void settle(std::int64_t) override {}

 private:
  /// A bucket's place on the host; the same one in every step.
  struct Stage {
    Tensor device, host;
    Buffer memory;
    cuda::Event copied;
    Comm::Ticket ticket = 0;
    bool sent = false, scatters = false;
  };
  void start(const Tensor& values, bool scatters);
  void carry(std::span<const DeviceMessage> messages, std::string_view what);
  /// The host tensor of a collective of one size; `place` is made in the first step.
  Tensor host_place(Buffer& place, const Tensor& values);
  Stage& stage_for(const Tensor& values);
  /// Hands buckets that have arrived on the host to MPI, in order.
  void send_arrived(bool wait);

  CudaContext& context_;
  Comm& comm_;
  cuda::PinnedMemory pinned_;
  cuda::Stream stream_;
  cuda::Event final_, back_;
  std::vector<std::unique_ptr<Stage>> stages_;
  std::size_t started_ = 0;             // of this step
  Buffer whole_;                        // the place of gather() on the host
  std::map<std::size_t, Buffer> sums_;  // those of sum(), by their bytes
  Buffer messages_;                     // of carry(): grows to the largest
};

}  // namespace nystrom
