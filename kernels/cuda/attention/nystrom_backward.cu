// The M x M part of Nystrom attention's backward (docs/mathematics.md has the lines under the same names).
//
//   pinv       a block walks over heads: d_(k3 v) = Z^T d_W, its deltas, d_Z = d_W (k3 v)^T, then the steps
//              backwards, X, T2 and T3 from each iterate again. 68 products of M^3 multiply-adds to fp32
//              accuracy, each of three on tensor cores, bound it: 107 MFLOP of fp16 a head at M = 64. M <=
//              64: forward kept the iterates; six factors in shared memory, 98 KiB, two blocks a
//              multiprocessor; d_A in registers. M > 64: the iterates are made again, in the block's slot of
//              the workspace.
//              Then through the scale and A's softmax: d_k~, and this part of d_q~, with which the keys' pass
//              begins its first chunk.
//   landmarks  block (head): the latter where M > 64, or where one scale is all heads'.
//   queries    d_q~ from its chunks, where there are several, then added to d_q.
//
// Checked against the CPU through the emulation; not yet run on a GPU.

#include "kernels/cuda/attention/landmarks.h"
#include "kernels/cuda/attention/pseudo_inverse_gradient.h"
#include "kernels/tensor/cuda/launch.h"

namespace nystrom::cuda {
namespace {

__device__ inline std::int64_t landmark_rows(const AttentionProblem& problem, int index) {
  return static_cast<std::int64_t>(index) * problem.landmarks;
}

/// The first head that has the largest norm of the call; in every thread.
__device__ inline int largest_norm_item(const float* norms, int items, float* vectors) {
  OneNorm best{0, 0};
  for (int i = static_cast<int>(threadIdx.x); i < items; i += kSquareThreads)
    if (norms[2 * i] > best.value) best = {norms[2 * i], i};
  const float largest = block_max(best.value, vectors);
  auto* const found = reinterpret_cast<int*>(vectors);
  if (threadIdx.x == 0) {
    int i = 0;
    while (i + 1 < items && norms[2 * i] != largest) ++i;
    found[0] = i;
  }
  __syncthreads();
  const int item = found[0];
  __syncthreads();
  return item;
}

/// Sum over an item's chunks, in order: element `e` of [items, chunks, M, D]; of a split sequence over the
/// ranks, element `e` of sum `which` of `count`.
__device__ inline float sum_parts(const NystromMiddleGradient& args, const AttentionItem& item,
                                  const float* parts, int which, int count, int e) {
  const AttentionProblem& problem = args.problem;
  const std::int64_t size = static_cast<std::int64_t>(problem.landmarks) * problem.width;
  const bool split = item.split >= 0;
  const std::int64_t stride = split ? problem.heads * count * size : size;
  const float* const x = split
                             ? args.sums + item.split * kMaxSequenceRanks * stride +
                                   (static_cast<std::int64_t>(item.head) * count + which) * size + e
                             : parts + static_cast<std::int64_t>(item.index) * problem.max_chunks * size + e;
  const int pieces = split ? split_of(problem, item).pieces : attention_chunks(item.rows);
  float sum = x[0];
  for (int p = 1; p < pieces; ++p) sum += x[p * stride];
  return sum;
}

/// d_W from its parts into its first chunk's place, d_(k3 v) = Z^T d_W, and its deltas; returns d_W.
__device__ inline float* begin_head(const NystromMiddleGradient& args, const AttentionItem& item,
                                    const SplitStage& stage) {
  const AttentionProblem& problem = args.problem;
  const int m = problem.landmarks, width = problem.width;
  const std::int64_t rows = landmark_rows(problem, item.index);
  const float* const k3_v = args.k3_v + rows * width;
  float* const d_k3_v = args.d_k3_v + rows * width;
  float* const d_w = args.d_w_parts + static_cast<std::int64_t>(item.index) * problem.max_chunks * m * width;
  for (int e = static_cast<int>(threadIdx.x); e < m * width; e += kSquareThreads)
    d_w[e] = sum_parts(args, item, args.d_w_parts, 0, 2, e);
  for_product(transposed(args.pinv + rows * m, m, m), plain(d_w, m, width), stage,
              [&](float sum, int i, int j) { d_k3_v[i * width + j] = sum; });
  __syncthreads();
  for (int i = warp_index(); i < m; i += kSquareThreads / kWarp) {
    float sum = 0;
    for (int d = lane_index(); d < width; d += kWarp) sum += k3_v[i * width + d] * d_k3_v[i * width + d];
    sum = warp_sum(sum);
    if (lane_index() == 0) args.landmark_deltas[rows + i] = sum;
  }
  return d_w;
}

/// Of a head that attends exactly there is none.
__device__ inline void write_no_d_scale(const NystromMiddleGradient& args, int index) {
  if (threadIdx.x == 0) args.d_scales[index] = 0;
}

/// The scale's gradient, from the thread's part of <(d_Z_0)^T, A>.
__device__ inline float write_d_scale(const NystromMiddleGradient& args, int index, float dot, float scale,
                                      float* vectors) {
  const float d_scale = -block_sum(dot, vectors) / (scale * scale);
  if (threadIdx.x == 0) args.d_scales[index] = d_scale;
  return d_scale;
}

/// M <= 64: d_A becomes the gradient of the logits, from which d_q~ (this part of it) and d_k~ come.
__device__ inline void small_landmarks_gradient(const NystromMiddleGradient& args, const AttentionItem& item,
                                                const TileRows& a, TileRows& d_a, float d_norm,
                                                const SquareMemory<SmallPinvGradient::kTiles>& memory,
                                                int extent) {
  const AttentionProblem& problem = args.problem;
  const int m = problem.landmarks, width = problem.width;
  const auto norm_column = static_cast<int>(args.norms[2 * item.index + 1]);
  float deltas[2] = {0, 0};
  for_each(d_a, [&](float& x, int, int column) {
    if (column == norm_column) x += d_norm;
  });
#pragma unroll
  for (int j = 0; j < kSquareTile / 8; ++j)
#pragma unroll
    for (int i = 0; i < 4; ++i) deltas[i / 2] += a.x[j][i] * d_a.x[j][i];
  for (float& delta : deltas) delta = quad_sum(delta);
#pragma unroll
  for (int j = 0; j < kSquareTile / 8; ++j)
#pragma unroll
    for (int i = 0; i < 4; ++i) d_a.x[j][i] = a.x[j][i] * (d_a.x[j][i] - deltas[i / 2]) * problem.scale;
  const Published d_s = publish(d_a, memory.tile(0), memory.maxima, extent);
  const SplitRows d_s_transposed = rows_of_tile<Lies::kTransposed>(d_s.tile, extent);
  const std::int64_t at = landmark_rows(problem, item.index) * width;
  for (int e = static_cast<int>(threadIdx.x); e < m * width; e += kSquareThreads)
    args.d_k_landmarks[at + e] = sum_parts(args, item, args.d_k_parts, 1, 2, e);
  for (int column = 0; column < width; column += kSquareTile) {
    const Extent right{extent, width - column};
    const auto product = [&](const SplitRows& left, const float* from) {
      const TileRows factor = read_tile(plain(from + at, m, width), 0, column);
      return split_product(1, left, publish(factor, memory.tile(1), memory.maxima, right).tile,
                           {{extent, extent}, right.columns});
    };
    TileRows d_q = product(d_s.rows, args.k_landmarks);
    for_each_at(d_q, 0, column, [&](float x, int i, int j) {
      if (i < m && j < width) args.d_q_landmarks[at + i * width + j] = x;
    });
    TileRows d_k = product(d_s_transposed, args.q_landmarks);
    for_each_at(d_k, 0, column, [&](float x, int i, int j) {
      if (i < m && j < width) args.d_k_landmarks[at + i * width + j] += x;
    });
  }
}

/// M <= 64. d_Z = d_W (k3 v)^T, then the steps backwards.
template <bool kFull>
__global__ void __launch_bounds__(kSquareThreads, 2) small_pinv_gradient_kernel(NystromMiddleGradient args) {
  const AttentionProblem& problem = args.problem;
  const int items = problem.batch * problem.heads, m = problem.landmarks, width = problem.width;
  const SquareMemory<SmallPinvGradient::kTiles> memory;
  const float shared_scale =
      args.one_scale ? args.norms[2 * largest_norm_item(args.norms, items, memory.vectors)] : 0;
  for (int index = static_cast<int>(blockIdx.x); index < items; index += static_cast<int>(gridDim.x)) {
    const AttentionItem item = item_of(problem, index);
    if (item.exact) {
      write_no_d_scale(args, index);
      continue;
    }
    const std::int64_t rows = landmark_rows(problem, index);
    const float* const d_w = begin_head(args, item, memory.stage());
    const float scale = args.one_scale ? shared_scale : args.norms[2 * index];
    const float* const iterates = args.iterates + max(args.iterations - 1, 0) * rows * m;
    SmallPinvGradient pinv(memory, iterates, square_size<kFull>(m));
    pinv.begin(args.a + rows * m,
               staged_product(plain(d_w, m, width), transposed(args.k3_v + rows * width, m, width), 0, 0,
                              memory.stage()));
    for (int i = args.iterations - 1; i >= 0; --i) {
      pinv.take_iterate(i, scale);
      pinv.step_back();
    }
    const TileRows a = read_square(args.a + rows * m, m);
    const float d_scale = write_d_scale(args, index, pinv.finish(a, scale), scale, memory.vectors);
    if (args.one_scale)
      write_square(args.d_a + rows * m, pinv.d_a, m);  // the scale's gradient is in other heads, too
    else
      small_landmarks_gradient(args, item, a, pinv.d_a, d_scale, memory, pinv.extent);
  }
}

/// The same for any M, with (d_Z)^T = (k3 v) d_W^T.
__global__ void __launch_bounds__(kSquareThreads) large_pinv_gradient_kernel(NystromMiddleGradient args) {
  const AttentionProblem& problem = args.problem;
  const int items = problem.batch * problem.heads, m = problem.landmarks, width = problem.width;
  const SquareMemory<1> memory;
  float* const slot =
      args.squares + static_cast<std::int64_t>(blockIdx.x) * (args.kept + PinvGradient::kMatrices) * m * m;
  const PinvGradient pinv({m, memory.stage()}, slot, args.kept);
  const float shared_scale =
      args.one_scale ? args.norms[2 * largest_norm_item(args.norms, items, memory.vectors)] : 0;
  for (int index = static_cast<int>(blockIdx.x); index < items; index += static_cast<int>(gridDim.x)) {
    const AttentionItem item = item_of(problem, index);
    if (item.exact) {
      write_no_d_scale(args, index);
      continue;
    }
    const std::int64_t rows = landmark_rows(problem, index);
    const float* const d_w = begin_head(args, item, memory.stage());
    for_product(plain(args.k3_v + rows * width, m, width), transposed(d_w, m, width), memory.stage(),
                [&](float sum, int i, int j) { pinv.d_z[i * m + j] = sum; });
    const float scale = args.one_scale ? shared_scale : args.norms[2 * index];
    pinv.begin(args.a + rows * m, scale, args.iterations);
    for (int i = args.iterations - 1; i >= 0; --i) {
      if (i + 1 < args.iterations) pinv.load_iterate(i);
      pinv.step_back();
    }
    write_d_scale(args, index, pinv.finish(scale, args.d_a + rows * m), scale, memory.vectors);
  }
}

/// The gradient of |A|_1 of this head: its own scale's, or that of all heads if it is the one that gave it.
__device__ inline float norm_gradient(const NystromMiddleGradient& args, int index, float* vectors) {
  if (!args.one_scale) return args.d_scales[index];
  const int items = args.problem.batch * args.problem.heads;
  if (largest_norm_item(args.norms, items, vectors) != index) return 0;
  float sum = 0;
  for (int i = static_cast<int>(threadIdx.x); i < items; i += kSquareThreads) sum += args.d_scales[i];
  return block_sum(sum, vectors);
}

__global__ void __launch_bounds__(kSquareThreads) landmarks_gradient_kernel(NystromMiddleGradient args) {
  const AttentionProblem& problem = args.problem;
  const AttentionItem item = item_of(problem, static_cast<int>(blockIdx.x));
  if (item.exact) return;
  const int m = problem.landmarks, width = problem.width, lane = lane_index();
  const std::int64_t rows = landmark_rows(problem, item.index);
  const SquareMemory<1> memory;
  const float d_norm = norm_gradient(args, item.index, memory.vectors);
  const auto column = static_cast<int>(args.norms[2 * item.index + 1]);
  const float* const a = args.a + rows * m;
  float* const d_s = args.d_a + rows * m;
  for (int i = warp_index(); i < m; i += kSquareThreads / kWarp) {
    float delta = 0;
    for (int j = lane; j < m; j += kWarp) {
      if (j == column) d_s[i * m + j] += d_norm;
      delta += a[i * m + j] * d_s[i * m + j];
    }
    delta = warp_sum(delta);
    for (int j = lane; j < m; j += kWarp)
      d_s[i * m + j] = a[i * m + j] * (d_s[i * m + j] - delta) * problem.scale;
  }
  const std::int64_t at = rows * width;
  for (int e = static_cast<int>(threadIdx.x); e < m * width; e += kSquareThreads)
    args.d_k_landmarks[at + e] = sum_parts(args, item, args.d_k_parts, 1, 2, e);
  for_product(plain(d_s, m, m), plain(args.k_landmarks + at, m, width), memory.stage(),
              [&](float sum, int i, int j) { args.d_q_landmarks[at + i * width + j] = sum; });
  for_product(transposed(d_s, m, m), plain(args.q_landmarks + at, m, width), memory.stage(),
              [&](float sum, int i, int j) { args.d_k_landmarks[at + i * width + j] += sum; });
}

__global__ void __launch_bounds__(kSquareThreads) query_landmarks_kernel(NystromMiddleGradient args) {
  const AttentionProblem& problem = args.problem;
  const AttentionItem item = item_of(problem, static_cast<int>(blockIdx.x));
  if (item.exact) return;
  const int size = problem.landmarks * problem.width;
  float* const d_q = args.d_q_landmarks + static_cast<std::int64_t>(item.index) * size;
  for (int e = static_cast<int>(threadIdx.x); e < size; e += kSquareThreads)
    d_q[e] = sum_parts(args, item, args.d_q_parts, 0, 1, e);
}

constexpr int kRowsOfBlock = 16;

/// Block (16 rows, sequence): a warp takes rows, a lane eight columns of them at a time. Segments and their
/// factors are found once for each row.
template <class T>
__global__ void __launch_bounds__(kSquareThreads)
    add_to_queries_kernel(AttentionProblem problem, const float* d_q_landmarks, T* d_qkv) {
  const AttentionItem item = item_of(problem, static_cast<int>(blockIdx.y) * problem.heads);
  const int first = static_cast<int>(blockIdx.x) * kRowsOfBlock, rows = min(kRowsOfBlock, item.rows - first);
  if (item.exact || rows <= 0) return;
  const int m = problem.landmarks, width = problem.width, vectors = problem.heads * width / 8;
  int* const segments = shared_memory<int>();
  auto* const factors = reinterpret_cast<float*>(segments + kRowsOfBlock);
  if (static_cast<int>(threadIdx.x) < rows) {
    const std::int64_t n = item.length, row = item.first + first + static_cast<int>(threadIdx.x),
                       j = ((row + 1) * m - 1) / n;
    segments[threadIdx.x] = static_cast<int>(j);
    factors[threadIdx.x] = 1.0F / static_cast<float>((j + 1) * n / m - j * n / m);
  }
  __syncthreads();
  for (int v = lane_index(); v < vectors; v += kWarp) {
    const int column = 8 * v, head = column / width;
    const float* const of_head =
        d_q_landmarks + (item.index + head) * static_cast<std::int64_t>(m) * width + (column - head * width);
    T* const queries = d_qkv + (item.begin + first) * 3 * problem.heads * width + column;
    for (int row = warp_index(); row < rows; row += kSquareThreads / kWarp) {
      const float* const from = of_head + segments[row] * width;
      const float factor = factors[row];
      T* const to = queries + static_cast<std::int64_t>(row) * 3 * problem.heads * width;
      alignas(16) T x[8];
#pragma unroll
      for (int e = 0; e < 8; e += 16 / static_cast<int>(sizeof(T))) copy_16_bytes(x + e, to + e);
#pragma unroll
      for (int e = 0; e < 8; ++e) store(x + e, load(x + e) + factor * from[e]);
#pragma unroll
      for (int e = 0; e < 8; e += 16 / static_cast<int>(sizeof(T))) copy_16_bytes(to + e, x + e);
    }
  }
}

}  // namespace

void nystrom_middle_gradient(CudaContext& context, const NystromMiddleGradient& args, std::int64_t slots) {
  const auto items = static_cast<unsigned>(args.problem.batch * args.problem.heads);
  const std::int64_t m = args.problem.landmarks;
  const bool small = m <= kSmallLandmarks;
  launch(context.stream(), dim3(static_cast<unsigned>(slots)), dim3(kSquareThreads),
         small ? SquareMemory<SmallPinvGradient::kTiles>::bytes() : SquareMemory<1>::bytes(),
         "attention_pinv_backward",
         !small       ? large_pinv_gradient_kernel
         : is_full(m) ? small_pinv_gradient_kernel<true>
                      : small_pinv_gradient_kernel<false>,
         args);
  if (small && !args.one_scale) return;
  launch(context.stream(), dim3(items), dim3(kSquareThreads), SquareMemory<1>::bytes(),
         "attention_landmarks_backward", landmarks_gradient_kernel, args);
}

template <class T>
void add_query_landmark_gradients(CudaContext& context, const NystromMiddleGradient& args, T* d_qkv,
                                  std::int64_t longest) {
  const AttentionProblem& problem = args.problem;
  const bool one_part = problem.max_chunks == 1 && problem.splits[0].batch < 0 && problem.splits[1].batch < 0;
  const float* const d_q_landmarks = one_part ? args.d_q_parts : args.d_q_landmarks;
  if (!one_part)
    launch(context.stream(), dim3(static_cast<unsigned>(problem.batch * problem.heads)), dim3(kSquareThreads),
           0, "attention_query_landmarks_backward", query_landmarks_kernel, args);
  const dim3 grid(static_cast<unsigned>((longest + kRowsOfBlock - 1) / kRowsOfBlock),
                  static_cast<unsigned>(problem.batch));
  launch(context.stream(), grid, dim3(kSquareThreads), kRowsOfBlock * (sizeof(int) + sizeof(float)),
         "attention_queries_backward", add_to_queries_kernel<T>, problem, d_q_landmarks, d_qkv);
}

template void add_query_landmark_gradients<float>(CudaContext&, const NystromMiddleGradient&, float*,
                                                  std::int64_t);
template void add_query_landmark_gradients<BF16>(CudaContext&, const NystromMiddleGradient&, BF16*,
                                                 std::int64_t);

}  // namespace nystrom::cuda
