// Landmarks, and the M x M part of Nystrom attention's forward: A, the pseudo-inverse, k3 v from its chunks,
// and W.
//
//   landmarks  block (8 segments or one, sequence, 32 x 8 columns): a warp sums a short segment alone; of a
//              longer one 8 warps take every eighth row, summed by a fixed tree. Bytes: 2 n C elements read,
//              8 M C written.
//   middle     M <= 64: block (head), A, Z and one more factor in shared memory, 50 KiB, two blocks a
//              multiprocessor. 27 products of M^3 multiply-adds to fp32 accuracy, each of three on tensor
//              cores, bound it: 42 MFLOP of fp16 a head at M = 64. For M > 48 there is one by wgmma
//              (wgmma/middle.cu). M > 64: a block walks over heads.
//
// Checked against the CPU through the emulation; not yet run on a GPU.

#include "kernels/cuda/attention/nystrom/small_middle.h"
#include "kernels/tensor/cuda/launch.h"

namespace nystrom::cuda {
namespace {

constexpr int kLandmarkWarps = 8;
/// Up to so many rows a segment on average, a warp takes a segment alone; beyond, all warps of a block share
/// one.
constexpr int kShortSegment = 16;

constexpr bool has_short_segments(std::int64_t length, std::int64_t landmarks) {
  return length <= kShortSegment * landmarks;
}

/// The rows of a segment that are here, of its item's.
struct SegmentRows {
  int first, last;
};
/// No product of a short sequence leaves 32 bits, and division by 64 costs a hundred instructions.
template <class Index>
__device__ inline SegmentRows rows_of_segment(const AttentionItem& item, int segment, int landmarks) {
  const Index length = item.length, m = landmarks, begin = static_cast<Index>(segment) * length / m,
              end = (static_cast<Index>(segment) + 1) * length / m;
  return {max(static_cast<int>(begin) - item.first, 0), min(static_cast<int>(end) - item.first, item.rows)};
}

/// sums += every `step`-th row from `first` on, of eight columns.
template <class T>
__device__ inline void add_rows(float (&sums)[8], const T* rows, std::int64_t stride, int first, int last,
                                int step) {
  rows += first * stride;
#pragma unroll 8
  for (int row = first; row < last; row += step, rows += step * stride) {
    alignas(16) T x[8];
#pragma unroll
    for (int e = 0; e < 8; e += 16 / static_cast<int>(sizeof(T))) copy_16_bytes(x + e, rows + e);
#pragma unroll
    for (int e = 0; e < 8; ++e) sums[e] += load(x + e);
  }
}

/// Where the landmark of this segment goes from `column` on (of q, k), or of a split sequence its sum.
template <class T>
__device__ inline float* landmark_at(const Landmarks<T>& args, const AttentionItem& item, int segment,
                                     int column) {
  const AttentionProblem& problem = args.problem;
  const int m = problem.landmarks, width = problem.width, channels = problem.heads * width;
  if (item.split >= 0) {
    const std::int64_t piece = item.split * kMaxSequenceRanks + split_of(problem, item).mine;
    return args.segment_sums + (piece * m + segment) * 2 * channels + column;
  }
  float* const to = column < channels ? args.q_landmarks : args.k_landmarks;
  const int at = column < channels ? column : column - channels, head = at / width;
  return to + (static_cast<std::int64_t>(item.index + head) * m + segment) * width + (at - head * width);
}

/// Block (8 short segments or a longer one, sequence, 32 x 8 columns).
template <class T>
__global__ void __launch_bounds__(kWarp* kLandmarkWarps) landmarks_kernel(Landmarks<T> args) {
  const AttentionProblem& problem = args.problem;
  const AttentionItem item = item_of(problem, static_cast<int>(blockIdx.y) * problem.heads);
  if (item.exact) return;
  const int m = problem.landmarks, channels = problem.heads * problem.width, lane = lane_index(),
            warp = warp_index();
  const int column = (static_cast<int>(blockIdx.z) * kWarp + lane) * 8;  // of q and k
  const bool inside = column < 2 * channels, alone = has_short_segments(item.length, m);
  const int segment = static_cast<int>(blockIdx.x) * (alone ? kLandmarkWarps : 1) + (alone ? warp : 0);
  const T* const rows = args.qkv + item.begin * 3 * channels + column;
  float sums[8] = {};
  if (alone) {
    if (!inside || segment >= m) return;
    const SegmentRows here = rows_of_segment<unsigned>(item, segment, m);
    add_rows(sums, rows, 3 * channels, here.first, here.last, 1);
    float* const to = landmark_at(args, item, segment, column);
    const float count = item.split >= 0 ? 1.0F : static_cast<float>(here.last - here.first);
#pragma unroll
    for (int e = 0; e < 8; e += 4)
      *reinterpret_cast<float4*>(to + e) =
          make_float4(sums[e] / count, sums[e + 1] / count, sums[e + 2] / count, sums[e + 3] / count);
    return;
  }
  const SegmentRows here = rows_of_segment<std::int64_t>(item, segment, m);
  if (inside) add_rows(sums, rows, 3 * channels, here.first + warp, here.last, kLandmarkWarps);
  float* const shared = shared_memory<float>();  // [8 warps, 8 elements, 32 lanes]
#pragma unroll
  for (int e = 0; e < 8; ++e) shared[(warp * 8 + e) * kWarp + lane] = sums[e];
  __syncthreads();
  // Each warp adds up one of the eight elements of all columns.
  float sum = 0;
  for (int w = 0; w < kLandmarkWarps; ++w) sum += shared[(w * 8 + warp) * kWarp + lane];
  if (!inside) return;
  landmark_at(args, item, segment, column)[warp] =
      item.split >= 0 ? sum : sum / static_cast<float>(here.last - here.first);
}

/// Norms of all heads, before any is inverted (pinv_init: batch_max).
template <bool kSmall>
__global__ void __launch_bounds__(kSquareThreads) norms_kernel(NystromMiddle args) {
  const AttentionProblem& problem = args.problem;
  const int items = problem.batch * problem.heads, m = problem.landmarks;
  const SquareMemory<1> memory;
  for (int index = static_cast<int>(blockIdx.x); index < items; index += static_cast<int>(gridDim.x)) {
    const AttentionItem item = item_of(problem, index);
    OneNorm norm{0, 0};
    if (!item.exact && kSmall) {
      norm = one_norm(make_small_a(problem, item, args.q_landmarks, args.k_landmarks, memory.stage()),
                      memory.vectors, m);
    } else if (!item.exact) {
      float* const a = args.a + static_cast<std::int64_t>(index) * m * m;
      make_a(problem, item, args.q_landmarks, args.k_landmarks, memory.stage(), a);
      norm = one_norm(a, memory.vectors, m);
    }
    write_norm(args, index, norm);
    __syncthreads();
  }
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
    if (item.exact) {
      write_exact(args, index);
      continue;
    }
    float *const x = square(0), *const t2 = square(1), *const t3 = square(2);
    float *z = square(3), *next = square(4);
    float* const a = args.a + static_cast<std::int64_t>(index) * m * m;
    make_a(problem, item, args.q_landmarks, args.k_landmarks, memory.stage(), a);
    const OneNorm norm = one_norm(a, memory.vectors, m);
    if (!args.one_scale) write_norm(args, index, norm);
    const float scale = args.one_scale ? shared_scale : norm.value;
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
    const int width = problem.width;
    const std::int64_t row = static_cast<std::int64_t>(index) * m, at = row * width;
    merge_softmax(problem, pieces_of(args, item), args.k3_stats + 2 * row, args.k3_v + at);
    for_product(plain(pinv, m, m), plain(args.k3_v + at, m, width), memory.stage(),
                [&](float sum, int i, int j) { args.w[at + i * width + j] = sum; });
    __syncthreads();
  }
}

}  // namespace

template <class T>
void make_landmarks(CudaContext& context, const Landmarks<T>& args, std::int64_t longest) {
  const AttentionProblem& problem = args.problem;
  const int vectors = 2 * problem.heads * problem.width / 8, m = problem.landmarks;
  const int blocks = has_short_segments(longest, m) ? (m + kLandmarkWarps - 1) / kLandmarkWarps : m;
  const dim3 grid(static_cast<unsigned>(blocks), static_cast<unsigned>(problem.batch),
                  static_cast<unsigned>((vectors + kWarp - 1) / kWarp));
  launch(context.stream(), grid, dim3(kWarp * kLandmarkWarps), kLandmarkWarps * 8 * kWarp * sizeof(float),
         "attention_landmarks", landmarks_kernel<T>, args);
}

void nystrom_middle(CudaContext& context, const NystromMiddle& args, std::int64_t slots) {
  const std::int64_t m = args.problem.landmarks;
  const bool small = m <= kSmallLandmarks;
  const dim3 blocks(static_cast<unsigned>(small ? args.problem.batch * args.problem.heads : slots));
  if (args.one_scale)
    launch(context.stream(), blocks, dim3(kSquareThreads), SquareMemory<1>::bytes(), "attention_norms",
           small ? norms_kernel<true> : norms_kernel<false>, args);
  if (small && is_full(m) && context.has_wgmma()) return small_middle_by_group(context, args);
  launch(context.stream(), blocks, dim3(kSquareThreads),
         small ? SquareMemory<kForwardTiles>::bytes() : SquareMemory<1>::bytes(), "attention_middle_forward",
         !small       ? large_middle_kernel
         : is_full(m) ? small_middle_kernel<true, ByWarp>
                      : small_middle_kernel<false, ByWarp>,
         args);
}

template void make_landmarks<float>(CudaContext&, const Landmarks<float>&, std::int64_t);
template void make_landmarks<BF16>(CudaContext&, const Landmarks<BF16>&, std::int64_t);

}  // namespace nystrom::cuda
