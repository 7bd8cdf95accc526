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
//   queries    d_q~ from its chunks, where there are several, by block (head, 512 elements); then added to
//   d_q.
//
// Checked against the CPU through the emulation; not yet run on a GPU.

#include "kernels/cuda/attention/nystrom/pieces_by_rows.h"
#include "kernels/cuda/attention/nystrom/small_pinv_gradient.h"
#include "kernels/tensor/cuda/launch.h"

namespace nystrom::cuda {
namespace {

/// d_W from its parts into its first chunk's place, d_(k3 v) = Z^T d_W, and its deltas; returns d_W.
__device__ inline float* begin_head(const NystromMiddleGradient& args, const AttentionItem& item,
                                    const SplitStage& stage) {
  const AttentionProblem& problem = args.problem;
  const int m = problem.landmarks, width = problem.width;
  const std::int64_t rows = landmark_rows(problem, item.index);
  const float* const k3_v = args.k3_v + rows * width;
  float* const d_k3_v = args.d_k3_v + rows * width;
  float* const d_w = args.d_w_parts + static_cast<std::int64_t>(item.index) * problem.max_chunks * m * width;
  const SumPieces pieces = pieces_of(args, item, args.d_w_parts, 0, 2);
  for (int e = static_cast<int>(threadIdx.x); e < m * width; e += kSquareThreads) d_w[e] = sum_at(pieces, e);
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

/// The steps backwards for any M, with (d_Z)^T = (k3 v) d_W^T.
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
  const SumPieces of_d_k = pieces_of(args, item, args.d_k_parts, 1, 2);
  for (int e = static_cast<int>(threadIdx.x); e < m * width; e += kSquareThreads)
    args.d_k_landmarks[at + e] = sum_at(of_d_k, e);
  for_product(plain(d_s, m, m), plain(args.k_landmarks + at, m, width), memory.stage(),
              [&](float sum, int i, int j) { args.d_q_landmarks[at + i * width + j] = sum; });
  for_product(transposed(d_s, m, m), plain(args.q_landmarks + at, m, width), memory.stage(),
              [&](float sum, int i, int j) { args.d_k_landmarks[at + i * width + j] += sum; });
}

__global__ void __launch_bounds__(kPieceThreads, kPieceBlocks)
    query_landmarks_kernel(NystromMiddleGradient args) {
  const AttentionProblem& problem = args.problem;
  const AttentionItem item = item_of(problem, static_cast<int>(blockIdx.x));
  if (item.exact) return;
  const int size = problem.landmarks * problem.width;
  const SumPieces pieces =
      item.split < 0 ? chunks_of(problem, item, args.d_q_parts) : ranks_of(problem, item, args.sums, 0, 1);
  add_piece_elements(pieces, static_cast<int>(blockIdx.y), size,
                     args.d_q_landmarks + static_cast<std::int64_t>(item.index) * size);
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
  if (small && is_full(m) && context.has_wgmma())
    small_pinv_gradient_by_group(context, args, slots);
  else
    launch(context.stream(), dim3(static_cast<unsigned>(slots)), dim3(kSquareThreads),
           small ? SquareMemory<kSmallPinvTiles>::bytes() : SquareMemory<1>::bytes(),
           "attention_pinv_backward",
           !small       ? large_pinv_gradient_kernel
           : is_full(m) ? small_pinv_gradient_kernel<true, ByWarp>
                        : small_pinv_gradient_kernel<false, ByWarp>,
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
    launch(context.stream(),
           dim3(static_cast<unsigned>(problem.batch * problem.heads),
                blocks_of(std::int64_t{problem.landmarks} * problem.width, kPieceElements)),
           dim3(kPieceThreads), 0, "attention_query_landmarks_backward", query_landmarks_kernel, args);
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
