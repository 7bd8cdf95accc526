// Attention to a few rows that stand for all keys (summary.h).
//
//   forward   block (item, 32 rows) over tiles of 32 summary rows, with an online softmax.
//   backward  block (item, chunk of rows): the softmax again from its statistics, once for delta = sum P dP
//             and once for the gradients. The chunk's parts of the summary's gradients are gathered in
//             global memory, by this block alone.
//
// Bytes: 2 n D elements forward, 4 n D backward, and 8 R D a tile from the cache. Checked against the CPU
// through the emulation; neither run on a GPU nor tuned.

#include "kernels/cuda/attention/kinds/summary.h"

namespace nystrom::cuda {
namespace {

template <class T>
__device__ inline Plain keys_of(const SummaryPass<T>& pass, const AttentionItem& item, int first) {
  const int width = pass.problem.width;
  const std::int64_t index = pass.keys_of_head ? item.head : item.index;
  return {const_cast<float*>(pass.keys) + (index * pass.count + first) * width, width};
}
template <class T>
__device__ inline Plain values_of(const SummaryPass<T>& pass, const AttentionItem& item, int first) {
  const int width = pass.problem.width;
  const std::int64_t index = item.index;
  return {const_cast<float*>(pass.values) + (index * pass.count + first) * width, width};
}
/// A logit of query i of a tile and summary row `first` + j.
template <class T>
__device__ inline float logit(const SummaryPass<T>& pass, const AttentionItem& item, const Plain& q,
                              const Plain& keys, int i, int first, int j) {
  const float bias = pass.bias == nullptr ? 0.0F : pass.bias[item.index * pass.bias_stride + first + j];
  return pass.scale * product_at<Turned::kNo, Turned::kYes>(q, keys, i, j, pass.problem.width) + bias;
}

template <class T>
__global__ void __launch_bounds__(kPlainThreads) summary_forward_kernel(SummaryPass<T> pass) {
  const AttentionItem item = item_of(pass.problem, static_cast<int>(blockIdx.x));
  const int first = static_cast<int>(blockIdx.y) * kPlainRows, count = min(kPlainRows, item.rows - first);
  if (count <= 0) return;
  PlainCarver carver(shared_memory<float>());
  const int width = pass.problem.width;
  const Plain q = carver.matrix(kPlainRows, width), s = carver.matrix(kPlainRows, kPlainRows);
  const PlainSoftmax softmax = make_softmax(carver, width);
  softmax.start(width);
  load_plain(q, pass.part(item, 0) + first * pass.stride(), pass.stride(), count, width);
  __syncthreads();
  for (int r = 0; r < pass.count; r += kPlainRows) {
    const int keys = min(kPlainRows, pass.count - r);
    const Plain k = keys_of(pass, item, r);
    for_elements(count, keys, [&](int i, int j) { s.at(i, j) = logit(pass, item, q, k, i, r, j); });
    __syncthreads();
    softmax.take(s, count, keys, values_of(pass, item, r), width);
  }
  softmax.finish(count, width);
  float* const stats = stats_of(pass.row_stats, pass.problem, item) + first * 2LL;
  for_elements(count, 1, [&](int i, int) {
    stats[2 * i] = softmax.maxima[i];
    stats[2 * i + 1] = softmax.sums[i];
  });
  pass.store_context(item, first, count, softmax.context);
}

template <class T>
__global__ void __launch_bounds__(kPlainThreads) summary_backward_kernel(SummaryPass<T> pass) {
  const AttentionItem item = item_of(pass.problem, static_cast<int>(blockIdx.x));
  const int chunk = static_cast<int>(blockIdx.y), size = attention_chunk_rows(item.rows);
  const int begin = chunk * size, end = min(begin + size, item.rows), width = pass.problem.width;
  if (begin >= end) return;
  PlainCarver carver(shared_memory<float>());
  const Plain q = carver.matrix(kPlainRows, width), g = carver.matrix(kPlainRows, width),
              d_q = carver.matrix(kPlainRows, width), p = carver.matrix(kPlainRows, kPlainRows),
              d_s = carver.matrix(kPlainRows, kPlainRows);
  float* const deltas = carver.vector(kPlainRows);
  const std::int64_t part =
      (static_cast<std::int64_t>(item.index) * pass.problem.max_chunks + chunk) * pass.part_stride;
  const float* const stats = stats_of(pass.row_stats, pass.problem, item);
  for (int first = begin; first < end; first += kPlainRows) {
    const int count = min(kPlainRows, end - first);
    load_plain(q, pass.part(item, 0) + first * pass.stride(), pass.stride(), count, width);
    load_plain(g, rows_of(pass.d_out, pass.problem, item, 1, 0) + first * pass.channels(), pass.channels(),
               count, width);
    for_elements(kPlainRows, 1, [&](int i, int) { deltas[i] = 0; });
    __syncthreads();
    // P and dP of the summary rows [r, r + keys).
    const auto recompute = [&](int r, int keys) {
      const Plain k = keys_of(pass, item, r), v = values_of(pass, item, r);
      for_elements(count, keys, [&](int i, int j) {
        const float* const mine = stats + (first + i) * 2LL;
        p.at(i, j) = expf(logit(pass, item, q, k, i, r, j) - mine[0]) * mine[1];
        d_s.at(i, j) = product_at<Turned::kNo, Turned::kYes>(g, v, i, j, width);
      });
      __syncthreads();
    };
    for (int r = 0; r < pass.count; r += kPlainRows) {
      const int keys = min(kPlainRows, pass.count - r);
      recompute(r, keys);
      add_row_dots(p, d_s, count, keys, deltas);
      __syncthreads();
    }
    for (int r = 0; r < pass.count; r += kPlainRows) {
      const int keys = min(kPlainRows, pass.count - r);
      recompute(r, keys);
      for_elements(count, keys,
                   [&](int i, int j) { d_s.at(i, j) = p.at(i, j) * (d_s.at(i, j) - deltas[i]); });
      __syncthreads();
      const Plain k = keys_of(pass, item, r);
      multiply<Turned::kNo, Turned::kNo>(d_q, d_s, k, count, width, keys, pass.scale, r > 0);
      const bool more = first > begin;
      const Plain d_v{pass.d_values + part + static_cast<std::int64_t>(r) * width, width};
      multiply<Turned::kYes, Turned::kNo>(d_v, p, g, keys, width, count, 1, more);
      if (pass.d_keys != nullptr) {
        const Plain d_k{pass.d_keys + part + static_cast<std::int64_t>(r) * width, width};
        multiply<Turned::kYes, Turned::kNo>(d_k, d_s, q, keys, width, count, pass.scale, more);
      }
      if (pass.d_bias != nullptr)
        for_elements(keys, 1, [&](int j, int) {
          float sum = 0;
          for (int i = 0; i < count; ++i) sum += d_s.at(i, j);
          float& to = pass.d_bias[part + r + j];
          to = more ? to + sum : sum;
        });
      __syncthreads();
    }
    store_plain(d_q, pass.d_part(item, 0) + first * pass.stride(), pass.stride(), count, width);
    __syncthreads();
  }
}

}  // namespace

template <class T>
void attend_summary(CudaContext& context, const SummaryPass<T>& pass, const AttentionInputs& inputs) {
  const int width = pass.problem.width;
  launch_plain(context, grid_of_tiles(inputs),
               plain_floats(kPlainRows, width) + plain_floats(kPlainRows, kPlainRows) + softmax_floats(width),
               "attention_summary_forward", summary_forward_kernel<T>, pass);
}

template <class T>
void attend_summary_backward(CudaContext& context, const SummaryPass<T>& pass,
                             const AttentionInputs& inputs) {
  const int width = pass.problem.width;
  launch_plain(context, grid_of_chunks(inputs),
               3 * plain_floats(kPlainRows, width) + 2 * plain_floats(kPlainRows, kPlainRows) + kPlainRows,
               "attention_summary_backward", summary_backward_kernel<T>, pass);
}

template void attend_summary(CudaContext&, const SummaryPass<float>&, const AttentionInputs&);
template void attend_summary(CudaContext&, const SummaryPass<BF16>&, const AttentionInputs&);
template void attend_summary_backward(CudaContext&, const SummaryPass<float>&, const AttentionInputs&);
template void attend_summary_backward(CudaContext&, const SummaryPass<BF16>&, const AttentionInputs&);

}  // namespace nystrom::cuda
