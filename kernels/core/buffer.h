#pragma once
// Owned memory, aligned for every vector width and never moved.

#include <cstddef>
#include <memory>

#include "kernels/core/tensor.h"

namespace nystrom {

inline constexpr std::size_t kAlignment = 64;  ///< bytes; a cache line and an AVX-512 vector

constexpr std::size_t align_up(std::size_t bytes, std::size_t to = kAlignment) {
  return (bytes + to - 1) / to * to;
}

/// Zeroed host memory. Move-only. Throws Error, with the size, if the machine does not have it.
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(std::size_t bytes);

  [[nodiscard]] std::byte* data() const { return data_.get(); }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  struct Release {
    void operator()(std::byte* p) const noexcept;
  };
  std::unique_ptr<std::byte, Release> data_;
  std::size_t bytes_ = 0;
};

/// A tensor with memory of its own, for state that outlives steps and for tests.
class OwnedTensor {
 public:
  OwnedTensor() = default;
  OwnedTensor(DType type, Shape shape)
      : buffer_(static_cast<std::size_t>(shape.numel()) * size_of(type)),
        view_(buffer_.data(), type, shape) {}

  [[nodiscard]] const Tensor& view() const { return view_; }
  operator const Tensor&() const { return view_; }  // NOLINT(google-explicit-constructor): it is its view

 private:
  Buffer buffer_;
  Tensor view_;
};

}  // namespace nystrom
