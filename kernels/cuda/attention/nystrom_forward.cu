// Landmarks, and the M x M part of Nystrom attention's forward: A, the pseudo-inverse, k3 v from its chunks,
// and W.
//
//   landmarks  block (segment, sequence; 32 x 8 columns): 8 rows at once, summed by a fixed tree.
//              Bytes: 2 n C elements read, 8 M C written.
//   middle     M <= 64: block (head), A, Z and one more factor in shared memory, 50 KiB, two blocks a
//              multiprocessor. 27 products of M^3 multiply-adds to fp32 accuracy, each of three on tensor
//              cores, bound it: 42 MFLOP of fp16 a head at M = 64. M > 64: a block walks over heads.
//
// Checked against the CPU through the emulation; not yet run on a GPU.

#include "kernels/cuda/attention/landmark_matrices.h"
#include "kernels/cuda/attention/landmarks.h"
#include "kernels/cuda/attention/softmax_pieces.h"
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
  const auto begin = static_cast<int>(static_cast<std::int64_t>(segment) * item.length / m);
  const auto end = static_cast<int>(static_cast<std::int64_t>(segment + 1) * item.length / m);
  const int first = max(begin - item.first, 0), last = min(end - item.first, item.rows);  // those here
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
  if (item.split >= 0) {
    const std::int64_t piece = item.split * kMaxSequenceRanks + split_of(problem, item).mine;
    args.segment_sums[(piece * m + segment) * 2 * channels + column + slice] = sum;
    return;
  }
  const int at = column % channels + slice, head = at / problem.width;
  float* const to = column < channels ? args.q_landmarks : args.k_landmarks;
  to[((static_cast<std::int64_t>(batch) * problem.heads + head) * m + segment) * problem.width +
     at % problem.width] = sum / static_cast<float>(last - first);
}

/// k3_v and k3_stats from the chunks' parts, or the ranks', in order.
__device__ inline void merge_parts(const NystromMiddle& args, const AttentionItem& item) {
  const AttentionProblem& problem = args.problem;
  const std::int64_t m = problem.landmarks;
  const SoftmaxPieces pieces = item.split < 0 ? chunks_of(problem, item, args.parts, args.part_stats)
                                              : ranks_of(problem, item, args.softmaxes);
  merge_softmax(problem, pieces, true, args.k3_stats + item.index * m * 2,
                args.k3_v + item.index * m * problem.width);
}

/// The largest norm of the call.
__device__ inline float largest_norm(const float* norms, int items, float* shared) {
  float largest = 0;
  for (int i = static_cast<int>(threadIdx.x); i < items; i += kSquareThreads)
    largest = fmaxf(largest, norms[i]);
  return block_max(largest, shared);
}

/// Norms of all heads, before any is inverted (pinv_init: batch_max).
template <bool kSmall>
__global__ void __launch_bounds__(kSquareThreads) norms_kernel(NystromMiddle args) {
  const AttentionProblem& problem = args.problem;
  const int items = problem.batch * problem.heads, m = problem.landmarks;
  const SquareMemory<1> memory;
  float* const in_memory = args.squares + static_cast<std::int64_t>(blockIdx.x) * kForwardSquares * m * m;
  for (int index = static_cast<int>(blockIdx.x); index < items; index += static_cast<int>(gridDim.x)) {
    const AttentionItem item = item_of(problem, index);
    OneNorm norm{0, 0};
    if (!item.exact && kSmall) {
      norm = one_norm(make_small_a(problem, item, args.q_landmarks, args.k_landmarks, memory.stage()),
                      memory.vectors, m);
    } else if (!item.exact) {
      make_a(problem, item, args.q_landmarks, args.k_landmarks, memory.stage(), in_memory);
      norm = one_norm(in_memory, memory.vectors, m);
    }
    if (threadIdx.x == 0) args.norms[index] = norm.value;
    __syncthreads();
  }
}

/// From the thread's part of |A Z - I|^2. One rank reports that of a sequence on several.
__device__ inline void write_residual(const NystromMiddle& args, const AttentionItem& item, float squared,
                                      float* vectors) {
  squared = block_sum(squared, vectors);
  if (threadIdx.x == 0)
    args.residuals[item.index] =
        item.first == 0 ? sqrtf(squared / static_cast<float>(args.problem.landmarks)) : 0.0F;
}

/// W = Z (k3 v), M <= 64, of the warp's rows of Z.
__device__ inline void small_w(const NystromMiddle& args, int index, const SplitRows& z,
                               const SplitStage& stage, int extent) {
  const int m = args.problem.landmarks, width = args.problem.width;
  const std::int64_t at = static_cast<std::int64_t>(index) * m * width;
  for (int column = 0; column < width; column += kSquareTile) {
    const TileRows k3_v = read_tile(plain(args.k3_v + at, m, width), 0, column);
    const Extent right{extent, width - column};
    TileRows w = split_product(1, z, publish(k3_v, stage.tile, stage.maxima, right).tile,
                               {{extent, extent}, right.columns});
    for_each_at(w, 0, column, [&](float x, int i, int j) {
      if (i < m && j < width) args.w[at + i * width + j] = x;
    });
  }
}

/// M <= 64: one head.
constexpr int kForwardTiles = 3;
template <bool kFull>
__global__ void __launch_bounds__(kSquareThreads, 2) small_middle_kernel(NystromMiddle args) {
  const AttentionProblem& problem = args.problem;
  const int index = static_cast<int>(blockIdx.x), m = problem.landmarks;
  const AttentionItem item = item_of(problem, index);
  if (item.exact) {
    if (threadIdx.x == 0 && args.residuals != nullptr) args.residuals[index] = 0;
    return;
  }
  const SquareSize size = square_size<kFull>(m);
  const int extent = size.extent;
  const SquareMemory<kForwardTiles> memory;
  const TileRows a_rows = make_small_a(problem, item, args.q_landmarks, args.k_landmarks, memory.stage());
  const float scale = args.one_scale ? largest_norm(args.norms, problem.batch * problem.heads, memory.vectors)
                                     : one_norm(a_rows, memory.vectors, m).value;
  const SplitTile a = publish(a_rows, memory.tile(0), memory.maxima, extent).tile;
  SplitTile z = first_iterate(a, scale, memory.tile(1), extent);
  TileRows pinv = joined(rows_of_tile<Lies::kPlain>(z, extent));
  for (int i = 0; i < args.iterations; ++i) {
    pinv = next_iterate(a, z, memory.tile(2), memory.maxima, size);
    z = publish(pinv, memory.tile(1), memory.maxima, extent).tile;
  }
  write_square(args.pinv + static_cast<std::int64_t>(index) * m * m, pinv, m);
  if (args.residuals != nullptr) {
    TileRows error = split_product(1, rows_of_tile<Lies::kPlain>(a, extent), z, extent);
    add_to_diagonal(error, -1, m);
    float sum = 0;
    for_each(error, [&](float x, int, int) { sum += x * x; });
    write_residual(args, item, sum, memory.vectors);
  }
  merge_parts(args, item_of(problem, index));  // anew, rather than in registers all the while
  small_w(args, index, rows_of_tile<Lies::kPlain>(z, extent), memory.stage(), extent);
}

/// Any M: a block walks over heads.
__global__ void __launch_bounds__(kSquareThreads) large_middle_kernel(NystromMiddle args) {
  const AttentionProblem& problem = args.problem;
  const int items = problem.batch * problem.heads, m = problem.landmarks;
  const SquareMemory<1> memory;
  const Squares squares{m, memory.stage()};
  float* const slot = args.squares + static_cast<std::int64_t>(blockIdx.x) * kForwardSquares * m * m;
  const auto square = [&](int i) { return slot + static_cast<std::int64_t>(i) * m * m; };
  const float shared_scale = args.one_scale ? largest_norm(args.norms, items, memory.vectors) : 0;
  for (int index = static_cast<int>(blockIdx.x); index < items; index += static_cast<int>(gridDim.x)) {
    const AttentionItem item = item_of(problem, index);
    if (threadIdx.x == 0 && args.residuals != nullptr && item.exact) args.residuals[index] = 0;
    if (item.exact) continue;
    float *const a = square(0), *const x = square(2), *const t2 = square(3), *const t3 = square(4);
    float *z = square(1), *next = square(5);
    make_a(problem, item, args.q_landmarks, args.k_landmarks, memory.stage(), a);
    const float scale = args.one_scale ? shared_scale : one_norm(a, memory.vectors, m).value;
    squares.first_iterate(a, scale, z);
    for (int i = 0; i < args.iterations; ++i) {
      squares.step(a, z, x, t2, t3);
      squares.product(next, {.a = z, .b = t3, .alpha = 0.25F});
      float* const before = z;
      z = next;
      next = before;
    }
    __syncthreads();
    float* const pinv = args.pinv + static_cast<std::int64_t>(index) * m * m;
    squares.for_each([&](int i, int j) { pinv[i * m + j] = z[i * m + j]; });
    if (args.residuals != nullptr) {
      squares.product(x, {.a = a, .b = z, .diagonal = -1});
      float sum = 0;
      squares.for_each([&](int i, int j) { sum += x[i * m + j] * x[i * m + j]; });
      write_residual(args, item, sum, memory.vectors);
    }
    merge_parts(args, item);
    const int width = problem.width;
    const std::int64_t at = static_cast<std::int64_t>(index) * m * width;
    for_product(plain(pinv, m, m), plain(args.k3_v + at, m, width), memory.stage(),
                [&](float sum, int i, int j) { args.w[at + i * width + j] = sum; });
    __syncthreads();
  }
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
  const std::int64_t m = args.problem.landmarks;
  const bool small = m <= kSmallLandmarks;
  const dim3 blocks(static_cast<unsigned>(small ? args.problem.batch * args.problem.heads : slots));
  if (args.one_scale)
    launch(context.stream(), blocks, dim3(kSquareThreads), SquareMemory<1>::bytes(), "attention_norms",
           small ? norms_kernel<true> : norms_kernel<false>, args);
  launch(context.stream(), blocks, dim3(kSquareThreads),
         small ? SquareMemory<kForwardTiles>::bytes() : SquareMemory<1>::bytes(), "attention_middle_forward",
         !small       ? large_middle_kernel
         : is_full(m) ? small_middle_kernel<true>
                      : small_middle_kernel<false>,
         args);
}

template void make_landmarks<float>(CudaContext&, const Landmarks<float>&);
template void make_landmarks<BF16>(CudaContext&, const Landmarks<BF16>&);

}  // namespace nystrom::cuda
