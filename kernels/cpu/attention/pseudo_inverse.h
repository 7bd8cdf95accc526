#pragma once
// Pseudo-inverse of Nystrom attention, one matrix at a time in a core's cache:
//   Z_0 = A^T / scale;  X = A Z;  Z <- Z/4 (13 I - X (15 I - X (7 I - X)))
// (Razavi, Kerayechian, Gachpazan, Shateyi 2014; Xiong et al. 2021, equation 11), and its gradient, with that
// through Z_0 and the scale. docs/mathematics.md derives it. C is float or double and all arithmetic is in C.
// A, Z and gradients are [M, M] tiles with zero padding. One thread, no allocation.

#include <cstdint>

#include "kernels/cpu/attention/tile_ops.h"

namespace nystrom {

/// The largest column sum of a matrix without negative elements, and the first column that has it.
template <class C>
struct OneNorm {
  C value = 0;
  std::int64_t column = 0;
};
template <class C>
OneNorm<C> one_norm(const Tile<C>& a, std::int64_t m);

/// Elements of scratch that the functions below need.
std::int64_t pseudo_inverse_scratch(std::int64_t m);
std::int64_t pseudo_inverse_backward_scratch(std::int64_t m, int iterations);

/// z = the last iterate; overwritten, padding zero.
template <class C>
void pseudo_inverse(const Tile<C>& a, std::int64_t m, C scale, int iterations, C* scratch, const Tile<C>& z);

/// |A Z - I|_F / sqrt(M)
template <class C>
C pseudo_inverse_residual(const Tile<C>& a, const Tile<C>& z, std::int64_t m, C* scratch);

/// From the gradient of Z, transposed (its contents are destroyed): d_a = the gradient of A except for the
/// part through the scale, overwritten. Returns the gradient of the scale.
template <class C>
C pseudo_inverse_backward(const Tile<C>& a, std::int64_t m, C scale, int iterations,
                          const Tile<C>& d_z_transposed, C* scratch, const Tile<C>& d_a);

}  // namespace nystrom
