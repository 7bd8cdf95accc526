#pragma once
// Matrix products of one warp on tensor cores: mma.sync m16n8k16 of bf16 or fp16 with fp32 sums, and
// ldmatrix, which brings its operands from shared memory (PTX ISA, "Matrix fragments for mma.m16n8k16").
// Every lane of a full warp takes part in each call. With g = lane / 4 and t = lane % 4 a lane holds
//   A [16, 16]  a[0]: row g,     columns 2t, 2t + 1       a[1]: row g + 8, the same columns
//               a[2]: row g,     columns 2t + 8, 2t + 9   a[3]: row g + 8, the same columns
//   B [16, 8]   b0: rows 2t, 2t + 1 of column g           b1: rows 2t + 8, 2t + 9 of column g
//   C [16, 8]   c[0], c[1]: row g, columns 2t, 2t + 1     c[2], c[3]: row g + 8, the same columns
// Two elements share a register, the first in its low half.
//
// Under NYSTROM_EMULATION the same moves between the same lanes are written out plainly, so that an operand
// in the wrong layout gives a wrong number there too. Alignment of shared addresses is checked, bank
// conflicts are counted. What the twin cannot show: tensor cores may round a sum of products otherwise in its
// last bit: with NYSTROM_EMULATION_MMA=truncate the twin cuts sums off as they do. Checked against the CPU
// through the emulation; not yet run on a GPU.

#include <cuda_runtime.h>

#include <bit>
#include <cstdint>

#include "kernels/tensor/cuda/device_code.h"
#include "kernels/tensor/dtype.h"

#ifdef NYSTROM_EMULATION
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "kernels/core/check.h"
#endif

namespace nystrom::cuda {

/// fp16 as storage of a factor.
struct F16 {
  std::uint16_t bits;
};

#ifndef NYSTROM_EMULATION

/// Both rounded to nearest, ties to even; `low` in the low half.
__device__ inline std::uint32_t pack_bf16(float low, float high) {
  std::uint32_t packed;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(packed) : "f"(high), "f"(low));
  return packed;
}

__device__ inline std::uint32_t pack_f16(float low, float high) {
  std::uint32_t packed;
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(packed) : "f"(high), "f"(low));
  return packed;
}
__device__ inline void unpack_f16(std::uint32_t packed, float& low, float& high) {
  asm("{.reg .b16 l, h;\n\tmov.b32 {l, h}, %2;\n\tcvt.f32.f16 %0, l;\n\tcvt.f32.f16 %1, h;}"
      : "=f"(low), "=f"(high)
      : "r"(packed));
}

/// Four 8 x 8 matrices of 16-bit elements: lane i gives the address of row i % 8 of matrix i / 8 (16-byte
/// aligned, in shared memory); r[q] = elements 2t and 2t + 1 of row g of matrix q.
template <class E>
__device__ inline void load_matrices(std::uint32_t (&r)[4], const E* row) {
  static_assert(sizeof(E) == 2);
  const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(address)
               : "memory");
}

/// The same with each matrix transposed: r[q] = rows 2t and 2t + 1 of column g of matrix q.
template <class E>
__device__ inline void load_matrices_transposed(std::uint32_t (&r)[4], const E* row) {
  static_assert(sizeof(E) == 2);
  const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(address)
               : "memory");
}

/// c += a b, of bf16.
__device__ inline void multiply_add(float (&c)[4], const std::uint32_t (&a)[4], std::uint32_t b0,
                                    std::uint32_t b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
      "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

/// c += a b, of fp16.
__device__ inline void multiply_add_f16(float (&c)[4], const std::uint32_t (&a)[4], std::uint32_t b0,
                                        std::uint32_t b1) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
      "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

#else

inline std::uint32_t pack_bf16(float low, float high) {
  return static_cast<std::uint32_t>(BF16(high).bits) << 16U | BF16(low).bits;
}

namespace detail {
/// To nearest, ties to even; too large becomes infinite, and fp16 has subnormals.
inline std::uint32_t f16_bits(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value), sign = bits >> 16U & 0x8000U;
  const std::uint32_t magnitude = bits & 0x7fffffffU;
  if (magnitude > 0x7f800000U) return sign | 0x7e00U;
  if (magnitude >= 0x477ff000U) return sign | 0x7c00U;
  if (magnitude < 0x38800000U)  // 0.5 has its last bit where subnormals have theirs
    return sign | (std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude) + 0.5F) - 0x3f000000U);
  return sign | (magnitude + 0xfffU + (magnitude >> 13U & 1U) - 0x38000000U) >> 13U;
}
inline float f16_value(std::uint32_t bits) {
  const std::uint32_t sign = (bits & 0x8000U) << 16U, exponent = bits >> 10U & 31U, mantissa = bits & 0x3ffU;
  if (exponent == 0)
    return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(static_cast<float>(mantissa) * 0x1p-24F));
  return std::bit_cast<float>(sign | (exponent == 31 ? 255U : exponent + 112U) << 23U | mantissa << 13U);
}
/// Both elements of a register.
inline void unpack_bf16(std::uint32_t packed, float& low, float& high) {
  low = std::bit_cast<float>(packed << 16U);
  high = std::bit_cast<float>(packed & 0xffff0000U);
}
template <class E>
const E* const* rows_of_all_lanes(const E* row) {
  NYSTROM_CHECK(reinterpret_cast<std::uintptr_t>(row) % 16 == 0,
                "a row for ldmatrix is not at 16 bytes: {}, thread {}", static_cast<const void*>(row),
                threadIdx.x);
  const E* const* const rows = emulation::warp_exchange(row);
  if (lane_index() == 0) emulation::count_bank_conflicts(reinterpret_cast<const void* const*>(rows), kWarp);
  return rows;
}
inline bool truncates() {
  static const bool wanted = [] {
    const char* how = std::getenv("NYSTROM_EMULATION_MMA");
    return how != nullptr && std::string_view(how) == "truncate";
  }();
  return wanted;
}
/// c + the sum of eight products as an A100 adds them (Fasi, Higham, Mikaitis, Pranesh: Numerical behavior of
/// NVIDIA tensor cores, PeerJ CS 2021): exact products are shifted to the largest exponent, cut off below one
/// bit more than fp32 has, and so is their sum to fp32's 24. Hopper keeps more bits, and adds sixteen at
/// once.
inline float truncated_sum(float c, const double (&products)[8]) {
  double largest = std::fabs(c);
  for (const double product : products) largest = std::max(largest, std::fabs(product));
  if (largest == 0 || !std::isfinite(largest)) {
    for (const double product : products) c += static_cast<float>(product);
    return c;
  }
  constexpr int kKept = 24;  // bits behind the leading one
  const int exponent = std::ilogb(largest) - kKept;
  double sum = std::trunc(std::ldexp(c, -exponent));
  for (const double product : products) sum += std::trunc(std::ldexp(product, -exponent));
  if (sum == 0) return 0;
  const int cut = std::max(0, std::ilogb(sum) - 23);
  return static_cast<float>(std::ldexp(std::trunc(std::ldexp(sum, -cut)), exponent + cut));
}
}  // namespace detail

inline std::uint32_t pack_f16(float low, float high) {
  return detail::f16_bits(high) << 16U | detail::f16_bits(low);
}
inline void unpack_f16(std::uint32_t packed, float& low, float& high) {
  low = detail::f16_value(packed & 0xffffU);
  high = detail::f16_value(packed >> 16U);
}

template <class E>
void load_matrices(std::uint32_t (&r)[4], const E* row) {
  const E* const* const rows = detail::rows_of_all_lanes(row);
  const int g = lane_index() / 4, t = lane_index() % 4;
  for (int q = 0; q < 4; ++q) std::memcpy(&r[q], rows[8 * q + g] + 2 * t, sizeof(r[q]));
}

template <class E>
void load_matrices_transposed(std::uint32_t (&r)[4], const E* row) {
  const E* const* const rows = detail::rows_of_all_lanes(row);
  const int g = lane_index() / 4, t = lane_index() % 4;
  for (int q = 0; q < 4; ++q)
    r[q] = static_cast<std::uint32_t>(rows[8 * q + 2 * t + 1][g].bits) << 16U | rows[8 * q + 2 * t][g].bits;
}

namespace detail {
/// What a lane has of both operands of a product.
struct WarpOperands {
  float a[4][2], b[2][2];
  bool a_is_zero, a_is_finite, b_is_zero, b_is_finite;

  void classify() {
    a_is_zero = b_is_zero = a_is_finite = b_is_finite = true;
    for (const auto& pair : a)
      for (const float x : pair) a_is_zero &= x == 0, a_is_finite &= std::isfinite(x);
    for (const auto& pair : b)
      for (const float x : pair) b_is_zero &= x == 0, b_is_finite &= std::isfinite(x);
  }
};

/// Are the products of row g's and row g + 8's elements with those of columns 2t and 2t + 1 all zero?
inline bool products_are_zero(const WarpOperands* all, int g, int t) {
  bool a_zero = true, a_finite = true, b_zero = true, b_finite = true;
  for (int lane = 0; lane < 4; ++lane) {
    const WarpOperands& rows = all[4 * g + lane];
    a_zero &= rows.a_is_zero, a_finite &= rows.a_is_finite;
    for (int column = 2 * t; column < 2 * t + 2; ++column) {
      b_zero &= all[4 * column + lane].b_is_zero;
      b_finite &= all[4 * column + lane].b_is_finite;
    }
  }
  return (a_zero && b_finite) || (b_zero && a_finite);
}

/// c += a b of elements that `unpack` takes out of a register.
template <class Unpack>
void multiply_add(float (&c)[4], const std::uint32_t (&a)[4], std::uint32_t b0, std::uint32_t b1,
                  const Unpack& unpack) {
  WarpOperands mine;
  for (int i = 0; i < 4; ++i) unpack(a[i], mine.a[i][0], mine.a[i][1]);
  unpack(b0, mine.b[0][0], mine.b[0][1]);
  unpack(b1, mine.b[1][0], mine.b[1][1]);
  mine.classify();
  const WarpOperands* const all = emulation::warp_exchange(mine);
  const int g = lane_index() / 4, t = lane_index() % 4;
  const bool nothing = products_are_zero(all, g, t), truncated = truncates();
  for (int i = 0; i < 4; ++i) {
    if (nothing) {  // as much of small matrices in their tiles is
      c[i] += 0.0F;
      continue;
    }
    const int row_half = i / 2, column = 2 * t + i % 2;  // c[i] is row g + 8 row_half of that column
    float sum = c[i];
    for (int k_half = 0; k_half < 2; ++k_half) {
      float left[8], right[8];
      for (int k = 0; k < 8; ++k) {
        left[k] = all[4 * g + k / 2].a[row_half + 2 * k_half][k % 2];
        right[k] = all[4 * column + k / 2].b[k_half][k % 2];
      }
      if (truncated) {
        double products[8];
        for (int k = 0; k < 8; ++k) products[k] = static_cast<double>(left[k]) * right[k];
        sum = truncated_sum(sum, products);
      } else {
        for (int k = 0; k < 8; ++k) sum += left[k] * right[k];
      }
    }
    c[i] = sum;
  }
}
}  // namespace detail

inline void multiply_add(float (&c)[4], const std::uint32_t (&a)[4], std::uint32_t b0, std::uint32_t b1) {
  detail::multiply_add(c, a, b0, b1, detail::unpack_bf16);
}
inline void multiply_add_f16(float (&c)[4], const std::uint32_t (&a)[4], std::uint32_t b0, std::uint32_t b1) {
  detail::multiply_add(c, a, b0, b1, unpack_f16);
}

#endif

}  // namespace nystrom::cuda
