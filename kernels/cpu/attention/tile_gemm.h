#pragma once
// Small matrix products, which fit in a core's cache: attention's tiles, the pseudo-inverse, the convolution.
// One thread, no packing, no allocation; register blocks of 6 rows by 4 (AVX-512) or 2 (AVX2) vectors.

#include <cstdint>

namespace nystrom {

/// Columns of tiles are padded to a multiple of this many elements, so that kernels have no column tails.
inline constexpr std::int64_t kTilePad = 16;
constexpr std::int64_t padded(std::int64_t columns) {
  return (columns + kTilePad - 1) / kTilePad * kTilePad;
}

/// Rows of C that are computed at once.
inline constexpr std::int64_t kGemmRows = 6;

/// c [m, n] = (accumulate ? c : 0) + alpha * a [m, k] b [k, n]. a(i, p) is at a[i * a_row + p * a_column]:
/// so a may be transposed, or a Toeplitz matrix in a vector. Rows of b and c are contiguous, and padded(n)
/// elements of each are read or written; what is in b's padding shows in c's padding alone. c overlaps
/// neither a nor b. C is float or double.
template <class C>
struct SmallGemm {
  std::int64_t m = 0, n = 0, k = 0;
  const C* a = nullptr;
  std::int64_t a_row = 0, a_column = 1;
  const C* b = nullptr;
  std::int64_t b_row = 0;
  C* c = nullptr;
  std::int64_t c_row = 0;
  C alpha = C(1);
  bool accumulate = false;
};
void small_gemm(const SmallGemm<float>& gemm);
void small_gemm(const SmallGemm<double>& gemm);

}  // namespace nystrom
