#pragma once
// The softmax of attention's forward, tile by tile.

#include "kernels/cuda/attention/tiles.h"

namespace nystrom::cuda {

/// The state of one online softmax, of rows g and g + 8 of a warp.
struct OnlineSoftmax {
  float maxima[2] = {-INFINITY, -INFINITY};  ///< of the logits before scaling
  float sums[2] = {0, 0};                    ///< of this lane's columns alone, until `finish`
};

/// s (logits before scaling, -inf where a key takes no part) becomes e^(scale (s - maximum)). `keep`: by what
/// that which was summed before is to be multiplied, for the new maximum.
template <class T, int kKeys>
__device__ inline void step(OnlineSoftmax& softmax, float scale, Sums<kKeys>& s, float (&keep)[2]) {
  const SoftmaxExp<T> exp(scale);
  float largest[2] = {softmax.maxima[0], softmax.maxima[1]}, shift[2];
  for_each(s, [&](float x, int row, int) { largest[row] = fmaxf(largest[row], x); });
#pragma unroll
  for (int row = 0; row < 2; ++row) {
    largest[row] = quad_max(largest[row]);
    // Before the first key that takes part nothing is summed; it must not become NaN.
    shift[row] = largest[row] == -INFINITY ? 0.0F : exp.shift(largest[row] * scale);
    keep[row] = exp(softmax.maxima[row], shift[row]);
    softmax.maxima[row] = largest[row];
    softmax.sums[row] *= keep[row];
  }
  for_each(s, [&](float& x, int row, int) {
    x = exp(x, shift[row]);
    softmax.sums[row] += x;
  });
}
/// The same, with what was summed before.
template <class T, int kKeys, int kWidth>
__device__ inline void step(OnlineSoftmax& softmax, float scale, Sums<kKeys>& s, Sums<kWidth>& context) {
  float keep[2];
  step<T>(softmax, scale, s, keep);
  for_each(context, [&](float& x, int row, int) { x *= keep[row]; });
}

}  // namespace nystrom::cuda
