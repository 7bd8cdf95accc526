#pragma once
// Sequences on several ranks: what their ranks exchange, between the kernels of a call. Each rank has one
// piece of every sum, which goes to all ranks that have rows of the sequence; they add the pieces up in the
// order of ranks. All of it happens on the stream: the host waits for nothing (over NCCL).

#include "kernels/attention/split_sequences.h"
#include "kernels/cuda/attention/nystrom/chunk_sums.h"
#include "kernels/cuda/attention/problem.h"
#include "kernels/tensor/cuda/context.h"

namespace nystrom::cuda {

/// The split sequences of a call, as kernels see them.
void describe(const SplitSequences& splits, AttentionProblem& problem);

/// pieces [sequences, kMaxSequenceRanks, size]: this rank's of each sequence is there; afterwards those of
/// all ranks that have rows of it, in their order.
void exchange_pieces(const SplitSequences& splits, const AttentionProblem& problem, float* pieces,
                     std::int64_t size);

/// The same for sums [M, size] of the landmarks' segments, of which a rank sends those that it has rows of;
/// the others are zero.
void exchange_segments(CudaContext& context, const SplitSequences& splits, const AttentionProblem& problem,
                       float* pieces, std::int64_t size);

/// Of x [T, stride], C columns from `column` on: the K / 2 rows of other ranks on both sides of each
/// sequence's rows here. `edges`: [sequences, 4, K / 2, C] of T, which keeps them.
template <class T>
Halos<T> exchange_halos(CudaContext& context, const SplitSequences& splits, const AttentionProblem& problem,
                        const T* x, std::int64_t stride, std::int64_t column, float* edges);

/// q_landmarks, k_landmarks [B, H, M, D] of the split sequences from sums [sequences, kMaxSequenceRanks, M, 2
/// C].
void finish_landmarks(CudaContext& context, const AttentionProblem& problem, const float* sums,
                      float* q_landmarks, float* k_landmarks);

/// This rank's piece [H, M, D + 2] of each split sequence's third softmax, from its chunks.
void pack_softmaxes(CudaContext& context, const AttentionProblem& problem, const float* parts,
                    const float* part_stats, float* pieces);

/// This rank's piece [H, count, M, D] of each split sequence's sums, from the chunks of each.
void pack_sums(CudaContext& context, const AttentionProblem& problem, const ChunkedSums& sums, float* pieces);

}  // namespace nystrom::cuda
