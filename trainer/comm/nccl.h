#pragma once
// NCCL collectives for gradients and weights. The library is loaded at run time (dlopen): without it the
// program still runs, on one GPU or over MPI.

#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "kernels/tensor/cuda/context.h"
#include "trainer/comm/device_trace.h"
#include "trainer/comm/gpu_collectives.h"
#include "trainer/process/watchdog.h"

namespace nystrom {

/// Why NCCL cannot be used here, as the middle of a sentence; empty where it can.
[[nodiscard]] std::string nccl_problem();
/// NCCL's version as text, "2.27.7"; empty where there is none.
[[nodiscard]] std::string nccl_version();

/// Sums run on their own stream, of high priority, each from the moment at which its gradients are
/// final.
///
/// Everything in NCCL that may block this process (its start, the first collective of each kind, which
/// connects the ranks, its end) is watched: after the timeout Comm::report_hang() ends the process.
class NcclReduction final : public DeviceReduction {
 public:
  /// Collective: connects all ranks, with a sum. The id of the job goes from rank 0 to all over `comm`, which
  /// must outlive this. Throws CommTimeout.
  NcclReduction(CudaContext& context, Comm& comm, const ReductionOptions& options);
  /// With an exception on its way the communicator is aborted: the other ranks may never come to its end.
  ~NcclReduction() override;

  [[nodiscard]] std::string_view kind() const override { return "nccl"; }
  void start(const Tensor& values) override;
  void start_scatter(const Tensor& values) override;
  void finish() override;
  void move(std::span<const DeviceMessage> messages) override;
  void gather(const Tensor& values, std::span<const std::int64_t> begins) override;
  void sum(const Tensor& values) override;
  /// On the stream of the ops themselves, which wait for it: the neighbours have a communicator of their own,
  /// so that no sum of gradients stands in the way.
  void exchange(std::span<const DeviceMessage> messages) override;
  void register_memory(const Tensor& values) override;
  void forget_memory() noexcept override;
  void synchronize(std::int64_t step, std::string_view what) override;
  void settle(std::int64_t step) override;

 private:
  void wait_for(const cuda::Event& event, std::int64_t step, std::string_view what);
  void join_ranks();
  void join_neighbours();
  /// enqueue() of a collective on `stream`, in the trace while there is one.
  template <class Enqueue>
  void traced(const cuda::Stream& stream, std::string_view what, std::size_t bytes, const Enqueue& enqueue);
  void report_times();
  void enqueue_sum(const Tensor& values, std::string_view what);
  void enqueue_messages(std::span<const DeviceMessage> messages, std::string_view what);
  /// Of the rest of a tensor [rest] that an all-gather of equal parts leaves.
  void enqueue_broadcasts(const Tensor& rest, std::span<const std::int64_t> begins);
  /// Whatever is enqueued on the stream of sums comes after the ops so far.
  void follow_ops();
  /// While it lives, where this is the first collective of its kind; `connected` becomes true.
  [[nodiscard]] std::optional<Watchdog> watch_first(bool& connected, std::string what) const;
  /// Of a watchdog over what waits for the other ranks.
  [[nodiscard]] std::function<void()> hang_report(std::string what) const;
  /// Ends what is in flight, and the communicators.
  void abort() noexcept;

  struct Communicator;  // NCCL's types stay in the source file

  CudaContext& context_;
  Comm& comm_;
  double timeout_seconds_;
  int group_ranks_;
  int exceptions_ = std::uncaught_exceptions();
  bool scattered_ = false, moved_ = false, gathered_ = false, exchanged_ = false;  // the ranks are connected
  cuda::Stream stream_{cuda::Stream::Priority::kHigh};
  cuda::Event final_, summed_, received_;
  DeviceTrace times_;
  std::vector<void*> registered_;  // handles of memory
  std::unique_ptr<Communicator> communicator_, neighbours_;
};

}  // namespace nystrom
