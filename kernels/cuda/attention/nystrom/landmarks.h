#pragma once
// Landmarks, and everything that is M x M: what lies between the passes over the sequence in Nystrom
// attention.

#include "kernels/cuda/attention/problem.h"
#include "kernels/tensor/cuda/context.h"

namespace nystrom::cuda {

/// q_landmarks, k_landmarks of the sequences of more than M rows.
template <class T>
struct Landmarks {
  AttentionProblem problem;
  const T* qkv;                      // [T, 3 C]
  float *q_landmarks, *k_landmarks;  // [B, H, M, D]
  float* segment_sums;  // [splits, kMaxSequenceRanks, M, 2 C]: of split sequences this rank's sums instead
};
/// `longest`: rows of the longest sequence, wherever they are.
template <class T>
void make_landmarks(CudaContext& context, const Landmarks<T>& args, std::int64_t longest);

struct NystromMiddle {
  AttentionProblem problem;
  int iterations;
  bool one_scale;                          // pinv_init: batch_max
  const float *q_landmarks, *k_landmarks;  // [B, H, M, D]
  const float *parts, *part_stats;         // of attend_keys
  const float* softmaxes;                  // [splits, kMaxSequenceRanks, H, M (D + 2)] of split sequences
  bool merged;                             // the first chunks' parts are those of all (chunk_sums.h)
  float* k3_v;                             // [B, H, M, D]
  float* k3_stats;                         // [B, H, M, 2]
  float *pinv, *a;                         // [B, H, M, M]
  float* iterates;                         // [B, H, iterations - 1, M, M] where M <= 64: Z_1 and further
  float* residuals;                        // [B, H] or null
  float* norms;                            // [B, H, 2] |A|_1 and the first column that has it
  float* w;                                // [B, H, M, D]
  float* squares;                          // [slots, 5, M, M] where M > 64
};
/// k3 v from its parts, A with its norm, Z with its iterates, the residual, and W.
void nystrom_middle(CudaContext& context, const NystromMiddle& args, std::int64_t slots);
/// The same for 48 < M <= 64 by wgmma, after the norms (wgmma/middle.cu).
void small_middle_by_group(CudaContext& context, const NystromMiddle& args);

struct NystromMiddleGradient {
  AttentionProblem problem;
  int iterations, kept;  // kept: iterates that a slot has room for
  bool one_scale;
  bool added;  // the first chunks' parts of d_W and d_k~ are the sums of all (chunk_sums.h)
  const float *q_landmarks, *k_landmarks, *pinv, *k3_v, *a, *norms, *iterates;  // as NystromMiddle left them
  float* d_scales;                                                              // see CudaNystromWorkspace
  float* d_w_parts;  // the first chunk's place becomes scratch
  const float *d_k_parts, *d_q_parts;
  float *d_k3_v, *landmark_deltas, *d_k_landmarks, *d_q_landmarks, *d_a;
  float* squares;     // [slots, kept + 11, M, M] where M > 64
  const float* sums;  // of split sequences: [splits, kMaxSequenceRanks, H, 2, M, D] of d_W and d_k~, later
                      // [splits, kMaxSequenceRanks, H, M, D] of d_q~
};
/// From d_W: d_(k3 v) with its deltas, and through pseudo-inverse and A d_k~ and this part of d_q~.
void nystrom_middle_gradient(CudaContext& context, const NystromMiddleGradient& args, std::int64_t slots);
/// Its first kernel for 48 < M <= 64 by wgmma (wgmma/pinv_gradient.cu).
void small_pinv_gradient_by_group(CudaContext& context, const NystromMiddleGradient& args,
                                  std::int64_t slots);

/// d_q += d_q~_j / l_j, j the segment of the row; d_q~ is summed from its parts first.
template <class T>
void add_query_landmark_gradients(CudaContext& context, const NystromMiddleGradient& args, T* d_qkv,
                                  std::int64_t longest);

}  // namespace nystrom::cuda
