// Second stage of column sums. A block adds 32 neighbouring columns; its 16 warps take the partials in turn
// and are added up in order. Bytes: 4 (parts + 2) a column; parts stay in the L2 cache, so that the launch
// (about 3 us) bounds it. Checked against the CPU through the emulation; not yet run on a GPU.

#include "kernels/cuda/column_sums.h"

namespace nystrom::cuda {
namespace {

constexpr int kWarps = 16;

struct AddPartials {
  const float* partials;  // [parts, columns of all sums]
  std::int64_t parts, columns;
  float* sums[3];
  int count;
};

__global__ void add_partials_kernel(AddPartials p) {
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  const std::int64_t width = p.columns * p.count, column = std::int64_t{blockIdx.x} * 32 + lane;
  float sum = 0;
  if (column < width) {
#pragma unroll 4
    for (std::int64_t part = warp; part < p.parts; part += kWarps) sum += p.partials[part * width + column];
  }
  float* shared = shared_memory<float>();  // [kWarps, 32]
  shared[warp * 32 + lane] = sum;
  __syncthreads();
  if (warp != 0 || column >= width) return;
  float total = 0;
  for (int w = 0; w < kWarps; ++w) total += shared[w * 32 + lane];
  // Chosen, not indexed: an array of parameters that is indexed at run time goes to local memory.
  const std::int64_t which = column / p.columns;
  float* const to = which == 0 ? p.sums[0] : which == 1 ? p.sums[1] : p.sums[2];
  if (to != nullptr) to[column % p.columns] += total;
}

}  // namespace

void add_column_partials(CudaContext& context, const float* partials, std::int64_t parts,
                         std::int64_t columns, const std::array<float*, 3>& sums, int count) {
  const AddPartials p{partials, parts, columns, {sums[0], sums[1], sums[2]}, count};
  const auto blocks = static_cast<unsigned>((columns * count + 31) / 32);
  launch(context.stream(), dim3(blocks), dim3(32 * kWarps), sizeof(float) * 32 * kWarps,
         "add_column_partials", add_partials_kernel, p);
}

}  // namespace nystrom::cuda
