// Landmarks, and the M x M part of Nystrom attention's forward: A, the pseudo-inverse, k3 v from its chunks,
// and W.
//
//   landmarks  block (segment, sequence; 32 x 8 columns): 8 rows at once, summed by a fixed tree.
//              Bytes: 2 n C elements read, 8 M C written.
//   middle     a block walks over heads: A, Z, X, T in shared memory (M <= 64: 64 KiB, three blocks a
//              multiprocessor). 24 products of M^3 multiply-adds in fp32 bound it: 12.6 MFLOP a head at
//              M = 64, 0.19 us of the whole of an H100 at 67 TFLOP/s.
//
// Checked against the CPU through the emulation; not yet run on a GPU.

#include "kernels/cuda/attention/landmark_matrices.h"
#include "kernels/cuda/attention/landmarks.h"
#include "kernels/tensor/cuda/launch.h"

namespace nystrom::cuda {
namespace {

constexpr int kLandmarkRows = 8;

template <class T>
__global__ void __launch_bounds__(kWarp* kLandmarkRows) landmarks_kernel(Landmarks<T> args) {
  const AttentionProblem& problem = args.problem;
  const int m = problem.landmarks, segment = static_cast<int>(blockIdx.x),
            batch = static_cast<int>(blockIdx.y);
  const AttentionItem item = item_of(problem, batch * problem.heads);
  if (item.exact) return;
  const int channels = problem.heads * problem.width, lane = lane_index(), slice = warp_index();
  const int column = (static_cast<int>(blockIdx.z) * kWarp + lane) * 8;  // of q and k
  const auto first = static_cast<int>(static_cast<std::int64_t>(segment) * item.rows / m);
  const auto last = static_cast<int>(static_cast<std::int64_t>(segment + 1) * item.rows / m);
  float sums[8] = {};
  if (column < 2 * channels)
    for (int row = first + slice; row < last; row += kLandmarkRows) {
      alignas(16) T x[8];
#pragma unroll
      for (int e = 0; e < 8; e += 16 / static_cast<int>(sizeof(T)))
        copy_16_bytes(x + e, args.qkv + (item.begin + row) * 3 * channels + column + e);
#pragma unroll
      for (int e = 0; e < 8; ++e) sums[e] += load(x + e);
    }
  float* const shared = shared_memory<float>();  // [8 slices, 8 elements, 32 lanes]
#pragma unroll
  for (int e = 0; e < 8; ++e) shared[(slice * 8 + e) * kWarp + lane] = sums[e];
  __syncthreads();
  // Each warp adds up one of the eight elements of all columns.
  float sum = 0;
  for (int s = 0; s < kLandmarkRows; ++s) sum += shared[(s * 8 + slice) * kWarp + lane];
  if (column >= 2 * channels) return;
  const int at = column % channels + slice, head = at / problem.width;
  float* const to = column < channels ? args.q_landmarks : args.k_landmarks;
  to[((static_cast<std::int64_t>(batch) * problem.heads + head) * m + segment) * problem.width +
     at % problem.width] = sum / static_cast<float>(last - first);
}

/// k3_v and k3_stats from the chunks' parts, in order.
__device__ inline void merge_parts(const NystromMiddle& args, const AttentionItem& item) {
  const AttentionProblem& problem = args.problem;
  const int m = problem.landmarks, width = problem.width, chunks = attention_chunks(item.rows);
  const std::int64_t part = static_cast<std::int64_t>(item.index) * problem.max_chunks;
  const auto stats = [&](int chunk, int j) { return args.part_stats + ((part + chunk) * m + j) * 2; };
  float* const merged = args.k3_stats + static_cast<std::int64_t>(item.index) * m * 2;
  for (int j = static_cast<int>(threadIdx.x); j < m; j += kSquareThreads) {
    float largest = -INFINITY, sum = 0;
    for (int c = 0; c < chunks; ++c) largest = fmaxf(largest, stats(c, j)[0]);
    for (int c = 0; c < chunks; ++c) sum += expf(stats(c, j)[0] - largest) * stats(c, j)[1];
    merged[2 * j] = largest;
    merged[2 * j + 1] = 1.0F / sum;
  }
  __syncthreads();
  for (int e = static_cast<int>(threadIdx.x); e < m * width; e += kSquareThreads) {
    const int j = e / width;
    float sum = 0;
    for (int c = 0; c < chunks; ++c) {
      const float weight = expf(stats(c, j)[0] - merged[2 * j]);
      sum += weight * args.parts[(part + c) * m * width + e];
    }
    args.k3_v[static_cast<std::int64_t>(item.index) * m * width + e] = sum * merged[2 * j + 1];
  }
  __syncthreads();
}

/// The largest norm of the call.
__device__ inline float largest_norm(const float* norms, int items, float* shared) {
  float largest = 0;
  for (int i = static_cast<int>(threadIdx.x); i < items; i += kSquareThreads)
    largest = fmaxf(largest, norms[i]);
  return block_max(largest, shared);
}

template <bool kSmall>
__global__ void __launch_bounds__(kSquareThreads) norms_kernel(NystromMiddle args) {
  const AttentionProblem& problem = args.problem;
  const int items = problem.batch * problem.heads, m = problem.landmarks;
  SquareMemory<kSmall, 1> memory(m, args.squares, 6);
  for (int index = static_cast<int>(blockIdx.x); index < items; index += static_cast<int>(gridDim.x)) {
    const AttentionItem item = item_of(problem, index);
    if (!item.exact)
      make_a(memory.squares, problem, item, args.q_landmarks, args.k_landmarks, memory.square(0));
    const OneNorm norm =
        !item.exact ? one_norm(memory.squares, memory.square(0), memory.vectors) : OneNorm{0, 0};
    if (threadIdx.x == 0) args.norms[index] = norm.value;
    __syncthreads();
  }
}

template <bool kSmall>
__global__ void __launch_bounds__(kSquareThreads) middle_kernel(NystromMiddle args) {
  const AttentionProblem& problem = args.problem;
  const int items = problem.batch * problem.heads, m = problem.landmarks;
  SquareMemory<kSmall, 4> memory(m, args.squares, 6);
  const Squares<kSmall>& squares = memory.squares;
  const float shared_scale = args.one_scale ? largest_norm(args.norms, items, memory.vectors) : 0;
  for (int index = static_cast<int>(blockIdx.x); index < items; index += static_cast<int>(gridDim.x)) {
    const AttentionItem item = item_of(problem, index);
    if (threadIdx.x == 0 && args.residuals != nullptr && item.exact) args.residuals[index] = 0;
    if (item.exact) continue;
    float* const a = memory.square(0);
    float* z = memory.square(1);
    float* const x = memory.square(2);
    float* const t2 = memory.square(3);
    float* const t3 = kSmall ? t2 : memory.square(4);
    float* next = kSmall ? z : memory.square(5);
    make_a(squares, problem, item, args.q_landmarks, args.k_landmarks, a);
    const float scale = args.one_scale ? shared_scale : one_norm(squares, a, memory.vectors).value;
    first_iterate(squares, a, scale, z);
    if (kSmall) {  // garbage of the stages must not reach the zeros beyond m
      squares.zero(x);
      squares.zero(t2);
    }
    __syncthreads();
    for (int i = 0; i < args.iterations; ++i) {
      squares.step(a, z, x, t2, t3);
      squares.product(next, {.a = z, .b = t3, .alpha = 0.25F});
      float* const before = z;
      z = next;
      next = before;
    }
    const std::int64_t at = static_cast<std::int64_t>(index) * m;
    float* const pinv = args.pinv + at * m;
    for (int e = static_cast<int>(threadIdx.x); e < m * m; e += kSquareThreads)
      pinv[e] = z[squares.at(e / m, e % m)];
    if (args.residuals != nullptr) {
      squares.product(x, {.a = a, .b = z, .diagonal = -1});
      float sum = 0;
      for (int e = static_cast<int>(threadIdx.x); e < m * m; e += kSquareThreads) {
        const float error = x[squares.at(e / m, e % m)];
        sum += error * error;
      }
      sum = block_sum(sum, memory.vectors);
      if (threadIdx.x == 0) args.residuals[index] = sqrtf(sum / static_cast<float>(m));
    }
    merge_parts(args, item);
    const int width = problem.width;
    float* const w = args.w + at * width;
    for_product(plain(pinv, m, m), plain(args.k3_v + at * width, m, width), squares.stages,
                [&](int i, int j, float sum) { w[i * width + j] = sum; });
    __syncthreads();
  }
}

template <bool kSmall>
void run_middle(CudaContext& context, const NystromMiddle& args, unsigned blocks) {
  if (args.one_scale)
    launch(context.stream(), dim3(blocks), dim3(kSquareThreads), SquareMemory<kSmall, 1>::bytes(),
           "attention_norms", norms_kernel<kSmall>, args);
  launch(context.stream(), dim3(blocks), dim3(kSquareThreads), SquareMemory<kSmall, 4>::bytes(),
         "attention_middle_forward", middle_kernel<kSmall>, args);
}

}  // namespace

template <class T>
void make_landmarks(CudaContext& context, const Landmarks<T>& args) {
  const AttentionProblem& problem = args.problem;
  const int vectors = 2 * problem.heads * problem.width / 8;
  const dim3 grid(static_cast<unsigned>(problem.landmarks), static_cast<unsigned>(problem.batch),
                  static_cast<unsigned>((vectors + kWarp - 1) / kWarp));
  launch(context.stream(), grid, dim3(kWarp * kLandmarkRows), kLandmarkRows * 8 * kWarp * sizeof(float),
         "attention_landmarks", landmarks_kernel<T>, args);
}

void nystrom_middle(CudaContext& context, const NystromMiddle& args, std::int64_t slots) {
  const bool small = args.problem.landmarks <= kSmallLandmarks;
  const auto items = static_cast<unsigned>(args.problem.batch * args.problem.heads);
  small ? run_middle<true>(context, args, items)
        : run_middle<false>(context, args, static_cast<unsigned>(slots));
}

template void make_landmarks<float>(CudaContext&, const Landmarks<float>&);
template void make_landmarks<BF16>(CudaContext&, const Landmarks<BF16>&);

}  // namespace nystrom::cuda
