#pragma once
// Sums over ranks of tensors that lie on a device, beside the ops that compute there: over NCCL, or over MPI
// through host memory.

#include <cstdint>
#include <memory>
#include <string_view>

#include "kernels/tensor/device.h"
#include "trainer/comm/comm.h"

namespace nystrom {

inline constexpr std::string_view kGradientSum = "the all-reduce of gradients";
inline constexpr std::string_view kWeightExchange = "the exchange of updated weights";

class DeviceReduction {
 public:
  DeviceReduction() = default;
  virtual ~DeviceReduction() = default;
  DeviceReduction(const DeviceReduction&) = delete;
  DeviceReduction& operator=(const DeviceReduction&) = delete;

  [[nodiscard]] virtual std::string_view kind() const = 0;  ///< "nccl", "mpi"
  /// Begins values [N] fp32 or bf16 = sum over ranks, in place, as soon as the ops asked for so far are done.
  /// Every rank makes the same calls in the same order.
  virtual void start(const Tensor& values) = 0;
  /// Ops asked for from now on see all sums that were started.
  virtual void finish() = 0;
  /// Rank r has elements [begins[r], begins[r + 1]) of values [N] fp32 right, as ops so far leave them; ops
  /// asked for from now on see all, on every rank. Between finish() and the next start().
  virtual void gather(const Tensor& values, std::span<const std::int64_t> begins) = 0;
  /// The host waits for what was asked for last, at most the time-out: before it waits for anything that
  /// depends on them. Throws CommTimeout, naming rank, step and collective.
  virtual void synchronize(std::int64_t step, std::string_view what) = 0;
};

/// NCCL's version, or why there is none: for people.
[[nodiscard]] std::string nccl_status();

enum class CommKind { kAuto, kNccl, kMpi };

struct ReductionOptions {
  CommKind kind = CommKind::kAuto;
  double timeout_seconds = 600;
};

/// For gradients of `device`; null where there is one rank or the device is the processor. Collective.
/// Refuses kNccl where NCCL cannot be opened, on every rank alike; kAuto takes MPI then, and where ranks
/// share a GPU.
[[nodiscard]] std::unique_ptr<DeviceReduction> make_device_reduction(const Device& device, Comm& comm,
                                                                     const ReductionOptions& options);

}  // namespace nystrom
