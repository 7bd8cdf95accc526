#include "kernels/tensor/cuda/memory.h"

#include <cstring>

namespace nystrom::cuda {

DeviceMemory::DeviceMemory() {
  check(cudaGetDevice(&device_), "asking for the current GPU");
}

std::size_t DeviceMemory::block_shared_bytes() const {
  int bytes = 0;
  check(cudaDeviceGetAttribute(&bytes, cudaDevAttrMaxSharedMemoryPerBlockOptin, device_),
        "asking for a property of the GPU");
  return static_cast<std::size_t>(bytes);
}

void DeviceMemory::check_device() const {
  int current = 0;
  check(cudaGetDevice(&current), "asking for the current GPU");
  NYSTROM_CHECK(current == device_, "memory of GPU {} is asked for by a thread whose GPU is {}", device_,
                current);
}

std::byte* DeviceMemory::allocate(std::size_t bytes, Contents contents) {
  check_device();
  void* address = nullptr;
  if (bytes == 0) bytes = 1;
  if (const cudaError_t error = cudaMalloc(&address, bytes); error == cudaErrorMemoryAllocation) {
    (void)cudaGetLastError();
    const MemoryState state = memory_state();
    throw OutOfMemory(
        bytes, fmt::format("The GPU has no {:.1f} MiB of memory left ({:.1f} of {:.1f} MiB are free); "
                           "use a smaller training.micro_batch or model.",
                           mebibytes(bytes), mebibytes(state.free_bytes), mebibytes(state.total_bytes)));
  } else {
    check(error, "allocating memory");
  }
  if (contents == Contents::kZero) {
    check(cudaMemset(address, 0, bytes), "clearing memory");
    check(cudaDeviceSynchronize(), "clearing memory");
  }
  return static_cast<std::byte*>(address);
}

void DeviceMemory::release(std::byte* address) noexcept {
  cudaFree(address);
}

std::byte* PinnedMemory::allocate(std::size_t bytes, Contents contents) {
  void* address = nullptr;
  if (bytes == 0) bytes = 1;
  if (const cudaError_t error = cudaMallocHost(&address, bytes); error == cudaErrorMemoryAllocation) {
    (void)cudaGetLastError();
    throw OutOfMemory(
        bytes, fmt::format("This machine has no {:.1f} MiB of memory left that the GPU could copy from.",
                           mebibytes(bytes)));
  } else {
    check(error, "allocating pinned memory");
  }
  if (contents == Contents::kZero) std::memset(address, 0, bytes);
  return static_cast<std::byte*>(address);
}

void PinnedMemory::release(std::byte* address) noexcept {
  cudaFreeHost(address);
}

void DeviceMemory::read(void* host, const void* from, std::size_t bytes) const {
  if (bytes == 0) return;
  check_device();
  check(cudaDeviceSynchronize(), "waiting for the device");
  check(cudaMemcpy(host, from, bytes, cudaMemcpyDeviceToHost), "a copy from the device");
}

void DeviceMemory::write(void* to, const void* host, std::size_t bytes) const {
  if (bytes == 0) return;
  check_device();
  check(cudaDeviceSynchronize(), "waiting for the device");
  check(cudaMemcpy(to, host, bytes, cudaMemcpyHostToDevice), "a copy to the device");
  check(cudaDeviceSynchronize(), "a copy to the device");
}

MemoryState memory_state() {
  MemoryState state;
  check(cudaMemGetInfo(&state.free_bytes, &state.total_bytes), "asking for free memory");
  return state;
}

void copy_to_device(const Stream& stream, void* to, const void* from, std::size_t bytes) {
  check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, stream), "a copy to the device");
}
void copy_to_host(const Stream& stream, void* to, const void* from, std::size_t bytes) {
  check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, stream), "a copy from the device");
}
void copy_on_device(const Stream& stream, void* to, const void* from, std::size_t bytes) {
  check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, stream), "a copy on the device");
}

}  // namespace nystrom::cuda
