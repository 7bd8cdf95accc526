#pragma once
// Owned memory, aligned for every vector width and never moved.

#include <cstddef>
#include <memory>
#include <string>

#include "kernels/tensor/tensor.h"

namespace nystrom {

inline constexpr std::size_t kAlignment = 64;  ///< bytes; a cache line and an AVX-512 vector

constexpr std::size_t align_up(std::size_t bytes, std::size_t to = kAlignment) {
  return (bytes + to - 1) / to * to;
}

/// There is not enough memory: an Error with the bytes that were requested.
class OutOfMemory : public Error {
 public:
  OutOfMemory(std::size_t bytes, const std::string& sentence) : Error(sentence), bytes_(bytes) {}
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  std::size_t bytes_;
};

inline double mebibytes(std::size_t bytes) {
  return static_cast<double>(bytes) / 1048576.0;
}

enum class Contents {
  kZero,      ///< all bytes zero
  kUndefined  ///< whatever is cheapest
};

/// Where buffers come from: the host, or a device (Context::memory()).
class Memory {
 public:
  virtual ~Memory() = default;
  /// Aligned to kAlignment at least. Throws OutOfMemory.
  [[nodiscard]] virtual std::byte* allocate(std::size_t bytes, Contents contents) = 0;
  virtual void release(std::byte* address) noexcept = 0;
  /// Whether the host must not touch it.
  [[nodiscard]] virtual bool on_device() const { return false; }
  /// Copies to and from the host's own memory, after all work on this memory so far; the host waits. Not
  /// inside a step.
  virtual void read(void* host, const void* from, std::size_t bytes) const;
  virtual void write(void* to, const void* host, std::size_t bytes) const;
  /// Most shared memory that the device gives to a block of a kernel; 0 for the host's.
  [[nodiscard]] virtual std::size_t block_shared_bytes() const { return 0; }

  /// The machine's own memory, always zeroed.
  static Memory& host();
};

/// Owned memory. Move-only. Throws OutOfMemory.
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(std::size_t bytes, Memory& memory = Memory::host(), Contents contents = Contents::kZero);

  [[nodiscard]] std::byte* data() const { return data_.get(); }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  struct Release {
    Memory* memory;
    Release() noexcept : memory(nullptr) {}
    explicit Release(Memory* of) noexcept : memory(of) {}
    void operator()(std::byte* p) const noexcept { memory->release(p); }
  };
  std::unique_ptr<std::byte, Release> data_;
  std::size_t bytes_ = 0;
};

/// A tensor's values within the host's reach: the tensor itself, or a copy of what is on a device.
class HostValues {
 public:
  HostValues(const Tensor& tensor, Memory& memory);
  operator const Tensor&() const {
    return view_;
  }  // NOLINT(google-explicit-constructor): it represents the tensor
  [[nodiscard]] const Tensor& view() const { return view_; }
  /// Where it is a copy: brings what was changed back.
  void write_back() const;

 private:
  Tensor tensor_, view_;
  Memory& memory_;
  Buffer copy_;
};

/// A tensor that owns its memory, for state that outlives steps and for tests.
class OwnedTensor {
 public:
  OwnedTensor() = default;
  OwnedTensor(DType type, Shape shape, Memory& memory = Memory::host())
      : buffer_(static_cast<std::size_t>(shape.numel()) * size_of(type), memory),
        view_(buffer_.data(), type, shape) {}

  [[nodiscard]] const Tensor& view() const { return view_; }
  operator const Tensor&() const { return view_; }  // NOLINT(google-explicit-constructor): it is its view

 private:
  Buffer buffer_;
  Tensor view_;
};

}  // namespace nystrom
