#pragma once
// Softmaxes of attention's backward, of the rows that a warp owns.

#include "kernels/cuda/attention/tiles.h"

namespace nystrom::cuda {

/// Of the thread's two rows, what SoftmaxExp::probability takes; a row beyond the end gets 1 / sum = 0, and
/// so P = 0.
template <class T>
struct RowStats {
  typename SoftmaxExp<T>::Normal rows[2];
};
template <class T>
__device__ inline RowStats<T> row_stats(const float* stats, int row, int end) {
  RowStats<T> mine;
  for (int i = 0; i < 2; ++i) {
    const bool inside = row + 8 * i < end;
    mine.rows[i] = SoftmaxExp<T>::normal(inside ? stats[(row + 8 * i) * 2LL] : 0.0F,
                                         inside ? stats[(row + 8 * i) * 2LL + 1] : 0.0F);
  }
  return mine;
}

/// deltas += the sums along rows of p d_p, in each of the four lanes of a row.
__device__ inline void add_deltas(float (&deltas)[2], const Sums<kBlockRows>& p,
                                  const Sums<kBlockRows>& d_p) {
  float mine[2] = {0, 0};
#pragma unroll
  for (int j = 0; j < kBlockRows / 8; ++j)
#pragma unroll
    for (int i = 0; i < 4; ++i) mine[i / 2] += p.x[j][i] * d_p.x[j][i];
  for (int row = 0; row < 2; ++row) deltas[row] += quad_sum(mine[row]);
}

/// d_p becomes dS = p (d_p - delta) scale.
__device__ inline void to_logit_gradients(Sums<kBlockRows>& d_p, const Sums<kBlockRows>& p,
                                          const float (&deltas)[2], float scale) {
#pragma unroll
  for (int j = 0; j < kBlockRows / 8; ++j)
#pragma unroll
    for (int i = 0; i < 4; ++i) d_p.x[j][i] = p.x[j][i] * (d_p.x[j][i] - deltas[i / 2]) * scale;
}

}  // namespace nystrom::cuda
