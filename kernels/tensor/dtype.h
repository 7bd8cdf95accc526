#pragma once
// Element types of tensors, and the one storage type that C++20 lacks.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include "kernels/core/check.h"
#include "kernels/core/host_device.h"

namespace nystrom {

enum class DType : std::uint8_t { kF32, kF64, kBF16, kI32, kI64 };

/// bfloat16 as storage: the upper half of a float. Arithmetic happens in float.
struct BF16 {
  std::uint16_t bits;

  BF16() = default;
  /// Rounds to nearest, ties to even; a NaN stays a (quiet) NaN.
  NYSTROM_HD explicit BF16(float value) {
    const auto u = std::bit_cast<std::uint32_t>(value);
    const std::uint32_t rounded = (u + 0x7fffU + ((u >> 16U) & 1U)) >> 16U;
    const std::uint32_t quiet_nan = (u >> 16U) | 0x40U;
    bits = static_cast<std::uint16_t>((u & 0x7fffffffU) > 0x7f800000U ? quiet_nan : rounded);
  }
  NYSTROM_HD explicit operator float() const {
    return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16U);
  }
  NYSTROM_HD explicit operator double() const { return static_cast<float>(*this); }
};

constexpr std::size_t size_of(DType type) {
  switch (type) {
    case DType::kF32:
      return 4;
    case DType::kF64:
      return 8;
    case DType::kBF16:
      return 2;
    case DType::kI32:
      return 4;
    case DType::kI64:
      return 8;
  }
  return 0;
}

constexpr std::string_view name_of(DType type) {
  switch (type) {
    case DType::kF32:
      return "fp32";
    case DType::kF64:
      return "fp64";
    case DType::kBF16:
      return "bf16";
    case DType::kI32:
      return "int32";
    case DType::kI64:
      return "int64";
  }
  return "?";
}

template <class T>
constexpr DType dtype_of() {
  using U = std::remove_cv_t<T>;
  if constexpr (std::is_same_v<U, float>)
    return DType::kF32;
  else if constexpr (std::is_same_v<U, double>)
    return DType::kF64;
  else if constexpr (std::is_same_v<U, BF16>)
    return DType::kBF16;
  else if constexpr (std::is_same_v<U, std::int32_t>)
    return DType::kI32;
  else {
    static_assert(std::is_same_v<U, std::int64_t>, "no DType for this element type");
    return DType::kI64;
  }
}

/// The type in which values of storage type T are computed and summed: double for double, else float.
template <class T>
using Compute = std::conditional_t<std::is_same_v<T, double>, double, float>;

/// The dtype of weights, gradients and statistics for activations of `type`: fp64 for fp64, else fp32.
constexpr DType compute_dtype(DType type) {
  return type == DType::kF64 ? DType::kF64 : DType::kF32;
}

/// Calls f(T{}) with the activation type T (float, BF16 or double) of `type`.
template <class F>
decltype(auto) dispatch_float(DType type, F&& f) {
  switch (type) {
    case DType::kF32:
      return f(float{});
    case DType::kBF16:
      return f(BF16{});
    case DType::kF64:
      return f(double{});
    default:
      break;
  }
  throw InternalError(fmt::format("{} is not a floating-point dtype", name_of(type)));
}

}  // namespace nystrom
