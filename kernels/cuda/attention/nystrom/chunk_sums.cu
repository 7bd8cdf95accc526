// Sums over chunks by several blocks a head. Block (head, 8 rows of M), or (head, 512 elements, kind of sum).
// Bytes: 4 M D a chunk and kind read, which is what bounds them at many chunks (1 MB a head at 64 chunks and
// M = D = 64, from the cache where it holds what the pass before wrote). Checked against the CPU through the
// emulation; not yet run on a GPU.

#include "kernels/cuda/attention/nystrom/chunk_sums.h"

#include "kernels/cuda/attention/nystrom/pieces_by_rows.h"
#include "kernels/tensor/cuda/launch.h"

namespace nystrom::cuda {
namespace {

/// Up to so many chunks a head's block takes no longer than another launch would: some 0.3 µs a chunk, by
/// benchmarks/gpu/cost_model.py.
constexpr int kChunksOfOneBlock = 8;

__global__ void __launch_bounds__(kPieceThreads, kPieceBlocks)
    merge_chunks_kernel(AttentionProblem problem, float* parts, float* part_stats) {
  const AttentionItem item = item_of(problem, static_cast<int>(blockIdx.x));
  if (item.exact || item.split >= 0) return;
  const std::int64_t first = static_cast<std::int64_t>(item.index) * problem.max_chunks * problem.landmarks;
  merge_piece_rows(problem, chunks_of(problem, item, parts, part_stats),
                   static_cast<int>(blockIdx.y) * kPieceRows, part_stats + 2 * first,
                   parts + first * problem.width);
}

__global__ void __launch_bounds__(kPieceThreads, kPieceBlocks)
    add_chunks_kernel(AttentionProblem problem, ChunkedSums sums) {
  const AttentionItem item = item_of(problem, static_cast<int>(blockIdx.x));
  if (item.exact || item.split >= 0) return;
  float* const parts = blockIdx.z == 0 ? sums.parts[0] : sums.parts[1];
  const std::int64_t size = static_cast<std::int64_t>(problem.landmarks) * problem.width;
  add_piece_elements(chunks_of(problem, item, parts), static_cast<int>(blockIdx.y), static_cast<int>(size),
                     parts + static_cast<std::int64_t>(item.index) * problem.max_chunks * size);
}

unsigned heads_of(const AttentionProblem& problem) {
  return static_cast<unsigned>(problem.batch * problem.heads);
}

}  // namespace

bool chunks_are_shared(const CudaContext& context, const AttentionProblem& problem) {
  const int whole = problem.batch - (problem.splits[0].batch >= 0) - (problem.splits[1].batch >= 0);
  return whole > 0 && problem.max_chunks > kChunksOfOneBlock &&
         problem.batch * problem.heads < context.multiprocessors();
}

void merge_chunks(CudaContext& context, const AttentionProblem& problem, float* parts, float* part_stats) {
  launch(context.stream(), dim3(heads_of(problem), blocks_of(problem.landmarks, kPieceRows)),
         dim3(kPieceThreads), merge_piece_bytes(problem.max_chunks), "attention_merge_chunks",
         merge_chunks_kernel, problem, parts, part_stats);
}

void add_chunks(CudaContext& context, const AttentionProblem& problem, const ChunkedSums& sums) {
  const dim3 blocks(heads_of(problem),
                    blocks_of(std::int64_t{problem.landmarks} * problem.width, kPieceElements),
                    static_cast<unsigned>(sums.count));
  launch(context.stream(), blocks, dim3(kPieceThreads), 0, "attention_add_chunks", add_chunks_kernel, problem,
         sums);
}

}  // namespace nystrom::cuda
