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
  const Index m = shape.options.landmarks, width = shape.width;
  for (Tile<C>* tile : {&x, &y, &d_x, &d_y}) *tile = allocator.tile(kTileRows, width);
  for (Tile<C>* tile : {&s, &d_s}) *tile = allocator.tile(kTileRows, m);
  for (Tile<C>* tile : {&z, &g}) *tile = allocator.tile(m, m);
  d_w_t = allocator.tile(width, m);
  w = allocator.tile(m, width);
  convolution = ConvolutionMemory<C>(allocator, shape);
  stats = allocator.take(2 * m);
  pinv = allocator.take(pseudo_inverse_backward_scratch(m, shape.options.pinv_iterations));
}

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
  const Index m = shape_.options.landmarks;
  const auto& part = slot.parts[static_cast<std::size_t>(chunk)];
  clear(part.d_w, m);
  clear(part.d_k_landmarks, m);
  attend_summary_backward<T>(
      args_.inputs, gradients_, args_.saved.row_stats, head, chunk,
      {.count = m, .keys_t = slot.k_t, .values = {}},
      {.scale = inverse_root<C>(shape_.width),
       .keys = slot.k,
       .values_t = slot.w_t,
       .d_keys = part.d_k_landmarks,
       .d_values = part.d_w},
      {.rows = scratch.x, .d_out = scratch.y, .d_rows = scratch.d_x, .s = scratch.s, .d_s = scratch.d_s});
}

template <class T>
void NystromBackward<T>::add_query_parts(const HeadTask& head, const Slot& slot) const {
  const auto& ops = tile_ops<T>();
  const Index m = shape_.options.landmarks;
  const auto& total = slot.parts[0];
  for (Index c = 1; c < NystromShape::chunks(head.rows); ++c) {
    const auto& part = slot.parts[static_cast<std::size_t>(c)];
    ops.add(total.d_w.data, part.d_w.data, m * total.d_w.stride);
    ops.add(total.d_k_landmarks.data, part.d_k_landmarks.data, m * total.d_k_landmarks.stride);
  }
}

template <class T>
Compute<T> NystromBackward<T>::invert_kernel2_gradient(const HeadTask& head, C scale, const Slot& slot,
                                                       const Scratch& scratch) const {
  const auto& ops = tile_ops<T>();
  const Index m = shape_.options.landmarks, width = shape_.width;
  const auto& total = slot.parts[0];
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
                                       const Scratch& scratch, const HaloRows<T>* halo) const {
  const auto& ops = tile_ops<T>();
  const Index m = shape_.options.landmarks, heads = shape_.heads, width = shape_.width;
  const auto k = head.of<const T>(args_.inputs.qkv, width, heads, 1),
             v = head.of<const T>(args_.inputs.qkv, width, heads, 2);
  const auto d_k = head.of<T>(gradients_.d_qkv, width, heads, 1),
             d_v = head.of<T>(gradients_.d_qkv, width, heads, 2);
  const auto& part = slot.parts[static_cast<std::size_t>(chunk)];
  // The sequence's first chunk begins with the part through A.
  if (chunk > 0 || head.first > 0) clear(part.d_q_landmarks, m);
  const ConvolutionGradient<T> convolution(args_.inputs, gradients_, head, scratch.convolution, part.band,
                                           halo);
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
  for_tiles(head, chunk, [&](Index first, Index count) {
    const Index attended = rows_below(head.keys, first, count);
    ops.load_rows(k, head.rows, first, count, tiles.k);
    ops.load_rows(v, head.rows, first, count, tiles.v);
    clear(tiles.d_v, count);
    convolution.add(first, count, tiles.v, tiles.d_v);
    if (attended < count) clear(tiles.d_k, count);
    attend_backward<T>(queries, first, attended, false, HeadDropout{}, nullptr, tiles);
    ops.add_segment_gradients_to_tile(slot.parts[0].d_k_landmarks, m, head.length, head.first + first, count,
                                      width, tiles.d_k);
    ops.store_rows(tiles.d_k, count, d_k, first);
    ops.store_rows(tiles.d_v, count, d_v, first);
  });
}

template <class T>
void NystromBackward<T>::add_key_parts(const HeadTask& head, const Slot& slot) const {
  const Tile<C>& total = slot.parts[0].d_q_landmarks;
  for (Index c = 1; c < NystromShape::chunks(head.rows); ++c)
    tile_ops<T>().add(total.data, slot.parts[static_cast<std::size_t>(c)].d_q_landmarks.data,
                      shape_.options.landmarks * total.stride);
}

template <class T>
void NystromBackward<T>::finish_gradients(const HeadTask& head, const Slot& slot, C* d_w) const {
  const RowRange chunks = NystromShape::chunks_of(head);
  for (Index c = chunks.begin; shape_.taps > 0 && c < chunks.end; ++c)
    conv_finish_filter_gradient(slot.parts[static_cast<std::size_t>(c)].band, shape_.taps, d_w);
  tile_ops<T>().add_segment_gradients(slot.parts[0].d_q_landmarks, shape_.options.landmarks,
                                      head.of<T>(gradients_.d_qkv, shape_.width, shape_.heads, 0),
                                      head.length, head.first, head.rows);
}

template struct NystromBackwardSlot<float>;
template struct NystromBackwardSlot<double>;
template struct NystromBackwardScratch<float>;
template struct NystromBackwardScratch<double>;
template class NystromBackward<float>;
template class NystromBackward<BF16>;
template class NystromBackward<double>;

}  // namespace nystrom
