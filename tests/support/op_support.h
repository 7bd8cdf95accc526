#pragma once
// Random tensors for tests of ops, and distances between tensors.

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <vector>

#include "kernels/core/philox.h"
#include "kernels/sequences.h"
#include "kernels/tensor/buffer.h"

namespace nystrom::testing {

/// Element i of a floating-point tensor, as double.
inline double value(const Tensor& x, std::int64_t i) {
  return dispatch_float(x.dtype, [&]<class T>(T) { return static_cast<double>(x.data<T>()[i]); });
}

inline void set(const Tensor& x, std::int64_t i, double to) {
  dispatch_float(x.dtype, [&]<class T>(T) { x.data<T>()[i] = static_cast<T>(static_cast<Compute<T>>(to)); });
}

/// Normal numbers that bf16 holds exactly, so that all types start from the same ones.
inline OwnedTensor normal(DType type, Shape shape, std::uint64_t seed, double scale = 1) {
  OwnedTensor out(type, shape);
  Random random(seed, Purpose::kTest, 0);
  for (std::int64_t i = 0; i < shape.numel(); ++i)
    set(out, i, static_cast<double>(BF16(static_cast<float>(scale * random.normal()))));
  return out;
}

template <class T>
OwnedTensor tensor_of(Shape shape, std::initializer_list<double> values) {
  OwnedTensor out(dtype_of<T>(), shape);
  std::int64_t i = 0;
  for (const double v : values) out.view().template data<T>()[i++] = static_cast<T>(v);
  return out;
}

template <class Integer>
OwnedTensor integers(const std::vector<Integer>& values) {
  OwnedTensor out(dtype_of<Integer>(), {static_cast<std::int64_t>(values.size())});
  std::copy(values.begin(), values.end(), out.view().template data<Integer>());
  return out;
}

inline double dot(const Tensor& a, const Tensor& b) {
  double sum = 0;
  for (std::int64_t i = 0; i < a.numel(); ++i) sum += value(a, i) * value(b, i);
  return sum;
}

/// |x - reference| / |reference|, Euclidean; 0 if both are empty.
inline double distance(const Tensor& x, const Tensor& reference) {
  if (x.empty() && reference.empty()) return 0;
  EXPECT_EQ(x.numel(), reference.numel());
  double difference = 0, size = 0;
  for (std::int64_t i = 0; i < x.numel(); ++i) {
    const double r = value(reference, i), d = value(x, i) - r;
    difference += d * d;
    size += r * r;
  }
  return std::sqrt(difference / (size > 0 ? size : 1));
}

inline ::testing::AssertionResult same_bits(const Tensor& a, const Tensor& b) {
  if (a.empty() && b.empty()) return ::testing::AssertionSuccess();
  if (a.empty() != b.empty() || a.bytes() != b.bytes())
    return ::testing::AssertionFailure() << "sizes differ";
  const auto* x = static_cast<const unsigned char*>(a.address);
  const auto* y = static_cast<const unsigned char*>(b.address);
  for (std::size_t i = 0; i < a.bytes(); ++i)
    if (x[i] != y[i])
      return ::testing::AssertionFailure() << "byte " << i << " of " << a.bytes() << " differs";
  return ::testing::AssertionSuccess();
}

/// Thread counts whose bits are compared with those of one thread.
inline constexpr std::initializer_list<int> kThreadCounts{2, 3, 4};

/// Keys of `rows` rows of samples that do not begin at 0 and change every seven rows.
struct TestKeys {
  OwnedTensor samples, positions;

  explicit TestKeys(std::int64_t rows) : samples(DType::kI64, {rows}), positions(DType::kI32, {rows}) {
    for (std::int64_t row = 0; row < rows; ++row) {
      samples.view().data<std::int64_t>()[row] = 5'000'000'000 + row / 7;
      positions.view().data<std::int32_t>()[row] = static_cast<std::int32_t>(row % 7);
    }
  }
  [[nodiscard]] RowKeys view() const { return {samples, positions}; }
};

/// The definition of sequences.h, an element at a time.
inline double dropout_factor(const Dropout& dropout, std::int64_t sample, std::int64_t position,
                             std::int64_t columns, std::int64_t column) {
  const auto e = static_cast<std::uint64_t>(position * columns + column);
  const PhiloxCounter words =
      draw(dropout.seed, Purpose::kDropout, dropout.site, static_cast<std::uint64_t>(sample), e / 8);
  const std::uint32_t word = words[e % 8 / 2];
  const std::uint32_t bits = e % 2 == 0 ? word & 0xffffU : word >> 16U;
  return bits >= dropout.threshold() ? dropout.scale() : 0;
}

/// Relative distance to fp64 that an op of one rounding, or of a sum, may have.
inline double tolerance(DType type) {
  return type == DType::kBF16 ? 6e-3 : 1e-6;
}

}  // namespace nystrom::testing
