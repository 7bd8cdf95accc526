// The M x M part of Nystrom attention's backward (docs/mathematics.md has the lines under the same names).
//
//   begin      block (head): W = Z (k3 v).
//   matrices   block (head): A again, its norm and the norm's column.
//   pinv       a block walks over heads: d_(k3 v) = Z^T d_W, its deltas, d_Z = d_W (k3 v)^T, then the steps
//              backwards. The iterates Z_i are made again and kept in the block's slot of the workspace (for
//              the L2 cache: at most 264 slots of 96 KiB at M = 64), X, T2 and T3 from each of them. 86
//              products of M^3 multiply-adds in fp32 bound it: 45 MFLOP a head at M = 64, 0.67 us of the
//              whole of an H100 at 67 TFLOP/s. M <= 64: six tiles in shared memory, 96 KiB, two blocks a
//              multiprocessor; d_A in registers.
//   landmarks  block (head): through the scale and A's softmax, d_q~ and d_k~.
//   queries    d_q~ from its chunks, then added to d_q.
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

__global__ void __launch_bounds__(kSquareThreads) begin_kernel(NystromMiddleGradient args) {
  const AttentionProblem& problem = args.problem;
  const AttentionItem item = item_of(problem, static_cast<int>(blockIdx.x));
  if (item.exact) {
    if (threadIdx.x == 0) args.norms[item.index] = args.d_scales[item.index] = 0;
    return;
  }
  const int m = problem.landmarks, width = problem.width;
  const std::int64_t rows = landmark_rows(problem, item.index);
  SquareMemory<false, 1> memory(m, nullptr, 0);  // only its stages
  float* const w = args.w + rows * width;
  for_product(plain(args.pinv + rows * m, m, m), plain(args.k3_v + rows * width, m, width),
              memory.squares.stages, [&](int i, int j, float sum) { w[i * width + j] = sum; });
}

/// A of each head into args.a, its norm and the norm's column.
template <bool kSmall>
__global__ void __launch_bounds__(kSquareThreads) matrices_kernel(NystromMiddleGradient args) {
  const AttentionProblem& problem = args.problem;
  const AttentionItem item = item_of(problem, static_cast<int>(blockIdx.x));
  if (item.exact) return;
  const int m = problem.landmarks;
  SquareMemory<kSmall, 1> memory(m, nullptr, 0);
  float* const a = args.a + landmark_rows(problem, item.index) * m;
  float* const mine = kSmall ? memory.square(0) : a;
  make_a(memory.squares, problem, item, args.q_landmarks, args.k_landmarks, mine);
  const OneNorm norm = one_norm(memory.squares, mine, memory.vectors);
  if (kSmall)
    for (int e = static_cast<int>(threadIdx.x); e < m * m; e += kSquareThreads)
      a[e] = mine[memory.squares.at(e / m, e % m)];
  if (threadIdx.x != 0) return;
  args.norms[item.index] = norm.value;
  args.norm_columns[item.index] = static_cast<float>(norm.column);
}

/// The first head that has the largest norm of the call; in every thread.
__device__ inline int largest_norm_item(const float* norms, int items, float* vectors) {
  OneNorm best{0, 0};
  for (int i = static_cast<int>(threadIdx.x); i < items; i += kSquareThreads)
    if (norms[i] > best.value) best = {norms[i], i};
  const float largest = block_max(best.value, vectors);
  auto* const found = reinterpret_cast<int*>(vectors);
  if (threadIdx.x == 0) {
    int i = 0;
    while (i + 1 < items && norms[i] != largest) ++i;
    found[0] = i;
  }
  __syncthreads();
  const int item = found[0];
  __syncthreads();
  return item;
}

/// Sum over an item's chunks, in order: element `e` of [items, chunks, M, D].
__device__ inline float sum_parts(const AttentionProblem& problem, const AttentionItem& item,
                                  const float* parts, int e) {
  const int size = problem.landmarks * problem.width, chunks = attention_chunks(item.rows);
  const float* const x = parts + static_cast<std::int64_t>(item.index) * problem.max_chunks * size + e;
  float sum = x[0];
  for (int c = 1; c < chunks; ++c) sum += x[static_cast<std::int64_t>(c) * size];
  return sum;
}

/// d_(k3 v) = Z^T d_W, its deltas, and d_z = (d_Z)^T = (k3 v) d_W^T. `d_w` [M, D] is scratch in memory.
template <bool kSmall>
__device__ inline void begin_squares(const NystromMiddleGradient& args, const AttentionItem& item,
                                     const Squares<kSmall>& squares, float* d_w, float* d_z) {
  const AttentionProblem& problem = args.problem;
  const int m = problem.landmarks, width = problem.width;
  const std::int64_t rows = landmark_rows(problem, item.index);
  const float* const k3_v = args.k3_v + rows * width;
  float* const d_k3_v = args.d_k3_v + rows * width;
  for (int e = static_cast<int>(threadIdx.x); e < m * width; e += kSquareThreads)
    d_w[e] = sum_parts(problem, item, args.d_w_parts, e);
  __syncthreads();
  for_product(transposed(args.pinv + rows * m, m, m), plain(d_w, m, width), squares.stages,
              [&](int i, int j, float sum) { d_k3_v[i * width + j] = sum; });
  squares.zero(d_z);
  __syncthreads();
  for (int i = warp_index(); i < m; i += kSquareThreads / kWarp) {
    float sum = 0;
    for (int d = lane_index(); d < width; d += kWarp) sum += k3_v[i * width + d] * d_k3_v[i * width + d];
    sum = warp_sum(sum);
    if (lane_index() == 0) args.landmark_deltas[rows + i] = sum;
  }
  for_product(plain(k3_v, m, width), transposed(d_w, m, width), squares.stages,
              [&](int i, int j, float sum) { d_z[squares.at(i, j)] = sum; });
  __syncthreads();
}

template <bool kSmall>
__global__ void __launch_bounds__(kSquareThreads) pinv_gradient_kernel(NystromMiddleGradient args) {
  const AttentionProblem& problem = args.problem;
  const int items = problem.batch * problem.heads, m = problem.landmarks, steps = args.iterations;
  const int kept = steps > 1 ? steps : 1, of_slot = kept + (kSmall ? 0 : PinvGradient<kSmall>::kLarge);
  const SquareMemory<kSmall, 6> memory(m, args.squares, of_slot);
  float* const slot = args.squares + static_cast<std::int64_t>(blockIdx.x) * of_slot * m * m;
  const float shared_scale =
      args.one_scale ? args.norms[largest_norm_item(args.norms, items, memory.vectors)] : 0;
  for (int index = static_cast<int>(blockIdx.x); index < items; index += static_cast<int>(gridDim.x)) {
    const AttentionItem item = item_of(problem, index);
    if (item.exact) continue;
    PinvGradient<kSmall> pinv(memory, slot, kept);
    const Squares<kSmall>& squares = pinv.squares;
    const std::int64_t rows = landmark_rows(problem, index);
    // d_W takes its first chunk's place.
    float* const d_w =
        args.d_w_parts + static_cast<std::int64_t>(index) * problem.max_chunks * m * problem.width;
    begin_squares(args, item, squares, d_w, pinv.d_z);
    const float scale = args.one_scale ? shared_scale : args.norms[index];
    pinv.remake_iterates(args.a + rows * m, scale, steps);
    if (!kSmall) squares.zero(pinv.d_a);
    for (int i = steps - 1; i >= 0; --i) {
      if (i + 1 < steps) pinv.load_iterate(i);
      pinv.step_back();
    }
    const float* const d_a = pinv.finish();
    float dot = 0;
    for (int e = static_cast<int>(threadIdx.x); e < m * m; e += kSquareThreads) {
      const int i = e / m, j = e % m;
      const float d_z = pinv.d_z[squares.at(i, j)];
      args.d_a[rows * m + e] = d_a[squares.at(j, i)] + d_z / scale;
      dot += d_z * pinv.a[squares.at(i, j)];
    }
    dot = block_sum(dot, memory.vectors);
    if (threadIdx.x == 0) args.d_scales[index] = -dot / (scale * scale);
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
  SquareMemory<false, 1> memory(m, nullptr, 0);  // only its stages
  const float d_norm = norm_gradient(args, item.index, memory.vectors);
  const auto column = static_cast<int>(args.norm_columns[item.index]);
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
  __syncthreads();
  const std::int64_t at = rows * width;
  for_product(plain(d_s, m, m), plain(args.k_landmarks + at, m, width), memory.squares.stages,
              [&](int i, int j, float sum) { args.d_q_landmarks[at + i * width + j] = sum; });
  for_product(transposed(d_s, m, m), plain(args.q_landmarks + at, m, width), memory.squares.stages,
              [&](int i, int j, float sum) {
                const int e = i * width + j;
                args.d_k_landmarks[at + e] = sum + sum_parts(problem, item, args.d_k_parts, e);
              });
}

__global__ void __launch_bounds__(kSquareThreads) query_landmarks_kernel(NystromMiddleGradient args) {
  const AttentionProblem& problem = args.problem;
  const AttentionItem item = item_of(problem, static_cast<int>(blockIdx.x));
  if (item.exact) return;
  const int size = problem.landmarks * problem.width;
  float* const d_q = args.d_q_landmarks + static_cast<std::int64_t>(item.index) * size;
  for (int e = static_cast<int>(threadIdx.x); e < size; e += kSquareThreads)
    d_q[e] += sum_parts(problem, item, args.d_q_parts, e);
}

constexpr int kRowsOfBlock = 16;

/// Block (16 rows, sequence): a thread takes eight columns of a row at a time.
template <class T>
__global__ void __launch_bounds__(kSquareThreads)
    add_to_queries_kernel(AttentionProblem problem, const float* d_q_landmarks, T* d_qkv) {
  const AttentionItem item = item_of(problem, static_cast<int>(blockIdx.y) * problem.heads);
  if (item.exact) return;
  const int m = problem.landmarks, width = problem.width, vectors = problem.heads * width / 8;
  const int first = static_cast<int>(blockIdx.x) * kRowsOfBlock;
  for (int v = static_cast<int>(threadIdx.x); v < kRowsOfBlock * vectors; v += kSquareThreads) {
    const int row = first + v / vectors, column = v % vectors * 8;
    if (row >= item.rows) return;
    const std::int64_t n = item.rows, j = ((row + 1LL) * m - 1) / n;
    const float factor = 1.0F / static_cast<float>((j + 1) * n / m - j * n / m);
    const float* const from = d_q_landmarks +
                              ((item.index + column / width) * static_cast<std::int64_t>(m) + j) * width +
                              column % width;
    T* const to = d_qkv + (item.begin + row) * 3 * problem.heads * width + column;
    alignas(16) T x[8];
#pragma unroll
    for (int e = 0; e < 8; e += 16 / static_cast<int>(sizeof(T))) copy_16_bytes(x + e, to + e);
#pragma unroll
    for (int e = 0; e < 8; ++e) store(x + e, load(x + e) + factor * from[e]);
#pragma unroll
    for (int e = 0; e < 8; e += 16 / static_cast<int>(sizeof(T))) copy_16_bytes(to + e, x + e);
  }
}

template <bool kSmall>
void run_middle_gradient(CudaContext& context, const NystromMiddleGradient& args, unsigned items,
                         unsigned slots) {
  launch(context.stream(), dim3(items), dim3(kSquareThreads), SquareMemory<kSmall, 1>::bytes(),
         "attention_matrices_backward", matrices_kernel<kSmall>, args);
  launch(context.stream(), dim3(slots), dim3(kSquareThreads), SquareMemory<kSmall, 6>::bytes(),
         "attention_pinv_backward", pinv_gradient_kernel<kSmall>, args);
}

}  // namespace

void nystrom_begin_gradient(CudaContext& context, const NystromMiddleGradient& args) {
  const auto items = static_cast<unsigned>(args.problem.batch * args.problem.heads);
  launch(context.stream(), dim3(items), dim3(kSquareThreads), SquareMemory<false, 1>::bytes(),
         "attention_begin_backward", begin_kernel, args);
}

void nystrom_middle_gradient(CudaContext& context, const NystromMiddleGradient& args, std::int64_t slots) {
  const auto items = static_cast<unsigned>(args.problem.batch * args.problem.heads);
  const auto run =
      args.problem.landmarks <= kSmallLandmarks ? run_middle_gradient<true> : run_middle_gradient<false>;
  run(context, args, items, static_cast<unsigned>(slots));
  launch(context.stream(), dim3(items), dim3(kSquareThreads), SquareMemory<false, 1>::bytes(),
         "attention_landmarks_backward", landmarks_gradient_kernel, args);
}

template <class T>
void add_query_landmark_gradients(CudaContext& context, const NystromMiddleGradient& args, T* d_qkv,
                                  std::int64_t longest) {
  const AttentionProblem& problem = args.problem;
  launch(context.stream(), dim3(static_cast<unsigned>(problem.batch * problem.heads)), dim3(kSquareThreads),
         0, "attention_query_landmarks_backward", query_landmarks_kernel, args);
  const dim3 grid(static_cast<unsigned>((longest + kRowsOfBlock - 1) / kRowsOfBlock),
                  static_cast<unsigned>(problem.batch));
  launch(context.stream(), grid, dim3(kSquareThreads), 0, "attention_queries_backward",
         add_to_queries_kernel<T>, problem, args.d_q_landmarks, d_qkv);
}

template void add_query_landmark_gradients<float>(CudaContext&, const NystromMiddleGradient&, float*,
                                                  std::int64_t);
template void add_query_landmark_gradients<BF16>(CudaContext&, const NystromMiddleGradient&, BF16*,
                                                 std::int64_t);

}  // namespace nystrom::cuda
