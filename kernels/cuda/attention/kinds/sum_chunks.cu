// Sums of what the chunks of each head have gathered, an element a thread, in the order of chunks: the same
// bits each time. Checked against the CPU through the emulation; not yet run on a GPU.

#include "kernels/cuda/attention/kinds/plain_launch.h"

namespace nystrom::cuda {
namespace {

struct ChunkSums {
  AttentionProblem problem;
  ChunkParts from;
  float* totals;
  std::int64_t stride;
};

__global__ void sum_chunks_kernel(ChunkSums sums) {
  const AttentionItem item = item_of(sums.problem, static_cast<int>(blockIdx.x));
  const int chunks = attention_chunks(item.rows);
  const std::int64_t first = static_cast<std::int64_t>(item.index) * sums.problem.max_chunks;
  for (std::int64_t e = threadIdx.x; e < sums.from.size; e += blockDim.x) {
    float sum = 0;
    for (int c = 0; c < chunks; ++c) sum += sums.from.parts[(first + c) * sums.from.part_stride + e];
    sums.totals[item.index * sums.stride + e] = sum;
  }
}

}  // namespace

void sum_chunks(CudaContext& context, const AttentionProblem& problem, const ChunkParts& parts, float* totals,
                std::int64_t stride) {
  launch(context.stream(), dim3(static_cast<unsigned>(problem.batch * problem.heads)), dim3(256), 0,
         "attention_chunk_sums", sum_chunks_kernel, ChunkSums{problem, parts, totals, stride});
}

}  // namespace nystrom::cuda
