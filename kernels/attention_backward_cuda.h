#pragma once
// The two passes of attention's backward over the sequence. Both recompute the softmaxes from their saved
// statistics. Internal to the CUDA files of attention.

#include "kernels/attention_problem_cuda.h"
#include "kernels/core/cuda/context.h"

namespace nystrom::cuda {

/// Through context = softmax(q keys^T / sqrt(D)) values, on the side of the queries. Nystrom: d_q but for the
/// part through the landmarks, and each chunk's parts of d_W and d_k~. Exact: d_q, and deltas for the other
/// pass.
template <class T>
struct RowsGradient {
  AttentionProblem problem;
  const T* qkv;              // [T, 3 C]
  const T* out;              // [T, C] (exact)
  const T* d_out;            // [T, C]
  const float* filter;       // [H, K] (exact)
  const float* k_landmarks;  // [B, H, M, D]
  const float* w;            // [B, H, M, D]
  float* row_stats;          // [H, T, 2]
  AttentionDropout dropout;  // (exact)
  T* d_qkv;                  // [T, 3 C]: q's part is written
  float* d_w_parts;          // [B, H, chunks, M, D]
  float* d_k_parts;          // [B, H, chunks, M, D]
  float* deltas;             // [B, H, deltas_stride] (exact)
  int deltas_stride;
};
template <class T>
void rows_gradient(CudaContext& context, const RowsGradient<T>& args, bool exact, std::int64_t longest);

/// The side of the keys: d_k and d_v of every row, the convolution's part and (nystrom) that through the
/// keys' landmarks included. Nystrom: the queries are the landmarks, and each chunk's part of d_q~ is made
/// too.
template <class T>
struct KeysGradient {
  AttentionProblem problem;
  const T* qkv;                  // [T, 3 C]
  const T* d_out;                // [T, C]
  const float* filter;           // [H, K]
  const float* q_landmarks;      // [B, H, M, D]
  const float* d_k3_v;           // [B, H, M, D]
  const float* k3_stats;         // [B, H, M, 2]
  const float* landmark_deltas;  // [B, H, M]
  const float* d_k_landmarks;    // [B, H, M, D]
  float* row_stats;              // [H, T, 2] (exact)
  const float* deltas;           // [B, H, deltas_stride] (exact)
  int deltas_stride;
  AttentionDropout dropout;  // (exact)
  T* d_qkv;                  // [T, 3 C]: k's and v's parts are written
  float* d_q_parts;          // [B, H, chunks, M, D]
};
template <class T>
void keys_gradient(CudaContext& context, const KeysGradient<T>& args, bool exact, std::int64_t longest);

}  // namespace nystrom::cuda
