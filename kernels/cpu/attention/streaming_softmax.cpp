#include "kernels/cpu/attention/streaming_softmax.h"

namespace nystrom {
namespace {

/// mask_t [keys, queries]: 0, or the factor of a kept probability.
template <class T>
void draw_mask(const HeadDropout& dropout, Index queries, Index first, Index keys,
               const Tile<Compute<T>>& mask, const Tile<Compute<T>>& mask_t) {
  const auto& ops = tile_ops<T>();
  for (Index i = 0; i < queries; ++i)
    ops.dropout_factors(dropout.dropout, dropout.sample, dropout.first + i * dropout.rows + first, keys,
                        mask.row(i));
  ops.transpose(mask, queries, keys, Compute<T>(1), mask_t);
}

}  // namespace

template <class T>
void attend(const HeadRows<const T>& k, const HeadRows<const T>& v, Index begin, Index end,
            const Tile<Compute<T>>& scaled_t, const ColumnSoftmax<Compute<T>>& softmax,
            const HeadDropout& dropout, const PairMask<Compute<T>>* mask, const KeyTiles<Compute<T>>& tiles) {
  using C = Compute<T>;
  const auto& ops = tile_ops<T>();
  const Index queries = softmax.columns, width = softmax.width;
  for (Index first = begin; first < end; first += kTileRows) {
    const Index keys = std::min(kTileRows, end - first);
    ops.load_rows(k, end, first, keys, tiles.rows);
    small_gemm(SmallGemm<C>{keys, queries, width, tiles.rows.data, tiles.rows.stride, 1, scaled_t.data,
                            scaled_t.stride, tiles.s.data, tiles.s.stride});
    if (mask != nullptr) mask->hide(tiles.s, first, keys);
    ops.column_softmax_step(softmax, tiles.s, keys);
    if (dropout.active) {
      draw_mask<T>(dropout, queries, first, keys, tiles.mask, tiles.mask_t);
      ops.multiply(tiles.s, tiles.mask_t, keys, queries);
    }
    ops.load_rows(v, end, first, keys, tiles.rows);
    small_gemm(SmallGemm<C>{queries, width, keys, tiles.s.data, 1, tiles.s.stride, tiles.rows.data,
                            tiles.rows.stride, softmax.weighted.data, softmax.weighted.stride, C(1), true});
  }
}

template <class T>
void attend_backward(const QueryBlock<Compute<T>>& q, Index first, Index keys, bool accumulate_d_k,
                     const HeadDropout& dropout, const PairMask<Compute<T>>* mask,
                     const KeyGradientTiles<Compute<T>>& tiles) {
  using C = Compute<T>;
  const auto& ops = tile_ops<T>();
  const Tile<C>&s = tiles.s, &d_s = tiles.d_s;
  small_gemm(SmallGemm<C>{keys, q.count, q.width, tiles.k.data, tiles.k.stride, 1, q.scaled_t.data,
                          q.scaled_t.stride, s.data, s.stride});
  if (mask != nullptr) mask->hide(s, first, keys);
  ops.column_softmax_again(s, keys, q.count, q.maxima, q.inverse_sums);
  small_gemm(SmallGemm<C>{keys, q.count, q.width, tiles.v.data, tiles.v.stride, 1, q.d_context_t.data,
                          q.d_context_t.stride, d_s.data, d_s.stride});
  if (dropout.active) {
    draw_mask<T>(dropout, q.count, first, keys, tiles.mask, tiles.mask_t);
    ops.multiply(d_s, tiles.mask_t, keys, q.count);
    ops.multiply(tiles.mask_t, s, keys, q.count);
  }
  const Tile<C>& dropped = dropout.active ? tiles.mask_t : s;
  small_gemm(SmallGemm<C>{keys, q.width, q.count, dropped.data, dropped.stride, 1, q.d_context.data,
                          q.d_context.stride, tiles.d_v.data, tiles.d_v.stride, C(1), true});
  ops.column_softmax_backward(s, d_s, keys, q.count, q.deltas);
  small_gemm(SmallGemm<C>{keys, q.width, q.count, d_s.data, d_s.stride, 1, q.rows.data, q.rows.stride,
                          tiles.d_k.data, tiles.d_k.stride, q.scale, accumulate_d_k});
  small_gemm(SmallGemm<C>{q.count, q.width, keys, d_s.data, 1, d_s.stride, tiles.k.data, tiles.k.stride,
                          q.d_rows.data, q.d_rows.stride, q.scale, true});
}

#define NYSTROM_INSTANTIATE(T)                                                                            \
  template void attend(const HeadRows<const T>&, const HeadRows<const T>&, Index, Index,                  \
                       const Tile<Compute<T>>&, const ColumnSoftmax<Compute<T>>&, const HeadDropout&,     \
                       const PairMask<Compute<T>>*, const KeyTiles<Compute<T>>&);                         \
  template void attend_backward<T>(const QueryBlock<Compute<T>>&, Index, Index, bool, const HeadDropout&, \
                                   const PairMask<Compute<T>>*, const KeyGradientTiles<Compute<T>>&)
NYSTROM_INSTANTIATE(float);
NYSTROM_INSTANTIATE(BF16);
NYSTROM_INSTANTIATE(double);
#undef NYSTROM_INSTANTIATE

}  // namespace nystrom
