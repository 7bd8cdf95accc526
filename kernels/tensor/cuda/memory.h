#pragma once
// Memory of the device, and host memory that its copy engines can access (pinned).

#include <cuda_runtime.h>

#include <cstddef>
#include <memory>

#include "kernels/tensor/buffer.h"
#include "kernels/tensor/cuda/stream.h"

namespace nystrom::cuda {

/// Memory of the device that is current when it is made, as a Memory for Buffer, OwnedTensor and Arena;
/// InternalError where a thread with another current device calls it. Zeroing is finished when allocate()
/// returns.
class DeviceMemory final : public Memory {
 public:
  DeviceMemory();
  [[nodiscard]] std::byte* allocate(std::size_t bytes, Contents contents) override;
  void release(std::byte* address) noexcept override;
  [[nodiscard]] bool on_device() const override { return true; }
  [[nodiscard]] std::size_t block_shared_bytes() const override;
  void read(void* host, const void* from, std::size_t bytes) const override;
  void write(void* to, const void* host, std::size_t bytes) const override;

 private:
  void check_device() const;

  int device_ = 0;
};

/// Pinned host memory, as a Memory.
class PinnedMemory final : public Memory {
 public:
  [[nodiscard]] std::byte* allocate(std::size_t bytes, Contents contents) override;
  void release(std::byte* address) noexcept override;
};

/// Free and total bytes of the current device.
struct MemoryState {
  std::size_t free_bytes = 0, total_bytes = 0;
};
MemoryState memory_state();

/// Copies on the stream; the host does not wait where host memory is pinned.
void copy_to_device(const Stream& stream, void* to, const void* from, std::size_t bytes);
void copy_to_host(const Stream& stream, void* to, const void* from, std::size_t bytes);
void copy_on_device(const Stream& stream, void* to, const void* from, std::size_t bytes);

}  // namespace nystrom::cuda
