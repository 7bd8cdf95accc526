#pragma once
// NCCL collectives for gradients and weights. The library is loaded at run time (dlopen): without it the
// program still runs, on one GPU or over MPI.

#include <string>

#include "kernels/tensor/cuda/context.h"
#include "trainer/comm/gpu_collectives.h"

namespace nystrom {

/// Why NCCL cannot be used here, as the middle of a sentence; empty where it can.
[[nodiscard]] std::string nccl_problem();
/// NCCL's version as text, "2.27.7"; empty where there is none.
[[nodiscard]] std::string nccl_version();

/// Sums run on a stream of their own, each from the moment at which its gradients are final.
class NcclReduction final : public DeviceReduction {
 public:
  /// Collective. The id of the job goes from rank 0 to all over `comm`.
  NcclReduction(CudaContext& context, Comm& comm, double timeout_seconds);
  ~NcclReduction() override;

  [[nodiscard]] std::string_view kind() const override { return "nccl"; }
  void start(const Tensor& values) override;
  void finish() override;
  void gather(const Tensor& values, std::span<const std::int64_t> begins) override;
  void sum(const Tensor& values) override;
  void synchronize(std::int64_t step, std::string_view what) override;

 private:
  void enqueue_sum(const Tensor& values, std::string_view what);

  struct Communicator;  // NCCL's types stay in the source file

  CudaContext& context_;
  Comm& comm_;
  double timeout_seconds_;
  cuda::Stream stream_;
  cuda::Event final_, summed_;
  std::unique_ptr<Communicator> communicator_;
};

}  // namespace nystrom
