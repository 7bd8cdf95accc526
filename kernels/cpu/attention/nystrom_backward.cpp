#include "kernels/cpu/attention/depthwise_conv.h"
#include "kernels/cpu/attention/nystrom_head.h"

namespace nystrom {

template <class C>
NystromBackwardSlot<C>::NystromBackwardSlot(WorkspaceAllocator<C>& allocator, const NystromShape& shape) {
  const Index m = shape.options.landmarks, width = shape.width;
  for (Tile<C>* tile : {&q, &k, &k3_v, &d_k3_v}) *tile = allocator.tile(m, width);
  for (Tile<C>* tile : {&q_t, &k_t, &w_t, &d_k3_v_t}) *tile = allocator.tile(width, m);
  for (Tile<C>* tile : {&a, &d_a}) *tile = allocator.tile(m, m);
  for (C** vector : {&maxima, &inverse_sums, &deltas}) *vector = allocator.take(m);
  for (Index c = 0; c < shape.max_chunks(); ++c) {
    Part& part = parts[static_cast<std::size_t>(c)];
    for (Tile<C>* tile : {&part.d_w, &part.d_k_landmarks, &part.d_q_landmarks})
      *tile = allocator.tile(m, width);
    part.band = allocator.take(conv_band_elements(shape.taps));
  }
}

template <class C>
NystromBackwardScratch<C>::NystromBackwardScratch(WorkspaceAllocator<C>& allocator,
                                                  const NystromShape& shape) {
  const Index m = shape.options.landmarks, taps = shape.taps, width = shape.width;
  for (Tile<C>* tile : {&x, &y, &d_x, &d_y}) *tile = allocator.tile(kTileRows, width);
  for (Tile<C>* tile : {&s, &d_s}) *tile = allocator.tile(kTileRows, m);
  halo = allocator.tile(kTileRows + taps, width);
  halo_t = allocator.tile(width, conv_halo_columns(kTileRows, taps));
  for (Tile<C>* tile : {&z, &g}) *tile = allocator.tile(m, m);
  d_w_t = allocator.tile(width, m);
  w = allocator.tile(m, width);
  filter = allocator.take(conv_filter_elements(taps));
  stats = allocator.take(2 * m);
  pinv = allocator.take(pseudo_inverse_backward_scratch(m, shape.options.pinv_iterations));
}

namespace {

/// The place of head (b, h) in a saved [B, H, ., .] tensor.
template <class C>
const C* saved_at(const Tensor& x, const HeadTask& head) {
  return x.data<C>() + (head.batch * x.dim(1) + head.head) * x.dim(2) * x.dim(3);
}

template <class C>
void clear(const Tile<C>& tile, Index rows) {
  std::fill_n(tile.data, rows * tile.stride, C(0));
}

/// c = alpha a b, or c += alpha a b, of tiles whole rows of which are products' operands.
template <class C>
void multiply(Index rows, Index columns, Index inner, const Tile<C>& a, const Tile<C>& b, const Tile<C>& c,
              C alpha = C(1), bool accumulate = false) {
  small_gemm(SmallGemm<C>{rows, columns, inner, a.data, a.stride, 1, b.data, b.stride, c.data, c.stride,
                          alpha, accumulate});
}
/// The same with a^T in a's place: a [inner, rows].
template <class C>
void multiply_transposed(Index rows, Index columns, Index inner, const Tile<C>& a, const Tile<C>& b,
                         const Tile<C>& c, C alpha = C(1), bool accumulate = false) {
  small_gemm(SmallGemm<C>{rows, columns, inner, a.data, 1, a.stride, b.data, b.stride, c.data, c.stride,
                          alpha, accumulate});
}

template <class C>
C inverse_root(Index width) {
  return C(1) / std::sqrt(static_cast<C>(width));
}

}  // namespace

template <class T>
OneNorm<Compute<T>> NystromBackward<T>::restore_landmarks(const HeadTask& head, const Slot& slot,
                                                          const Scratch& scratch) const {
  const auto& ops = tile_ops<T>();
  const Index m = shape_.options.landmarks, width = shape_.width;
  const C scale = inverse_root<C>(width);
  ops.unpack(saved_at<C>(args_.saved.q_landmarks, head), m, width, slot.q);
  ops.unpack(saved_at<C>(args_.saved.k_landmarks, head), m, width, slot.k);
  ops.unpack(saved_at<C>(args_.saved.k3_v, head), m, width, slot.k3_v);
  ops.unpack(saved_at<C>(args_.saved.pinv, head), m, m, scratch.z);
  ops.transpose(slot.q, m, width, scale, slot.q_t);
  ops.transpose(slot.k, m, width, scale, slot.k_t);
  multiply(m, width, m, scratch.z, slot.k3_v, scratch.w);
  ops.transpose(scratch.w, m, width, C(1), slot.w_t);
  const C* const stats = saved_at<C>(args_.saved.k3_stats, head);
  for (Index j = 0; j < m; ++j) {
    slot.maxima[j] = stats[2 * j];
    slot.inverse_sums[j] = stats[2 * j + 1];
  }
  multiply(m, m, width, slot.q, slot.k_t, slot.a);
  ops.row_softmax(slot.a, m, m, scratch.stats, 2);
  return one_norm(slot.a, m);
}

template <class T>
void NystromBackward<T>::queries_gradient(const HeadTask& head, Index chunk, const Slot& slot,
                                          const Scratch& scratch) const {
  const auto& ops = tile_ops<T>();
  const Index m = shape_.options.landmarks, heads = shape_.heads, width = shape_.width;
  const Index size = NystromShape::chunk_rows(head.rows);
  const C scale = inverse_root<C>(width);
  const auto q = head.of<const T>(args_.inputs.qkv, width, heads, 0),
             d_out = head.of<const T>(gradients_.d_out, width, heads);
  const auto d_q = head.of<T>(gradients_.d_qkv, width, heads, 0);
  const auto& part = slot.parts[static_cast<std::size_t>(chunk)];
  clear(part.d_w, m);
  clear(part.d_k_landmarks, m);
  const Tile<C>&x = scratch.x, &d_y = scratch.y, &s = scratch.s, &d_s = scratch.d_s;
  for (Index first = chunk * size, end = std::min(first + size, head.rows); first < end; first += kTileRows) {
    const Index count = std::min(kTileRows, end - first);
    ops.load_rows(q, head.rows, first, count, x);
    ops.load_rows(d_out, head.rows, first, count, d_y);
    multiply(count, m, width, x, slot.k_t, s);
    ops.row_softmax_again(s, count, m,
                          args_.saved.row_stats.data<C>() + ((head.begin + first) * heads + head.head) * 2,
                          2 * heads);
    multiply(count, m, width, d_y, slot.w_t, d_s);
    multiply_transposed(m, width, count, s, d_y, part.d_w, C(1), true);
    ops.row_softmax_backward(s, d_s, count, m);
    multiply(count, width, m, d_s, slot.k, scratch.d_x, scale);
    multiply_transposed(m, width, count, d_s, x, part.d_k_landmarks, scale, true);
    ops.store_rows(scratch.d_x, count, d_q, first);
  }
}

template <class T>
Compute<T> NystromBackward<T>::invert_kernel2_gradient(const HeadTask& head, C scale, const Slot& slot,
                                                       const Scratch& scratch) const {
  const auto& ops = tile_ops<T>();
  const Index m = shape_.options.landmarks, width = shape_.width;
  const auto& total = slot.parts[0];
  for (Index c = 1; c < NystromShape::chunks(head.rows); ++c) {
    const auto& part = slot.parts[static_cast<std::size_t>(c)];
    ops.add(total.d_w.data, part.d_w.data, m * total.d_w.stride);
    ops.add(total.d_k_landmarks.data, part.d_k_landmarks.data, m * total.d_k_landmarks.stride);
  }
  ops.unpack(saved_at<C>(args_.saved.pinv, head), m, m, scratch.z);
  multiply_transposed(m, width, m, scratch.z, total.d_w, slot.d_k3_v);
  ops.transpose(slot.d_k3_v, m, width, C(1), slot.d_k3_v_t);
  ops.row_dots(slot.k3_v, slot.d_k3_v, m, width, slot.deltas);
  ops.transpose(total.d_w, m, width, C(1), scratch.d_w_t);
  multiply(m, m, width, slot.k3_v, scratch.d_w_t, scratch.g);  // (d_Z)^T
  return pseudo_inverse_backward(slot.a, m, scale, shape_.options.pinv_iterations, scratch.g, scratch.pinv,
                                 slot.d_a);
}

template <class T>
void NystromBackward<T>::landmarks_gradient(OneNorm<C> norm, C d_norm, const Slot& slot) const {
  const Index m = shape_.options.landmarks, width = shape_.width;
  const C scale = inverse_root<C>(width);
  for (Index i = 0; i < m; ++i) slot.d_a.row(i)[norm.column] += d_norm;
  tile_ops<T>().row_softmax_backward(slot.a, slot.d_a, m, m);
  multiply(m, width, m, slot.d_a, slot.k, slot.parts[0].d_q_landmarks, scale);
  multiply_transposed(m, width, m, slot.d_a, slot.q, slot.parts[0].d_k_landmarks, scale, true);
}

template <class T>
void NystromBackward<T>::keys_gradient(const HeadTask& head, Index chunk, const Slot& slot,
                                       const Scratch& scratch) const {
  const auto& ops = tile_ops<T>();
  const Index m = shape_.options.landmarks, heads = shape_.heads, taps = shape_.taps;
  const Index width = shape_.width, size = NystromShape::chunk_rows(head.rows);
  const auto k = head.of<const T>(args_.inputs.qkv, width, heads, 1),
             v = head.of<const T>(args_.inputs.qkv, width, heads, 2);
  const auto d_k = head.of<T>(gradients_.d_qkv, width, heads, 1),
             d_v = head.of<T>(gradients_.d_qkv, width, heads, 2);
  const auto& part = slot.parts[static_cast<std::size_t>(chunk)];
  if (chunk > 0) clear(part.d_q_landmarks, m);  // the first begins with the part through A
  if (taps > 0) {
    conv_prepare_filter(args_.inputs.conv_weight.data<C>() + head.head * taps, taps, true, C(1),
                        scratch.filter);
    std::fill_n(part.band, conv_band_elements(taps), C(0));
  }
  const QueryBlock<C> queries{m,
                              width,
                              inverse_root<C>(width),
                              slot.q,
                              slot.q_t,
                              slot.d_k3_v,
                              slot.d_k3_v_t,
                              slot.maxima,
                              slot.inverse_sums,
                              slot.deltas,
                              part.d_q_landmarks};
  const KeyGradientTiles<C> tiles{scratch.x,   scratch.y,   scratch.s, scratch.d_s,
                                  scratch.d_x, scratch.d_y, {},        {}};
  for (Index first = chunk * size, end = std::min(first + size, head.rows); first < end; first += kTileRows) {
    const Index count = std::min(kTileRows, end - first), attended = rows_below(head.keys, first, count);
    ops.load_rows(k, head.rows, first, count, tiles.k);
    ops.load_rows(v, head.rows, first, count, tiles.v);
    if (taps > 0) {
      const Index around = count + taps - 1;
      ops.load_rows(head.of<const T>(gradients_.d_out, width, heads), head.rows, first - taps / 2, around,
                    scratch.halo);
      conv_rows(scratch.filter, taps, scratch.halo, count, width, tiles.d_v, false);
      ops.transpose(scratch.halo, around, width, C(1), scratch.halo_t);
      conv_filter_gradient(tiles.v, scratch.halo_t, count, width, taps, part.band);
    } else {
      clear(tiles.d_v, count);
    }
    if (attended < count) clear(tiles.d_k, count);
    attend_backward<T>(queries, first, attended, false, HeadDropout{}, tiles);
    ops.add_segment_gradients_to_tile(slot.parts[0].d_k_landmarks, m, head.rows, first, count, width,
                                      tiles.d_k);
    ops.store_rows(tiles.d_k, count, d_k, first);
    ops.store_rows(tiles.d_v, count, d_v, first);
  }
}

template <class T>
void NystromBackward<T>::finish_gradients(const HeadTask& head, const Slot& slot, C* d_w) const {
  const auto& ops = tile_ops<T>();
  const Index m = shape_.options.landmarks, taps = shape_.taps;
  const Tile<C>& total = slot.parts[0].d_q_landmarks;
  for (Index c = 0; c < NystromShape::chunks(head.rows); ++c) {
    const auto& part = slot.parts[static_cast<std::size_t>(c)];
    if (c > 0) ops.add(total.data, part.d_q_landmarks.data, m * total.stride);
    if (taps > 0) conv_finish_filter_gradient(part.band, taps, d_w);
  }
  ops.add_segment_gradients(total, m, head.of<T>(gradients_.d_qkv, shape_.width, shape_.heads, 0), head.rows);
}

template struct NystromBackwardSlot<float>;
template struct NystromBackwardSlot<double>;
template struct NystromBackwardScratch<float>;
template struct NystromBackwardScratch<double>;
template class NystromBackward<float>;
template class NystromBackward<BF16>;
template class NystromBackward<double>;

}  // namespace nystrom
