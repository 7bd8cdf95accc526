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
#include <immintrin.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <type_traits>

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
  return std::uint32_t{_cvtss_sh(high, _MM_FROUND_TO_NEAREST_INT)} << 16U |
         _cvtss_sh(low, _MM_FROUND_TO_NEAREST_INT);
}
inline void unpack_f16(std::uint32_t packed, float& low, float& high) {
  low = _cvtsh_ss(static_cast<std::uint16_t>(packed));
  high = _cvtsh_ss(static_cast<std::uint16_t>(packed >> 16U));
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
/// What a lane brings to a product: its registers of the three operands.
struct ProductOfLane {
  std::uint32_t a[4], b[2];
  float c[4];
};

/// A row of c += a row of a times b, in the order of k.
inline void add_row_times(float (&c)[8], const float (&a)[16], const float (&b)[16][8]) {
  if (!truncates()) {
    __m256 sums = _mm256_loadu_ps(c);
    for (int k = 0; k < 16; ++k) sums = _mm256_fmadd_ps(_mm256_set1_ps(a[k]), _mm256_loadu_ps(b[k]), sums);
    _mm256_storeu_ps(c, sums);
    return;
  }
  for (int column = 0; column < 8; ++column)
    for (int first = 0; first < 16; first += 8) {
      double products[8];
      for (int k = 0; k < 8; ++k) products[k] = static_cast<double>(a[first + k]) * b[first + k][column];
      c[column] = truncated_sum(c[column], products);
    }
}

/// Eight elements of E.
template <class E>
__m256 floats_of(const std::uint16_t* elements) {
  const __m128i bits = _mm_loadu_si128(reinterpret_cast<const __m128i*>(elements));
  if constexpr (std::is_same_v<E, F16>)
    return _mm256_cvtph_ps(bits);
  else
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
}

/// The c of all lanes += a b, of elements E.
template <class E>
void multiply_add_of_warp(ProductOfLane* lanes) {
  std::uint16_t a_bits[16][16], b_bits[16][8];
  float a[16][16], b[16][8], c[16][8];
  const auto element = [&](int lane, int i) -> float& {
    return c[lane / 4 + i / 2 * 8][lane % 4 * 2 + i % 2];
  };
  for (int lane = 0; lane < kWarp; ++lane) {
    const ProductOfLane& mine = lanes[lane];
    const int g = lane / 4, t = lane % 4;
    for (int i = 0; i < 4; ++i)
      std::memcpy(&a_bits[g + i % 2 * 8][2 * t + i / 2 * 8], &mine.a[i], sizeof mine.a[i]);
    for (int i = 0; i < 2; ++i) {
      b_bits[2 * t + 8 * i][g] = static_cast<std::uint16_t>(mine.b[i]);
      b_bits[2 * t + 8 * i + 1][g] = static_cast<std::uint16_t>(mine.b[i] >> 16U);
    }
    for (int i = 0; i < 4; ++i) element(lane, i) = mine.c[i];
  }
  for (int k = 0; k < 16; ++k) {
    _mm256_storeu_ps(a[k], floats_of<E>(a_bits[k]));
    _mm256_storeu_ps(a[k] + 8, floats_of<E>(a_bits[k] + 8));
    _mm256_storeu_ps(b[k], floats_of<E>(b_bits[k]));
  }
  for (int row = 0; row < 16; ++row) add_row_times(c[row], a[row], b);
  for (int lane = 0; lane < kWarp; ++lane)
    for (int i = 0; i < 4; ++i) lanes[lane].c[i] = element(lane, i);
}

template <class E>
void multiply_add(float (&c)[4], const std::uint32_t (&a)[4], std::uint32_t b0, std::uint32_t b1) {
  const ProductOfLane mine{{a[0], a[1], a[2], a[3]}, {b0, b1}, {c[0], c[1], c[2], c[3]}};
  constexpr auto carry_out = multiply_add_of_warp<E>;
  const ProductOfLane* const all =
      emulation::warp_exchange(mine, kFullMask, emulation::kCarriedOutOnce<ProductOfLane, carry_out>);
  std::memcpy(c, all[lane_index()].c, sizeof c);
}
}  // namespace detail

inline void multiply_add(float (&c)[4], const std::uint32_t (&a)[4], std::uint32_t b0, std::uint32_t b1) {
  detail::multiply_add<BF16>(c, a, b0, b1);
}
inline void multiply_add_f16(float (&c)[4], const std::uint32_t (&a)[4], std::uint32_t b0, std::uint32_t b1) {
  detail::multiply_add<F16>(c, a, b0, b1);
}

#endif

}  // namespace nystrom::cuda
