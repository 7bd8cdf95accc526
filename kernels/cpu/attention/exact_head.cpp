#include "kernels/cpu/attention/exact_head.h"

#include "kernels/cpu/attention/depthwise_conv.h"

namespace nystrom {
namespace {

HeadDropout head_dropout(const AttentionInputs& inputs, const HeadTask& head, Index query) {
  HeadDropout one;
  one.active = inputs.dropout.active();
  if (!one.active) return one;
  one.dropout = inputs.dropout;
  one.sample = inputs.keys.samples.data<std::int64_t>()[head.begin];
  one.rows = head.rows;
  one.first = (head.head * head.rows + query) * head.rows;
  return one;
}

template <class C>
C inverse_root(Index width) {
  return C(1) / std::sqrt(static_cast<C>(width));
}

/// The statistics of the rows of a head lie [T, H, 2].
template <class C>
C* stats_of(const Tensor& row_stats, const HeadTask& head, Index heads, Index row) {
  return row_stats.data<C>() + ((head.begin + row) * heads + head.head) * 2;
}

}  // namespace

template <class C>
ExactForwardMemory<C>::ExactForwardMemory(WorkspaceAllocator<C>& allocator, const AttentionShape& shape)
    : scaled_t(allocator.tile(shape.width, kTileRows)),
      softmax(allocator.column_softmax(kTileRows, shape.width)),
      tiles{allocator.tile(kTileRows, shape.width), allocator.tile(kTileRows, kTileRows),
            allocator.tile(kTileRows, kTileRows), allocator.tile(kTileRows, kTileRows)},
      halo(allocator.tile(kTileRows + shape.taps, shape.width)),
      filter(allocator.take(conv_filter_elements(shape.taps))) {}

template <class C>
ExactBackwardMemory<C>::ExactBackwardMemory(WorkspaceAllocator<C>& allocator, const AttentionShape& shape) {
  const Index width = shape.width, taps = shape.taps;
  queries.width = width;
  queries.scale = inverse_root<C>(width);
  queries.rows = allocator.tile(kTileRows, width);
  queries.scaled_t = allocator.tile(width, kTileRows);
  queries.d_context = allocator.tile(kTileRows, width);
  queries.d_context_t = allocator.tile(width, kTileRows);
  queries.d_rows = allocator.tile(kTileRows, width);
  queries.maxima = maxima = allocator.take(kTileRows);
  queries.inverse_sums = inverse_sums = allocator.take(kTileRows);
  queries.deltas = deltas = allocator.take(kTileRows);
  tiles.k = allocator.tile(kTileRows, width);
  tiles.v = allocator.tile(kTileRows, width);
  tiles.s = allocator.tile(kTileRows, kTileRows);
  tiles.d_s = allocator.tile(kTileRows, kTileRows);
  tiles.mask = allocator.tile(kTileRows, kTileRows);
  tiles.mask_t = allocator.tile(kTileRows, kTileRows);
  context = allocator.tile(kTileRows, width);
  d_k = allocator.tile(shape.longest_exact, width);
  d_v = allocator.tile(shape.longest_exact, width);
  halo = allocator.tile(kTileRows + taps, width);
  halo_t = allocator.tile(width, conv_halo_columns(kTileRows, taps));
  filter = allocator.take(conv_filter_elements(taps));
  band = allocator.take(conv_band_elements(taps));
}

template <class T>
void exact_forward(const AttentionShape& shape, const SoftmaxAttention& args, const HeadTask& head,
                   Index begin, Index end, const ExactForwardMemory<Compute<T>>& memory) {
  using C = Compute<T>;
  const auto& ops = tile_ops<T>();
  const Index heads = shape.heads, taps = shape.taps, width = shape.width;
  const auto q = head.of<const T>(args.inputs.qkv, width, heads, 0),
             k = head.of<const T>(args.inputs.qkv, width, heads, 1),
             v = head.of<const T>(args.inputs.qkv, width, heads, 2);
  if (taps > 0)
    conv_prepare_filter(args.inputs.conv_weight.data<C>() + head.head * taps, taps, false, C(1),
                        memory.filter);
  for (Index first = begin; first < end; first += kTileRows) {
    ColumnSoftmax<C> softmax = memory.softmax;
    const Index count = softmax.columns = std::min(kTileRows, end - first);
    ops.load_rows(q, head.rows, first, count, memory.tiles.rows);
    ops.transpose(memory.tiles.rows, count, width, inverse_root<C>(width), memory.scaled_t);
    ops.column_softmax_start(softmax);
    attend<T>(k, v, 0, head.keys, memory.scaled_t, softmax, head_dropout(args.inputs, head, first),
              memory.tiles);
    ops.column_softmax_finish(softmax);
    for (Index i = 0; i < count; ++i) {
      C* const stats = stats_of<C>(args.row_stats, head, heads, first + i);
      stats[0] = softmax.maxima[i];
      stats[1] = softmax.sums[i];
    }
    if (taps > 0) {
      ops.load_rows(v, head.rows, first - taps / 2, count + taps - 1, memory.halo);
      conv_rows(memory.filter, taps, memory.halo, count, width, softmax.weighted, true);
    }
    ops.store_rows(softmax.weighted, count, head.of<T>(args.inputs.out, width, heads), first);
  }
}

namespace {

/// Everything about the queries [first, first + count) that backward needs; deltas come from the context,
/// which is the output without its convolution.
template <class T>
void prepare_queries(const AttentionShape& shape, const SoftmaxAttention& args,
                     const AttentionGradients& gradients, const HeadTask& head, Index first,
                     const QueryBlock<Compute<T>>& queries, const ExactBackwardMemory<Compute<T>>& memory) {
  using C = Compute<T>;
  const auto& ops = tile_ops<T>();
  const Index heads = shape.heads, taps = shape.taps, width = shape.width, count = queries.count;
  ops.load_rows(head.of<const T>(args.inputs.qkv, width, heads, 0), head.rows, first, count, queries.rows);
  ops.transpose(queries.rows, count, width, queries.scale, queries.scaled_t);
  ops.load_rows(head.of<const T>(gradients.d_out, width, heads), head.rows, first, count, queries.d_context);
  ops.transpose(queries.d_context, count, width, C(1), queries.d_context_t);
  ops.load_rows(head.of<const T>(args.inputs.out, width, heads), head.rows, first, count, memory.context);
  if (taps > 0) {
    ops.load_rows(head.of<const T>(args.inputs.qkv, width, heads, 2), head.rows, first - taps / 2,
                  count + taps - 1, memory.halo);
    conv_rows(memory.filter, taps, memory.halo, count, width, memory.context, true);
  }
  ops.row_dots(memory.context, queries.d_context, count, width, memory.deltas);
  for (Index i = 0; i < count; ++i) {
    const C* const stats = stats_of<C>(args.row_stats, head, heads, first + i);
    memory.maxima[i] = stats[0];
    memory.inverse_sums[i] = stats[1];
    std::fill_n(queries.d_rows.row(i), queries.d_rows.stride, C(0));
  }
}

/// The convolution's part of d_v, into memory.d_v, and of d_w.
template <class T>
void add_convolution(const AttentionShape& shape, const SoftmaxAttention& args,
                     const AttentionGradients& gradients, const HeadTask& head,
                     const ExactBackwardMemory<Compute<T>>& memory, Compute<T>* d_w) {
  using C = Compute<T>;
  const auto& ops = tile_ops<T>();
  const Index heads = shape.heads, taps = shape.taps, width = shape.width;
  conv_prepare_filter(args.inputs.conv_weight.data<C>() + head.head * taps, taps, true, C(1), memory.filter);
  std::fill_n(memory.band, conv_band_elements(taps), C(0));
  for (Index first = 0; first < head.rows; first += kTileRows) {
    const Index count = std::min(kTileRows, head.rows - first), around = count + taps - 1;
    ops.load_rows(head.of<const T>(gradients.d_out, width, heads), head.rows, first - taps / 2, around,
                  memory.halo);
    conv_rows(memory.filter, taps, memory.halo, count, width,
              Tile<C>{memory.d_v.row(first), memory.d_v.stride}, true);
    ops.load_rows(head.of<const T>(args.inputs.qkv, width, heads, 2), head.rows, first, count,
                  memory.tiles.v);
    ops.transpose(memory.halo, around, width, C(1), memory.halo_t);
    conv_filter_gradient(memory.tiles.v, memory.halo_t, count, width, taps, memory.band);
  }
  conv_finish_filter_gradient(memory.band, taps, d_w);
}

}  // namespace

template <class T>
void exact_backward(const AttentionShape& shape, const SoftmaxAttention& args,
                    const AttentionGradients& gradients, const HeadTask& head,
                    const ExactBackwardMemory<Compute<T>>& memory, Compute<T>* d_w) {
  using C = Compute<T>;
  const auto& ops = tile_ops<T>();
  const Index heads = shape.heads, taps = shape.taps, width = shape.width;
  const auto d_q = head.of<T>(gradients.d_qkv, width, heads, 0),
             d_k = head.of<T>(gradients.d_qkv, width, heads, 1),
             d_v = head.of<T>(gradients.d_qkv, width, heads, 2);
  std::fill_n(memory.d_k.data, head.rows * memory.d_k.stride, C(0));
  std::fill_n(memory.d_v.data, head.rows * memory.d_v.stride, C(0));
  if (taps > 0)
    conv_prepare_filter(args.inputs.conv_weight.data<C>() + head.head * taps, taps, false, C(-1),
                        memory.filter);
  for (Index first = 0; first < head.rows; first += kTileRows) {
    QueryBlock<C> queries = memory.queries;
    queries.count = std::min(kTileRows, head.rows - first);
    prepare_queries<T>(shape, args, gradients, head, first, queries, memory);
    const HeadDropout dropout = head_dropout(args.inputs, head, first);
    for (Index key = 0; key < head.keys; key += kTileRows) {
      const Index keys = std::min(kTileRows, head.keys - key);
      KeyGradientTiles<C> tiles = memory.tiles;
      tiles.d_k = {memory.d_k.row(key), memory.d_k.stride};
      tiles.d_v = {memory.d_v.row(key), memory.d_v.stride};
      ops.load_rows(head.of<const T>(args.inputs.qkv, width, heads, 1), head.rows, key, keys, tiles.k);
      ops.load_rows(head.of<const T>(args.inputs.qkv, width, heads, 2), head.rows, key, keys, tiles.v);
      attend_backward<T>(queries, key, keys, true, dropout, tiles);
    }
    ops.store_rows(queries.d_rows, queries.count, d_q, first);
  }
  if (taps > 0) add_convolution<T>(shape, args, gradients, head, memory, d_w);
  ops.store_rows(memory.d_k, head.rows, d_k, 0);
  ops.store_rows(memory.d_v, head.rows, d_v, 0);
}

#define NYSTROM_INSTANTIATE(T)                                                                               \
  template void exact_forward<T>(const AttentionShape&, const SoftmaxAttention&, const HeadTask&, Index,     \
                                 Index, const ExactForwardMemory<Compute<T>>&);                              \
  template void exact_backward<T>(const AttentionShape&, const SoftmaxAttention&, const AttentionGradients&, \
                                  const HeadTask&, const ExactBackwardMemory<Compute<T>>&, Compute<T>*)
template struct ExactForwardMemory<float>;
template struct ExactForwardMemory<double>;
template struct ExactBackwardMemory<float>;
template struct ExactBackwardMemory<double>;
NYSTROM_INSTANTIATE(float);
NYSTROM_INSTANTIATE(BF16);
NYSTROM_INSTANTIATE(double);
#undef NYSTROM_INSTANTIATE

}  // namespace nystrom
