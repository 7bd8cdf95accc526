#pragma once
// A tensor is a view: address, shape, element type. Contiguous, row-major, at most four dimensions.
// Views never own; memory comes from an Arena or a Buffer (arena.h, buffer.h).

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

#include "kernels/core/check.h"
#include "kernels/tensor/dtype.h"

namespace nystrom {

class Shape {
 public:
  static constexpr std::size_t kMaxRank = 4;

  Shape() = default;
  Shape(std::initializer_list<std::int64_t> dims) {
    NYSTROM_CHECK(dims.size() <= kMaxRank, "a shape has {} dimensions", dims.size());
    for (auto d : dims) dims_[rank_++] = d;
  }

  [[nodiscard]] std::size_t rank() const { return rank_; }
  [[nodiscard]] std::int64_t operator[](std::size_t i) const { return dims_[i]; }
  [[nodiscard]] std::int64_t& operator[](std::size_t i) { return dims_[i]; }
  [[nodiscard]] std::int64_t numel() const {
    std::int64_t n = 1;
    for (std::size_t i = 0; i < rank_; ++i) n *= dims_[i];
    return n;
  }
  void append(std::int64_t d) {
    NYSTROM_CHECK(rank_ < kMaxRank, "a shape has more than {} dimensions", kMaxRank);
    dims_[rank_++] = d;
  }
  [[nodiscard]] std::span<const std::int64_t> dims() const { return {dims_.data(), rank_}; }
  [[nodiscard]] std::string text() const;  ///< "[8, 512, 768]"
  bool operator==(const Shape& other) const = default;

 private:
  std::array<std::int64_t, kMaxRank> dims_{};
  std::size_t rank_ = 0;
};

struct Tensor {
  void* address = nullptr;
  Shape shape;
  DType dtype = DType::kF32;

  Tensor() = default;
  Tensor(void* where, DType type, Shape dims) : address(where), shape(dims), dtype(type) {}

  [[nodiscard]] bool empty() const { return address == nullptr; }
  [[nodiscard]] std::int64_t dim(std::size_t i) const { return shape[i]; }
  [[nodiscard]] std::int64_t numel() const { return shape.numel(); }
  [[nodiscard]] std::size_t bytes() const { return static_cast<std::size_t>(numel()) * size_of(dtype); }

  /// The elements as T; T must be the tensor's element type.
  template <class T>
  [[nodiscard]] T* data() const {
    NYSTROM_CHECK(dtype == dtype_of<T>(), "a {} tensor is read as {}", name_of(dtype),
                  name_of(dtype_of<T>()));
    return static_cast<T*>(address);
  }
  template <class T>
  [[nodiscard]] std::span<T> span() const {
    return {data<T>(), static_cast<std::size_t>(numel())};
  }

  /// Rows [begin, begin + count) along the first dimension.
  [[nodiscard]] Tensor rows(std::int64_t begin, std::int64_t count) const;
  [[nodiscard]] Tensor first(std::int64_t count) const { return rows(0, count); }
  /// The same elements under another shape of equal size.
  [[nodiscard]] Tensor reshaped(Shape to) const;
};

}  // namespace nystrom
