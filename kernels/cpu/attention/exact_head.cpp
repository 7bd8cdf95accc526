#include "kernels/cpu/attention/exact_head.h"

#include <limits>
#include <optional>

namespace nystrom {
namespace {

HeadDropout head_dropout(const AttentionInputs& inputs, const HeadTask& head, Index query) {
  HeadDropout one;
  one.active = inputs.dropout.active();
  if (!one.active) return one;
  one.dropout = inputs.dropout;
  one.sample = inputs.keys.samples.data<std::int64_t>()[head.begin];
  one.rows = head.length;
  one.first = (head.head * head.length + head.first + query) * head.length;
  return one;
}

/// What a window hides from the queries [query, query + count).
template <class C>
class WindowMask final : public PairMask<C> {
 public:
  WindowMask(const KeyWindow& window, Index query, Index count)
      : window_(window), query_(query), count_(count) {}

  void hide(const Tile<C>& s, Index first, Index keys) const override {
    constexpr C kHidden = -std::numeric_limits<C>::infinity();
    for (Index j = 0; j < keys; ++j) {
      if (window_.first_is_global && first + j == 0) continue;
      // The queries that attend to this key are adjacent.
      const Index key = first + j - query_;
      const Index begin = std::clamp<Index>(key - window_.half, 0, count_),
                  end = std::clamp<Index>(key + window_.half + 1, 0, count_);
      std::fill_n(s.row(j), begin, kHidden);
      std::fill_n(s.row(j) + end, count_ - end, kHidden);
    }
  }

 private:
  const KeyWindow& window_;
  Index query_, count_;
};

/// The mask of the queries [first, first + count), if they need one.
template <class C>
std::optional<WindowMask<C>> mask_of(const KeyWindow& window, Index first, Index count) {
  if (!window.bounded() || (window.first_is_global && first == 0)) return std::nullopt;
  return std::optional<WindowMask<C>>(std::in_place, window, first, count);
}

Index rows_of(const KeyWindow& window, const HeadTask& head, Index block) {
  return std::min(window.first_of(block + 1), head.rows) - window.first_of(block);
}

}  // namespace

template <class C>
ExactForwardMemory<C>::ExactForwardMemory(WorkspaceAllocator<C>& allocator, const AttentionShape& shape)
    : scaled_t(allocator.tile(shape.width, kTileRows)),
      softmax(allocator.column_softmax(kTileRows, shape.width)),
      tiles{allocator.tile(kTileRows, shape.width), allocator.tile(kTileRows, kTileRows),
            allocator.tile(kTileRows, kTileRows), allocator.tile(kTileRows, kTileRows)},
      convolution(allocator, shape) {}

template <class C>
ExactBackwardMemory<C>::ExactBackwardMemory(WorkspaceAllocator<C>& allocator, const AttentionShape& shape) {
  const Index width = shape.width;
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
  convolution = ConvolutionMemory<C>(allocator, shape);
  band = allocator.take(conv_band_elements(shape.taps));
}

template <class T>
void exact_forward(const SoftmaxAttention& args, const KeyWindow& window, const HeadTask& head, Index block,
                   const ExactForwardMemory<Compute<T>>& memory, const GatheredRows<T>* gathered) {
  using C = Compute<T>;
  const auto& ops = tile_ops<T>();
  const AttentionInputs& inputs = args.inputs;
  const Index heads = inputs.heads, width = inputs.width();
  const auto q = head.of<const T>(inputs.qkv, width, heads, 0);
  const auto part = [&](Index i) {
    return gathered != nullptr ? gathered->of(head, width, i)
                               : head.of<const T>(inputs.qkv, width, heads, 1 + i);
  };
  const auto k = part(0), v = part(1);
  const Index all_keys = gathered != nullptr ? head.length : head.keys;
  const HaloRows<T> halo = gathered != nullptr ? gathered->halo(head, inputs.taps() / 2) : HaloRows<T>{};
  ColumnSoftmax<C> softmax = memory.softmax;
  const Index first = window.first_of(block), count = softmax.columns = rows_of(window, head, block);
  const auto mask = mask_of<C>(window, first, count);
  ops.load_rows(q, head.rows, first, count, memory.tiles.rows);
  ops.transpose(memory.tiles.rows, count, width, inverse_root<C>(width), memory.scaled_t);
  ops.column_softmax_start(softmax);
  window.for_keys(first, first + count, all_keys, [&](Index begin, Index end) {
    attend<T>(k, v, begin, end, memory.scaled_t, softmax, head_dropout(inputs, head, first),
              mask ? &*mask : nullptr, memory.tiles);
  });
  ops.column_softmax_finish(softmax);
  for (Index i = 0; i < count; ++i) {
    C* const stats = row_stats_at<C>(args.row_stats, head, first + i);
    stats[0] = softmax.maxima[i];
    stats[1] = softmax.sums[i];
  }
  ConvolvedValues<T>(inputs, head, memory.convolution, C(1), &halo).add(first, count, softmax.weighted);
  ops.store_rows(softmax.weighted, count, head.of<T>(inputs.out, width, heads), first);
}

namespace {

/// Everything about the queries [first, first + count) that backward needs; deltas come from the context,
/// which is the output without its convolution.
template <class T>
void prepare_queries(const SoftmaxAttention& args, const AttentionGradients& gradients, const HeadTask& head,
                     Index first, const QueryBlock<Compute<T>>& queries,
                     const ExactBackwardMemory<Compute<T>>& memory, const HaloRows<T>* halo = nullptr) {
  using C = Compute<T>;
  const auto& ops = tile_ops<T>();
  const AttentionInputs& inputs = args.inputs;
  const Index heads = inputs.heads, width = queries.width, count = queries.count;
  ops.load_rows(head.of<const T>(inputs.qkv, width, heads, 0), head.rows, first, count, queries.rows);
  ops.transpose(queries.rows, count, width, queries.scale, queries.scaled_t);
  ops.load_rows(head.of<const T>(gradients.d_out, width, heads), head.rows, first, count, queries.d_context);
  ops.transpose(queries.d_context, count, width, C(1), queries.d_context_t);
  ops.load_rows(head.of<const T>(inputs.out, width, heads), head.rows, first, count, memory.context);
  ConvolvedValues<T>(inputs, head, memory.convolution, C(-1), halo).add(first, count, memory.context);
  ops.row_dots(memory.context, queries.d_context, count, width, memory.deltas);
  for (Index i = 0; i < count; ++i) {
    const C* const stats = row_stats_at<C>(args.row_stats, head, first + i);
    memory.maxima[i] = stats[0];
    memory.inverse_sums[i] = stats[1];
  }
  clear(queries.d_rows, count);
}

/// The convolution's part of d_v, into memory.d_v, and of d_w.
template <class T>
void add_convolution(const AttentionInputs& inputs, const AttentionGradients& gradients, const HeadTask& head,
                     const ExactBackwardMemory<Compute<T>>& memory, Compute<T>* d_w,
                     const HaloRows<T>* halo = nullptr) {
  if (inputs.taps() == 0) return;
  const auto v = head.of<const T>(inputs.qkv, inputs.width(), inputs.heads, 2);
  const ConvolutionGradient<T> convolution(inputs, gradients, head, memory.convolution, memory.band, halo);
  for (Index first = 0; first < head.rows; first += kTileRows) {
    const Index count = std::min(kTileRows, head.rows - first);
    tile_ops<T>().load_rows(v, head.rows, first, count, memory.tiles.v);
    convolution.add(first, count, memory.tiles.v, {memory.d_v.row(first), memory.d_v.stride});
  }
  conv_finish_filter_gradient(memory.band, inputs.taps(), d_w);
}

}  // namespace

template <class T>
void exact_backward(const SoftmaxAttention& args, const AttentionGradients& gradients,
                    const KeyWindow& window, const HeadTask& head,
                    const ExactBackwardMemory<Compute<T>>& memory, Compute<T>* d_w) {
  using C = Compute<T>;
  const auto& ops = tile_ops<T>();
  const AttentionInputs& inputs = args.inputs;
  const Index heads = inputs.heads, width = inputs.width();
  const auto k = head.of<const T>(inputs.qkv, width, heads, 1),
             v = head.of<const T>(inputs.qkv, width, heads, 2);
  clear(memory.d_k, head.rows);
  clear(memory.d_v, head.rows);
  for (Index block = 0; block < window.blocks(head.rows); ++block) {
    const Index first = window.first_of(block);
    QueryBlock<C> queries = memory.queries;
    queries.count = rows_of(window, head, block);
    const auto mask = mask_of<C>(window, first, queries.count);
    prepare_queries<T>(args, gradients, head, first, queries, memory);
    const HeadDropout dropout = head_dropout(inputs, head, first);
    window.for_keys(first, first + queries.count, head.keys, [&](Index begin, Index end) {
      for (Index key = begin; key < end; key += kTileRows) {
        const Index keys = std::min(kTileRows, end - key);
        KeyGradientTiles<C> tiles = memory.tiles;
        tiles.d_k = {memory.d_k.row(key), memory.d_k.stride};
        tiles.d_v = {memory.d_v.row(key), memory.d_v.stride};
        ops.load_rows(k, head.rows, key, keys, tiles.k);
        ops.load_rows(v, head.rows, key, keys, tiles.v);
        attend_backward<T>(queries, key, keys, true, dropout, mask ? &*mask : nullptr, tiles);
      }
    });
    ops.store_rows(queries.d_rows, queries.count, head.of<T>(gradients.d_qkv, width, heads, 0), first);
  }
  add_convolution<T>(inputs, gradients, head, memory, d_w);
  ops.store_rows(memory.d_k, head.rows, head.of<T>(gradients.d_qkv, width, heads, 1), 0);
  ops.store_rows(memory.d_v, head.rows, head.of<T>(gradients.d_qkv, width, heads, 2), 0);
}

template <class T>
void exact_queries_backward(const SoftmaxAttention& args, const AttentionGradients& gradients,
                            const HeadTask& head, const ExactBackwardMemory<Compute<T>>& memory,
                            const GatheredRows<T>& gathered, Compute<T>* d_rows) {
  using C = Compute<T>;
  const auto& ops = tile_ops<T>();
  const AttentionInputs& inputs = args.inputs;
  const Index heads = inputs.heads, width = inputs.width(), stride = 2 * heads * width;
  const auto k = gathered.of(head, width, 0), v = gathered.of(head, width, 1);
  const HaloRows<T> halo = gathered.halo(head, inputs.taps() / 2);
  clear(memory.d_k, head.length);
  clear(memory.d_v, head.length);
  for (Index first = 0; first < head.rows; first += kTileRows) {
    QueryBlock<C> queries = memory.queries;
    queries.count = std::min(kTileRows, head.rows - first);
    prepare_queries<T>(args, gradients, head, first, queries, memory, &halo);
    const HeadDropout dropout = head_dropout(inputs, head, first);
    for (Index key = 0; key < head.length; key += kTileRows) {
      const Index keys = std::min(kTileRows, head.length - key);
      KeyGradientTiles<C> tiles = memory.tiles;
      tiles.d_k = {memory.d_k.row(key), memory.d_k.stride};
      tiles.d_v = {memory.d_v.row(key), memory.d_v.stride};
      ops.load_rows(k, head.length, key, keys, tiles.k);
      ops.load_rows(v, head.length, key, keys, tiles.v);
      attend_backward<T>(queries, key, keys, true, dropout, nullptr, tiles);
    }
    ops.store_rows(queries.d_rows, queries.count, head.of<T>(gradients.d_qkv, width, heads, 0), first);
  }
  for (Index i = 0; i < head.length; ++i) {
    std::copy_n(memory.d_k.row(i), width, d_rows + i * stride + head.head * width);
    std::copy_n(memory.d_v.row(i), width, d_rows + i * stride + (heads + head.head) * width);
  }
}

template <class T>
void exact_keys_backward(const SoftmaxAttention& args, const AttentionGradients& gradients,
                         const HeadTask& head, const ExactBackwardMemory<Compute<T>>& memory,
                         const Compute<T>* d_rows, const HaloRows<T>& halo, Compute<T>* d_w) {
  const auto& ops = tile_ops<T>();
  const AttentionInputs& inputs = args.inputs;
  const Index heads = inputs.heads, width = inputs.width(), stride = 2 * heads * width;
  clear(memory.d_k, head.rows);
  clear(memory.d_v, head.rows);
  for (Index i = 0; i < head.rows; ++i) {
    std::copy_n(d_rows + i * stride + head.head * width, width, memory.d_k.row(i));
    std::copy_n(d_rows + i * stride + (heads + head.head) * width, width, memory.d_v.row(i));
  }
  add_convolution<T>(inputs, gradients, head, memory, d_w, &halo);
  ops.store_rows(memory.d_k, head.rows, head.of<T>(gradients.d_qkv, width, heads, 1), 0);
  ops.store_rows(memory.d_v, head.rows, head.of<T>(gradients.d_qkv, width, heads, 2), 0);
}

#define NYSTROM_INSTANTIATE(T)                                                                              \
  template void exact_queries_backward<T>(const SoftmaxAttention&, const AttentionGradients&,               \
                                          const HeadTask&, const ExactBackwardMemory<Compute<T>>&,          \
                                          const GatheredRows<T>&, Compute<T>*);                             \
  template void exact_keys_backward<T>(const SoftmaxAttention&, const AttentionGradients&, const HeadTask&, \
                                       const ExactBackwardMemory<Compute<T>>&, const Compute<T>*,           \
                                       const HaloRows<T>&, Compute<T>*);                                    \
  template void exact_forward<T>(const SoftmaxAttention&, const KeyWindow&, const HeadTask&, Index,         \
                                 const ExactForwardMemory<Compute<T>>&, const GatheredRows<T>*);            \
  template void exact_backward<T>(const SoftmaxAttention&, const AttentionGradients&, const KeyWindow&,     \
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
