#pragma once
// What kernels for AVX512-BF16 and AMX share. Highway 1.0 has no dot products of bf16: intrinsics, for the
// functions alone that are marked.

// GCC 12 takes its own undefined vectors for a fault.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

#include <algorithm>

#include "kernels/cpu/products/slab.h"

#define NYSTROM_AVX512_BF16 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,avx2,fma")))

namespace nystrom {

inline constexpr std::int64_t kLanes = 16;  // of a vector of words

NYSTROM_AVX512_BF16 inline __mmask32 first_lanes(std::int64_t count) {
  return count >= 32 ? ~__mmask32{0} : (__mmask32{1} << std::max<std::int64_t>(count, 0)) - 1;
}

/// 16 results of a row, those of the mask: `sum`, and what a tile adds to it.
template <bool Rounded>
NYSTROM_AVX512_BF16 inline void finish(__m512 sum, const ProductTile& t, std::byte* c, const float* bias,
                                       __mmask16 mask) {
  if (t.add) {
    if constexpr (Rounded) {
      const __m512i wide = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, c));
      sum = _mm512_add_ps(_mm512_castsi512_ps(_mm512_slli_epi32(wide, 16)), sum);
    } else {
      sum = _mm512_add_ps(_mm512_maskz_loadu_ps(mask, c), sum);
    }
  } else if (bias != nullptr) {
    sum = _mm512_add_ps(_mm512_maskz_loadu_ps(mask, bias), sum);
  }
  if constexpr (Rounded)
    _mm256_mask_storeu_epi16(c, mask, reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(sum)));
  else
    _mm512_mask_storeu_ps(c, mask, sum);
}

/// ProductKernels::pack_b for bf16, without a multiple of words.
void pack_bf16(const Lanes& from, std::int64_t lanes, std::int64_t count, std::byte* to, std::int64_t pitch);

}  // namespace nystrom
