#pragma once
// GPU collectives: all-reduce, reduce-scatter and all-gather of tensors on a device, overlapped with its ops,
// over NCCL or over MPI through host memory.

#include <cstdint>
#include <memory>
#include <string_view>

#include "kernels/core/names.h"
#include "kernels/tensor/device.h"
#include "trainer/comm/comm.h"

namespace nystrom {

inline constexpr std::string_view kGradientSum = "the all-reduce of gradients";
inline constexpr std::string_view kGradientScatter = "the reduce-scatter of gradients";
inline constexpr std::string_view kShardExchange = "the exchange of gradient shards";
inline constexpr std::string_view kWeightExchange = "the exchange of updated weights";
inline constexpr std::string_view kSequenceExchange = "its part of a sequence that several ranks share";
inline constexpr std::string_view kOptimizerSum = "the sums of the optimizer";

/// Bytes that go to another rank, or come from it.
struct DeviceMessage {
  enum class Way { kSend, kReceive };
  Way way = Way::kSend;
  std::span<std::byte> bytes;
  int rank = 0;  ///< the other one
};

class DeviceReduction {
 public:
  DeviceReduction() = default;
  virtual ~DeviceReduction() = default;
  DeviceReduction(const DeviceReduction&) = delete;
  DeviceReduction& operator=(const DeviceReduction&) = delete;

  [[nodiscard]] virtual std::string_view kind() const = 0;  ///< "nccl", "mpi"
  /// Starts values [N] fp32 or bf16 = sum over ranks, in place, after the ops enqueued so far. Every rank
  /// makes the same calls in the same order.
  virtual void start(const Tensor& values) = 0;
  /// The same for a part: values [ranks * P]; elements [r P, (r + 1) P) on rank r become their sum, the
  /// others are undefined.
  virtual void start_scatter(const Tensor& values) = 0;
  /// Ops enqueued from now on see all sums that were started.
  virtual void finish() = 0;
  /// The messages of one exchange between any ranks, after the ops enqueued so far; ops enqueued from now on
  /// see what was received. Between finish() and the next start().
  virtual void move(std::span<const DeviceMessage> messages) = 0;
  /// Rank r owns elements [begins[r], begins[r + 1]) of values [N] fp32 or bf16, after the ops enqueued so
  /// far; ops enqueued from now on see all of them, on every rank. Between finish() and the next start().
  virtual void gather(const Tensor& values, std::span<const std::int64_t> begins) = 0;
  /// values [N] fp64 = sum over ranks, in place, after the ops enqueued so far, for ops enqueued from now on.
  /// Between finish() and the next start().
  virtual void sum(const Tensor& values) = 0;
  /// The messages of one exchange within this rank's group, after the ops enqueued so far; ops enqueued from
  /// now on see what was received. Also between start() and finish().
  virtual void exchange(std::span<const DeviceMessage> messages) = 0;
  /// User buffer registration: memory that is reduced in each step and not freed before forget_memory(). The
  /// library may then do without staging buffers.
  virtual void register_memory(const Tensor& /*values*/) {}
  virtual void forget_memory() noexcept {}
  /// The host waits for the last collective, at most the timeout; to be called before it waits for anything
  /// that depends on it. Throws CommTimeout, naming rank, step and collective.
  virtual void synchronize(std::int64_t step, std::string_view what) = 0;
  /// The same for the last exchange(), at once if there was none: before the host waits for the device in a
  /// way that has no timeout.
  virtual void settle(std::int64_t step) = 0;
};

/// NCCL's version, or why NCCL is not available: for messages.
[[nodiscard]] std::string nccl_status();

enum class CommKind { kAuto, kNccl, kMpi };

template <>
struct EnumNames<CommKind> {
  static constexpr Named<CommKind> kAll[] = {
      {CommKind::kAuto, "auto"}, {CommKind::kNccl, "nccl"}, {CommKind::kMpi, "mpi"}};
};

struct ReductionOptions {
  CommKind kind = CommKind::kAuto;
  double timeout_seconds = CommOptions().timeout_seconds;
  int group_ranks = 1;  ///< neighbouring ranks that exchange(); divides their number
};

/// For gradients on `device`; null with one rank or on a CPU. Collective. Refuses kNccl where NCCL cannot be
/// loaded, on every rank alike; kAuto falls back to MPI then, and where ranks share a GPU.
[[nodiscard]] std::unique_ptr<DeviceReduction> make_device_reduction(const Device& device, Comm& comm,
                                                                     const ReductionOptions& options);

}  // namespace nystrom
