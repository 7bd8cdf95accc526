#pragma once
// Sums over the chunks of a head, for what goes on with them head by head: a head's block adds them up
// itself, unless there are few heads and many chunks. Then several blocks a head do so before, and leave the
// sums in the first chunk's place. The order of additions is the same, and so are the bits.

#include "kernels/cuda/attention/problem.h"
#include "kernels/tensor/cuda/context.h"

namespace nystrom::cuda {

/// Whether it pays: one block a head would leave multiprocessors idle for longer than a launch takes.
bool chunks_are_shared(const CudaContext& context, const AttentionProblem& problem);

/// parts [B, H, chunks, M, D] and part_stats [B, H, chunks, M, 2] of the third softmax (pieces.h), of
/// sequences that are whole.
void merge_chunks(CudaContext& context, const AttentionProblem& problem, float* parts, float* part_stats);

/// Sums [B, H, chunks, M, D] of up to two kinds.
struct ChunkedSums {
  float* parts[2] = {};
  int count = 1;
};
/// Of sequences that are whole.
void add_chunks(CudaContext& context, const AttentionProblem& problem, const ChunkedSums& sums);

}  // namespace nystrom::cuda
