#pragma once
// Forward of attention on the GPU: its two passes over the sequence.

#include "kernels/cuda/attention/problem.h"
#include "kernels/tensor/cuda/context.h"

namespace nystrom::cuda {

/// parts, part_stats: softmax(q~ k^T / sqrt(D)) v of each chunk of keys, not yet divided by its sum.
template <class T>
struct AttendKeys {
  AttentionProblem problem;
  const T* qkv;              // [T, 3 C]
  const float* q_landmarks;  // [B, H, M, D]
  float* parts;              // [B, H, chunks, M, D]
  float* part_stats;         // [B, H, chunks, M, 2]
};
template <class T>
void attend_keys(CudaContext& context, const AttendKeys<T>& args);

/// out = softmax(q keys^T / sqrt(D)) values + conv(v), for the landmarks and W (sequences of more than M
/// rows, kind nystrom) or for the sequence's own k and v (`exact`).
template <class T>
struct AttendRows {
  AttentionProblem problem;
  const T* qkv;              // [T, 3 C]
  const float* filter;       // [H, K]
  const float* k_landmarks;  // [B, H, M, D]
  const float* w;            // [B, H, M, D]
  AttentionDropout dropout;  // of exact softmax
  float* row_stats;          // [H, T, 2] maximum, 1 / sum
  T* out;                    // [T, C]
  Halos<T> halos;            // of v
};
/// `longest`: rows of the longest sequence that it may be about.
template <class T>
void attend_rows(CudaContext& context, const AttendRows<T>& args, bool exact, std::int64_t longest);
/// For the landmarks by wgmma, where fits_group() (wgmma/rows.cu).
void attend_rows_by_group(CudaContext& context, const AttendRows<BF16>& args, std::int64_t longest);

/// Rows of a block for the landmarks: one that keeps them and W for several tiles reads less.
inline int rows_of_block(std::int64_t longest) {
  return longest <= kBlockRows ? kBlockRows : 4 * kBlockRows;
}

}  // namespace nystrom::cuda
