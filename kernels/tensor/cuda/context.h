#pragma once
// What every CUDA op is given: a device, its stream of computations, scratch.

#include <cstddef>
#include <cstdint>
#include <string>

#include "kernels/tensor/cuda/blaslt.h"
#include "kernels/tensor/cuda/memory.h"
#include "kernels/tensor/cuda/stream.h"
#include "kernels/tensor/cuda/wgmma_check.h"

namespace nystrom::cuda {

struct DeviceProperties {
  std::string name;
  int capability = 0;  ///< 90 for compute capability 9.0
  int multiprocessors = 0;
  std::size_t memory_bytes = 0;
};

}  // namespace nystrom::cuda

namespace nystrom {

class CudaContext {
 public:
  static constexpr int kOldestCapability = 80;
  /// Scratch that any op may use between its own launches: all ops of a context run on one stream.
  static constexpr std::size_t kWorkspaceBytes = std::size_t{64} << 20U;

  /// On device `index` of those that this process sees; becomes the calling thread's current device. Throws
  /// Error if it is older than supported (8.0).
  /// With `time_products` the algorithms of matrix products are chosen by timing where none was before
  /// (blaslt.h).
  explicit CudaContext(int index = 0, bool time_products = false);
  CudaContext(const CudaContext&) = delete;
  CudaContext& operator=(const CudaContext&) = delete;

  [[nodiscard]] const cuda::Stream& stream() const { return stream_; }
  [[nodiscard]] cuda::BlasLt& blas() { return blas_; }
  [[nodiscard]] int index() const { return index_; }
  [[nodiscard]] const cuda::DeviceProperties& properties() const { return properties_; }
  [[nodiscard]] int multiprocessors() const { return properties_.multiprocessors; }
  /// Whether kernels with wgmma are taken where there are such, and why not.
  [[nodiscard]] bool has_wgmma() const { return wgmma_ == cuda::WgmmaState::kUsed; }
  [[nodiscard]] cuda::WgmmaState wgmma() const { return wgmma_; }

  /// The workspace: at least `bytes`, aligned to 256; what it holds is lost at the op's return.
  [[nodiscard]] void* workspace(std::size_t bytes) const;

  /// Kernels and products of the stream are timed; null: no longer.
  void set_timer(cuda::KernelTimer* timer) { stream_.set_timer(timer); }

  /// Device memory.
  [[nodiscard]] Memory& memory() { return memory_; }

 private:
  int index_;
  cuda::DeviceProperties properties_;
  cuda::DeviceMemory memory_;
  cuda::Stream stream_;
  Buffer workspace_;
  cuda::BlasLt blas_;
  cuda::WgmmaState wgmma_;
};

}  // namespace nystrom
