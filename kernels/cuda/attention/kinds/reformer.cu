// Reformer attention on the GPU. Plain kernels (plain.h), a launch of each for every round of hashing.
//
//   sort     the tokens of each round by their buckets (reformer_hash.h).
//   forward  block (item, 32 queries of a chunk): the queries' softmaxes continue across rounds, in global
//            memory between them.
//   backward block (item, 32 queries of a chunk) for d_q, and block (item, 32 keys of a chunk) for d_k and
//            d_v, which the queries of two chunks see; both add to sums that no other block of the launch
//            touches.
//
// Counts are integers, all else is summed in a fixed order: the same bits each time. Checked against the CPU
// through the emulation; neither run on a GPU nor tuned.

#include "kernels/cuda/attention/kinds/plain_launch.h"
#include "kernels/cuda/attention/kinds/reformer_hash.h"
#include "kernels/cuda/attention/kinds/workspace.h"
#include "kernels/cuda/ops.h"
#include "kernels/tensor/cuda/dispatch.h"

namespace nystrom::cuda {
namespace {

template <class T>
struct ReformerPass : PlainPass<T> {
  int chunk, hashes;
  const std::int32_t* buckets;  // [r, H, T]
  std::int32_t* order;          // [r, H, T]
  std::int32_t* counts;         // [r, H, 2 T + 3 B]
  float* context;               // [H, T, D]
  float* state;                 // [H, T, 2]
  float* deltas;                // [H, T]
  float *d_keys, *d_values;     // [H, T, D]; d_q is gathered in `context`

  [[nodiscard]] __device__ std::int64_t row_at(const AttentionItem& item, int row) const {
    return item.head * this->problem.tokens + item.begin + row;
  }
  /// A row of [H, T, D].
  [[nodiscard]] __device__ float* row_of(float* x, const AttentionItem& item, int row) const {
    return x + row_at(item, row) * this->problem.width;
  }
  [[nodiscard]] __device__ const std::int32_t* order_of(const AttentionItem& item, int round) const {
    return order + round * this->problem.heads * this->problem.tokens + row_at(item, 0);
  }
};

// ---- chunks -----------------------------------------------------------------------------------------------

/// A block's 32 tokens of a chunk, and the chunks on the other side that see them or are seen by them.
struct ChunkBlock {
  const std::int32_t* own;  ///< tokens
  int count;                ///< 0: nothing to do
  const std::int32_t* others[2];
  int others_count[2];
};
/// `step`: -1 for the chunk before (queries' side), 1 for the one behind (keys' side).
template <class T>
__device__ inline ChunkBlock chunk_block(const ReformerPass<T>& pass, const AttentionItem& item, int round,
                                         int index, int step) {
  const std::int32_t* const order = pass.order_of(item, round);
  const int size = pass.chunk, subs = (size + kPlainRows - 1) / kPlainRows;
  const int chunks = (item.rows + size - 1) / size, g = index / subs, first = index % subs * kPlainRows;
  ChunkBlock block{};
  if (g >= chunks) return block;
  const auto count_of = [&](int chunk) { return min(size, item.rows - chunk * size); };
  block.own = order + g * size + first;
  block.count = max(0, min(kPlainRows, count_of(g) - first));
  const int other = (g + step + chunks) % chunks;
  block.others[0] = order + other * size;
  block.others_count[0] = chunks == 1 ? 0 : count_of(other);
  block.others[1] = order + g * size;
  block.others_count[1] = count_of(g);
  return block;
}

/// to [i, :] = row tokens [i] of `from`.
template <class T>
__device__ inline void gather(const Plain& to, const T* from, std::int64_t stride, const std::int32_t* tokens,
                              int count, int width) {
  for_elements(count, width, [&](int i, int d) { to.at(i, d) = load(from + tokens[i] * stride + d); });
}

/// factors [i] = 1 / (|q_i|^2 + 10^-6 D)^(1/2), of rows in a tile. Ends with __syncthreads.
__device__ inline void inverse_lengths(const Plain& q, int count, int width, float* factors) {
  for_elements(kPlainRows, 1, [&](int i, int) { factors[i] = 0; });
  __syncthreads();
  add_row_dots(q, q, count, width, factors);
  __syncthreads();
  for_elements(count, 1, [&](int i, int) {
    factors[i] = 1.0F / sqrtf(factors[i] + 1e-6F * static_cast<float>(width));
  });
  __syncthreads();
}

/// The keys and values of tokens. Ends with __syncthreads.
template <class T>
__device__ inline void gather_keys(const ReformerPass<T>& pass, const AttentionItem& item,
                                   const std::int32_t* tokens, int count, const Plain& k, const Plain& v,
                                   float* factors) {
  const int width = pass.problem.width;
  gather(k, pass.part(item, 0), pass.stride(), tokens, count, width);
  gather(v, pass.part(item, 1), pass.stride(), tokens, count, width);
  __syncthreads();
  inverse_lengths(k, count, width, factors);
  for_elements(count, width, [&](int i, int d) { k.at(i, d) *= factors[i]; });
  __syncthreads();
}

/// A token does not see itself, unless there is no other.
__device__ inline bool sees_token(const AttentionItem& item, std::int32_t query, std::int32_t key) {
  return query != key || item.rows == 1;
}

template <class T>
__global__ void __launch_bounds__(kPlainThreads) reformer_forward_kernel(ReformerPass<T> pass, int round) {
  const AttentionItem item = item_of(pass.problem, static_cast<int>(blockIdx.x));
  const ChunkBlock block = chunk_block(pass, item, round, static_cast<int>(blockIdx.y), -1);
  if (block.count == 0) return;
  PlainCarver carver(shared_memory<float>());
  const int width = pass.problem.width;
  const Plain q = carver.matrix(kPlainRows, width), k = carver.matrix(kPlainRows, width),
              v = carver.matrix(kPlainRows, width), s = carver.matrix(kPlainRows, kPlainRows);
  const PlainSoftmax softmax = make_softmax(carver, width);
  float* const factors = carver.vector(kPlainRows);
  softmax.start(width);
  gather(q, pass.part(item, 0), pass.stride(), block.own, block.count, width);
  __syncthreads();
  if (round > 0) {
    for_elements(block.count, width, [&](int i, int d) {
      softmax.context.at(i, d) = pass.row_of(pass.context, item, block.own[i])[d];
    });
    for_elements(block.count, 1, [&](int i, int) {
      const float* const state = pass.state + pass.row_at(item, block.own[i]) * 2;
      softmax.maxima[i] = state[0];
      softmax.sums[i] = state[1];
    });
  }
  for (int side = 0; side < 2; ++side)
    for (int first = 0; first < block.others_count[side]; first += kPlainRows) {
      const std::int32_t* const tokens = block.others[side] + first;
      const int keys = min(kPlainRows, block.others_count[side] - first);
      gather_keys(pass, item, tokens, keys, k, v, factors);
      for_elements(block.count, keys, [&](int i, int j) {
        s.at(i, j) = sees_token(item, block.own[i], tokens[j])
                         ? product_at<Turned::kNo, Turned::kYes>(q, k, i, j, width)
                         : -INFINITY;
      });
      __syncthreads();
      softmax.take(s, block.count, keys, v, width);
    }
  for_elements(block.count, width, [&](int i, int d) {
    pass.row_of(pass.context, item, block.own[i])[d] = softmax.context.at(i, d);
  });
  for_elements(block.count, 1, [&](int i, int) {
    float* const state = pass.state + pass.row_at(item, block.own[i]) * 2;
    state[0] = softmax.maxima[i];
    state[1] = softmax.sums[i];
  });
}

template <class T>
__global__ void __launch_bounds__(kPlainThreads) reformer_finish_kernel(ReformerPass<T> pass) {
  const AttentionItem item = item_of(pass.problem, static_cast<int>(blockIdx.x));
  const int first = static_cast<int>(blockIdx.y) * kPlainRows, count = min(kPlainRows, item.rows - first);
  if (count <= 0) return;
  PlainCarver carver(shared_memory<float>());
  const int width = pass.problem.width;
  const Plain context = carver.matrix(kPlainRows, width);
  float* const stats = stats_of(pass.row_stats, pass.problem, item);
  for_elements(count, width, [&](int i, int d) {
    const float sum = pass.state[pass.row_at(item, first + i) * 2 + 1];
    context.at(i, d) = pass.row_of(pass.context, item, first + i)[d] / sum;
  });
  for_elements(count, 1, [&](int i, int) {
    const float* const state = pass.state + pass.row_at(item, first + i) * 2;
    stats[(first + i) * 2LL] = state[0];
    stats[(first + i) * 2LL + 1] = 1.0F / state[1];
  });
  __syncthreads();
  pass.store_context(item, first, count, context);
}

// ---- backward ---------------------------------------------------------------------------------------------

/// Deltas, and zeros where the gradients are gathered.
template <class T>
__global__ void __launch_bounds__(kPlainThreads) reformer_begin_gradient_kernel(ReformerPass<T> pass) {
  const AttentionItem item = item_of(pass.problem, static_cast<int>(blockIdx.x));
  const int first = static_cast<int>(blockIdx.y) * kPlainRows, count = min(kPlainRows, item.rows - first);
  if (count <= 0) return;
  pass.deltas_of(item, first, count, pass.deltas + pass.row_at(item, first));
  for_elements(count, pass.problem.width, [&](int i, int d) {
    pass.row_of(pass.context, item, first + i)[d] = 0;
    pass.row_of(pass.d_keys, item, first + i)[d] = 0;
    pass.row_of(pass.d_values, item, first + i)[d] = 0;
  });
}

/// Probability and dS of a query, by its token, and a key. `d_p`: gradient of the probability.
template <class T>
__device__ inline void logit_gradient(const ReformerPass<T>& pass, const AttentionItem& item,
                                      std::int32_t query, std::int32_t key, float logit, float d_p, float& p,
                                      float& d_s) {
  const float* const stats = stats_of(pass.row_stats, pass.problem, item) + query * 2LL;
  p = sees_token(item, query, key) ? expf(logit - stats[0]) * stats[1] : 0.0F;
  d_s = p * (d_p - pass.deltas[pass.row_at(item, query)]);
}

/// Tiles of both kernels below.
struct GradientBlock {
  Plain q, g, k, v, p, d_s, first_sum, second_sum;
  float* factors;

  __device__ GradientBlock(PlainCarver& carver, int width)
      : q(carver.matrix(kPlainRows, width)),
        g(carver.matrix(kPlainRows, width)),
        k(carver.matrix(kPlainRows, width)),
        v(carver.matrix(kPlainRows, width)),
        p(carver.matrix(kPlainRows, kPlainRows)),
        d_s(carver.matrix(kPlainRows, kPlainRows)),
        first_sum(carver.matrix(kPlainRows, width)),
        second_sum(carver.matrix(kPlainRows, width)),
        factors(carver.vector(kPlainRows)) {}
};
std::size_t gradient_floats(int width) {
  return 6 * plain_floats(kPlainRows, width) + 2 * plain_floats(kPlainRows, kPlainRows) + kPlainRows;
}

/// P and dS [queries, keys] of two lists of tokens whose tiles are loaded. Ends with __syncthreads.
template <class T>
__device__ inline void pair_gradients(const ReformerPass<T>& pass, const AttentionItem& item,
                                      const GradientBlock& tiles, const std::int32_t* queries, int count,
                                      const std::int32_t* keys, int key_count) {
  const int width = pass.problem.width;
  for_elements(count, key_count, [&](int i, int j) {
    logit_gradient(pass, item, queries[i], keys[j],
                   product_at<Turned::kNo, Turned::kYes>(tiles.q, tiles.k, i, j, width),
                   product_at<Turned::kNo, Turned::kYes>(tiles.g, tiles.v, i, j, width), tiles.p.at(i, j),
                   tiles.d_s.at(i, j));
  });
  __syncthreads();
}

template <class T>
__device__ inline void gather_queries(const ReformerPass<T>& pass, const AttentionItem& item,
                                      const std::int32_t* tokens, int count, const GradientBlock& tiles) {
  const int width = pass.problem.width;
  gather(tiles.q, pass.part(item, 0), pass.stride(), tokens, count, width);
  gather(tiles.g, rows_of(pass.d_out, pass.problem, item, 1, 0), pass.channels(), tokens, count, width);
  __syncthreads();
}

template <class T>
__global__ void __launch_bounds__(kPlainThreads)
    reformer_queries_gradient_kernel(ReformerPass<T> pass, int round) {
  const AttentionItem item = item_of(pass.problem, static_cast<int>(blockIdx.x));
  const ChunkBlock block = chunk_block(pass, item, round, static_cast<int>(blockIdx.y), -1);
  if (block.count == 0) return;
  PlainCarver carver(shared_memory<float>());
  const int width = pass.problem.width;
  const GradientBlock tiles(carver, width);
  gather_queries(pass, item, block.own, block.count, tiles);
  zero_plain(tiles.first_sum, kPlainRows, width);
  __syncthreads();
  for (int side = 0; side < 2; ++side)
    for (int first = 0; first < block.others_count[side]; first += kPlainRows) {
      const std::int32_t* const tokens = block.others[side] + first;
      const int keys = min(kPlainRows, block.others_count[side] - first);
      gather_keys(pass, item, tokens, keys, tiles.k, tiles.v, tiles.factors);
      pair_gradients(pass, item, tiles, block.own, block.count, tokens, keys);
      multiply<Turned::kNo, Turned::kNo>(tiles.first_sum, tiles.d_s, tiles.k, block.count, width, keys, 1,
                                         true);
      __syncthreads();
    }
  for_elements(block.count, width, [&](int i, int d) {
    pass.row_of(pass.context, item, block.own[i])[d] += tiles.first_sum.at(i, d);
  });
}

template <class T>
__global__ void __launch_bounds__(kPlainThreads)
    reformer_keys_gradient_kernel(ReformerPass<T> pass, int round) {
  const AttentionItem item = item_of(pass.problem, static_cast<int>(blockIdx.x));
  const ChunkBlock block = chunk_block(pass, item, round, static_cast<int>(blockIdx.y), 1);
  if (block.count == 0) return;
  PlainCarver carver(shared_memory<float>());
  const int width = pass.problem.width;
  const GradientBlock tiles(carver, width);
  gather_keys(pass, item, block.own, block.count, tiles.k, tiles.v, tiles.factors);
  zero_plain(tiles.first_sum, kPlainRows, width);
  zero_plain(tiles.second_sum, kPlainRows, width);
  __syncthreads();
  for (int side = 0; side < 2; ++side)
    for (int first = 0; first < block.others_count[side]; first += kPlainRows) {
      const std::int32_t* const tokens = block.others[side] + first;
      const int queries = min(kPlainRows, block.others_count[side] - first);
      gather_queries(pass, item, tokens, queries, tiles);
      pair_gradients(pass, item, tiles, tokens, queries, block.own, block.count);
      multiply<Turned::kYes, Turned::kNo>(tiles.first_sum, tiles.d_s, tiles.q, block.count, width, queries, 1,
                                          true);
      multiply<Turned::kYes, Turned::kNo>(tiles.second_sum, tiles.p, tiles.g, block.count, width, queries, 1,
                                          true);
      __syncthreads();
    }
  for_elements(block.count, width, [&](int i, int d) {
    pass.row_of(pass.d_keys, item, block.own[i])[d] += tiles.first_sum.at(i, d);
    pass.row_of(pass.d_values, item, block.own[i])[d] += tiles.second_sum.at(i, d);
  });
}

/// Through k = f q, f = 1 / (|q|^2 + 10^-6 D)^(1/2): d_q += f d_k - f^3 (q . d_k) q; then d_q and d_v.
template <class T>
__global__ void __launch_bounds__(kPlainThreads) reformer_finish_gradient_kernel(ReformerPass<T> pass) {
  const AttentionItem item = item_of(pass.problem, static_cast<int>(blockIdx.x));
  const int first = static_cast<int>(blockIdx.y) * kPlainRows, count = min(kPlainRows, item.rows - first);
  if (count <= 0) return;
  PlainCarver carver(shared_memory<float>());
  const int width = pass.problem.width;
  const Plain q = carver.matrix(kPlainRows, width), d_k = carver.matrix(kPlainRows, width),
              d_v = carver.matrix(kPlainRows, width);
  float *const factors = carver.vector(kPlainRows), *const dots = carver.vector(kPlainRows);
  load_plain(q, pass.part(item, 0) + first * pass.stride(), pass.stride(), count, width);
  for_elements(count, width, [&](int i, int d) {
    d_k.at(i, d) = pass.row_of(pass.d_keys, item, first + i)[d];
    d_v.at(i, d) = pass.row_of(pass.d_values, item, first + i)[d];
  });
  for_elements(kPlainRows, 1, [&](int i, int) { dots[i] = 0; });
  __syncthreads();
  inverse_lengths(q, count, width, factors);
  add_row_dots(q, d_k, count, width, dots);
  __syncthreads();
  T* const to = pass.d_part(item, 0) + first * pass.stride();
  for_elements(count, width, [&](int i, int d) {
    const float f = factors[i];
    store(to + i * pass.stride() + d, pass.row_of(pass.context, item, first + i)[d] + f * d_k.at(i, d) -
                                          f * f * f * dots[i] * q.at(i, d));
  });
  pass.store_value_gradient(item, first, count, d_v);
}

// ---- launches ---------------------------------------------------------------------------------------------

ReformerWorkspace workspace_of(const ReformerAttention& args, bool backward) {
  const CudaReformerShape shape(CudaAttentionShape(args.inputs), args.inputs.sequences.tokens,
                                args.buckets.dim(0));
  return workspace_in<ReformerWorkspace>(args.inputs.workspace, shape, backward);
}

template <class T>
ReformerPass<T> reformer_pass(const ReformerAttention& args, const ReformerWorkspace& workspace,
                              const AttentionGradients* gradients = nullptr) {
  ReformerPass<T> pass{};
  static_cast<PlainPass<T>&>(pass) = plain_pass<T>(args.inputs, args.row_stats, gradients);
  pass.chunk = static_cast<int>(args.chunk);
  pass.hashes = static_cast<int>(args.buckets.dim(0));
  pass.buckets = args.buckets.data<std::int32_t>();
  pass.order = reinterpret_cast<std::int32_t*>(workspace.order);
  pass.counts = reinterpret_cast<std::int32_t*>(workspace.counts);
  pass.context = workspace.context;
  pass.state = workspace.state;
  pass.deltas = workspace.deltas_of_rows;
  pass.d_keys = workspace.d_keys;
  pass.d_values = workspace.d_values;
  return pass;
}

template <class T>
void sort_tokens(CudaContext& context, const ReformerPass<T>& pass) {
  reformer_sort(context, {pass.problem, pass.hashes, pass.buckets, pass.order, pass.counts});
}

/// Blocks (item, 32 tokens of a chunk).
template <class T>
dim3 grid_of_chunk_blocks(const ReformerPass<T>& pass, const AttentionInputs& inputs) {
  const std::int64_t chunks = (inputs.sequences.longest + pass.chunk - 1) / pass.chunk;
  dim3 grid = grid_of_items(inputs);
  grid.y = static_cast<unsigned>(chunks * ((pass.chunk + kPlainRows - 1) / kPlainRows));
  return grid;
}

template <class T>
void forward(CudaContext& context, const ReformerAttention& args) {
  const auto pass = reformer_pass<T>(args, workspace_of(args, false));
  const int width = pass.problem.width;
  const std::size_t floats = 3 * plain_floats(kPlainRows, width) + plain_floats(kPlainRows, kPlainRows) +
                             softmax_floats(width) + kPlainRows;
  sort_tokens(context, pass);
  for (int round = 0; round < pass.hashes; ++round)
    launch_plain(context, grid_of_chunk_blocks(pass, args.inputs), floats, "reformer_forward",
                 reformer_forward_kernel<T>, pass, round);
  launch_plain(context, grid_of_tiles(args.inputs), plain_floats(kPlainRows, width), "reformer_finish",
               reformer_finish_kernel<T>, pass);
}

template <class T>
void backward(CudaContext& context, const ReformerAttention& args, const AttentionGradients& gradients) {
  const ReformerWorkspace workspace = workspace_of(args, true);
  const auto pass = reformer_pass<T>(args, workspace, &gradients);
  const int width = pass.problem.width;
  sort_tokens(context, pass);
  launch_plain(context, grid_of_tiles(args.inputs), 0, "reformer_begin_backward",
               reformer_begin_gradient_kernel<T>, pass);
  for (int round = 0; round < pass.hashes; ++round) {
    const dim3 grid = grid_of_chunk_blocks(pass, args.inputs);
    launch_plain(context, grid, gradient_floats(width), "reformer_queries_backward",
                 reformer_queries_gradient_kernel<T>, pass, round);
    launch_plain(context, grid, gradient_floats(width), "reformer_keys_backward",
                 reformer_keys_gradient_kernel<T>, pass, round);
  }
  launch_plain(context, grid_of_tiles(args.inputs), 3 * plain_floats(kPlainRows, width) + 2 * kPlainRows,
               "reformer_finish_backward", reformer_finish_gradient_kernel<T>, pass);
  add_filter_gradient(context, pass, workspace.d_filter, gradients);
}

}  // namespace

void reformer_attention_forward(CudaContext& context, const ReformerAttention& args) {
  if (nothing_to_do(args.inputs)) return;
  dispatch_device(args.inputs.qkv.dtype, [&]<class T>(T) { forward<T>(context, args); });
}

void reformer_attention_backward(CudaContext& context, const ReformerAttention& args,
                                 const AttentionGradients& gradients) {
  if (nothing_to_do(args.inputs)) return;
  dispatch_device(args.inputs.qkv.dtype, [&]<class T>(T) { backward<T>(context, args, gradients); });
}

}  // namespace nystrom::cuda
