// Buckets of reformer attention on the GPU, and the tokens in their order. Plain kernels (plain.h).
//
//   hash     block (item, 32 rows, round): a warp takes a row, its lanes the rotations. Each product is
//            summed channel by channel with fused multiply-adds, as on the CPU: the buckets are the same.
//   sort     block (item, round): a stable counting sort, 128 tokens at a time.
//
// Counts are integers, products are summed in a fixed order: the same bits each time. Checked against the CPU
// through the emulation; neither run on a GPU nor tuned.

#include "kernels/cuda/attention/kinds/reformer_hash.h"

#include "kernels/cuda/attention/kinds/plain_launch.h"
#include "kernels/cuda/attention/kinds/workspace.h"
#include "kernels/cuda/ops.h"
#include "kernels/tensor/cuda/dispatch.h"

namespace nystrom::cuda {
namespace {

template <class T>
struct HashPass {
  AttentionProblem problem;
  const T* qkv;            // [T, 2 C]
  const float* rotations;  // [r, H, most, D]
  int most, chunk;
  std::int32_t* buckets;  // [r, H, T]
};

/// reformer_buckets (kernels/attention/reformer.h).
__device__ inline int buckets_of(int rows, int chunk) {
  const int most = 2 * (rows / chunk);
  int count = 2;
  while (2 * count <= most) count *= 2;
  return count;
}

struct Best {
  float value = -INFINITY;
  int index = 0;

  /// The larger, the first of equals.
  __device__ void consider(float other, int at) {
    if (other > value || (other == value && at < index)) {
      value = other;
      index = at;
    }
  }
};

template <class T>
__global__ void __launch_bounds__(kPlainThreads) reformer_hash_kernel(HashPass<T> pass) {
  const AttentionProblem& problem = pass.problem;
  const AttentionItem item = item_of(problem, static_cast<int>(blockIdx.x));
  const int first = static_cast<int>(blockIdx.y) * kPlainRows, end = min(first + kPlainRows, item.rows);
  const int half = buckets_of(item.rows, pass.chunk) / 2, width = problem.width;
  const std::int64_t table = static_cast<std::int64_t>(blockIdx.z) * problem.heads + item.head;
  const float* const rotations = pass.rotations + table * pass.most * width;
  const T* const q = rows_of(pass.qkv, problem, item, problem.projections, 0);
  for (int row = first + warp_index(); row < end; row += kPlainThreads / kWarp) {
    Best best;
    best.index = 2 * half;
    for (int r = lane_index(); r < half; r += kWarp) {
      float x = 0;
      for (int d = 0; d < width; ++d)
        x = fmaf(load(q + row * value_stride(problem) + d), rotations[r * width + d], x);
      best.consider(x, r);
      best.consider(-x, half + r);
    }
    for (int lanes = kWarp / 2; lanes > 0; lanes /= 2) {
      const float value = __shfl_xor_sync(kFullMask, best.value, lanes);
      const int index = __shfl_xor_sync(kFullMask, best.index, lanes);
      best.consider(value, index);
    }
    if (lane_index() == 0) pass.buckets[table * problem.tokens + item.begin + row] = best.index;
  }
}

__global__ void __launch_bounds__(kPlainThreads) reformer_sort_kernel(ReformerSort pass) {
  const AttentionProblem& problem = pass.problem;
  const AttentionItem item = item_of(problem, static_cast<int>(blockIdx.x));
  const int round = static_cast<int>(blockIdx.y), me = static_cast<int>(threadIdx.x), rows = item.rows;
  if (rows == 0) return;
  const std::int64_t table = static_cast<std::int64_t>(round) * problem.heads + item.head;
  const std::int32_t* const buckets = pass.buckets + table * problem.tokens + item.begin;
  std::int32_t* const order = pass.order + table * problem.tokens + item.begin;
  std::int32_t* const counts =
      pass.counts + table * (2 * problem.tokens + 3 * problem.batch) + 2 * item.begin + 3 * item.batch;
  const int size = static_cast<int>(reformer_counts(rows)), each = (size + kPlainThreads - 1) / kPlainThreads;
  std::int32_t* const shared = shared_memory<std::int32_t>();  // [threads]

  for (int i = me; i < size; i += kPlainThreads) counts[i] = 0;
  __syncthreads();
  for (int i = me; i < rows; i += kPlainThreads) atomicAdd(&counts[buckets[i]], 1);
  __syncthreads();
  // Counts to the places where the buckets begin: a segment a thread.
  std::int32_t sum = 0;
  for (int i = me * each; i < min((me + 1) * each, size); ++i) sum += counts[i];
  shared[me] = sum;
  __syncthreads();
  std::int32_t before = 0;
  for (int other = 0; other < me; ++other) before += shared[other];
  for (int i = me * each; i < min((me + 1) * each, size); ++i) {
    const std::int32_t count = counts[i];
    counts[i] = before;
    before += count;
  }
  __syncthreads();
  for (int first = 0; first < rows; first += kPlainThreads) {
    const bool inside = first + me < rows;
    const std::int32_t bucket = inside ? buckets[first + me] : -1;
    shared[me] = bucket;
    __syncthreads();
    int earlier = 0;
    bool last = true;
    for (int other = 0; other < kPlainThreads; ++other) {
      if (shared[other] != bucket || other == me) continue;
      earlier += other < me ? 1 : 0;
      last = last && other < me;
    }
    if (inside) order[counts[bucket] + earlier] = first + me;
    __syncthreads();
    if (inside && last) counts[bucket] += earlier + 1;
    __syncthreads();
  }
}

}  // namespace

void reformer_hash(CudaContext& context, const ReformerHash& args) {
  if (args.sequences.count == 0 || args.sequences.longest == 0) return;
  dispatch_device(args.qkv.dtype, [&]<class T>(T) {
    HashPass<T> pass{};
    pass.problem.offsets = args.sequences.offsets.data<std::int32_t>();
    pass.problem.lengths = args.sequences.lengths.data<std::int32_t>();
    pass.problem.tokens = args.sequences.tokens;
    pass.problem.batch = static_cast<int>(args.sequences.count);
    pass.problem.heads = static_cast<int>(args.heads);
    pass.problem.width = static_cast<int>(args.rotations.dim(3));
    pass.problem.projections = 2;
    pass.qkv = args.qkv.data<T>();
    pass.rotations = args.rotations.data<float>();
    pass.most = static_cast<int>(args.rotations.dim(2));
    pass.chunk = static_cast<int>(args.chunk);
    pass.buckets = args.buckets.data<std::int32_t>();
    const dim3 grid(static_cast<unsigned>(args.sequences.count * args.heads),
                    static_cast<unsigned>((args.sequences.longest + kPlainRows - 1) / kPlainRows),
                    static_cast<unsigned>(args.buckets.dim(0)));
    launch_plain(context, grid, 0, "reformer_hash", reformer_hash_kernel<T>, pass);
  });
}

void reformer_sort(CudaContext& context, const ReformerSort& sort) {
  const dim3 grid(static_cast<unsigned>(sort.problem.batch * sort.problem.heads),
                  static_cast<unsigned>(sort.hashes));
  launch_plain(context, grid, kPlainThreads, "reformer_sort", reformer_sort_kernel, sort);
}

}  // namespace nystrom::cuda
