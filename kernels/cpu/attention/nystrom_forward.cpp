#include "kernels/cpu/attention/nystrom_head.h"

namespace nystrom {

template <class C>
NystromForwardSlot<C>::NystromForwardSlot(WorkspaceAllocator<C>& allocator, const NystromShape& shape)
    : q_t(allocator.tile(shape.width, shape.options.landmarks)),
      k_t(allocator.tile(shape.width, shape.options.landmarks)),
      a(allocator.tile(shape.options.landmarks, shape.options.landmarks)),
      w(allocator.tile(shape.options.landmarks, shape.width)) {
  for (Index c = 0; c < shape.max_chunks(); ++c)
    parts[static_cast<std::size_t>(c)] = allocator.column_softmax(shape.options.landmarks, shape.width);
}

template <class C>
NystromForwardScratch<C>::NystromForwardScratch(WorkspaceAllocator<C>& allocator, const NystromShape& shape) {
  const Index m = shape.options.landmarks, width = shape.width;
  tiles.rows = allocator.tile(kTileRows, width);
  tiles.s = allocator.tile(kTileRows, m);
  landmarks = allocator.tile(m, width);
  z = allocator.tile(m, m);
  out = allocator.tile(kTileRows, width);
  convolution = ConvolutionMemory<C>(allocator, shape);
  stats = allocator.take(2 * m);
  pinv = allocator.take(pseudo_inverse_scratch(m));
}

template <class T>
void NystromForward<T>::load_means(const HeadTask& head, Index part, const SegmentSums* sums,
                                   const Tile<C>& means) const {
  const Index m = shape_.options.landmarks, width = shape_.width;
  if (sums == nullptr)
    return tile_ops<T>().segment_means(head.of<const T>(args_.inputs.qkv, width, shape_.heads, part),
                                       head.rows, m, means);
  clear(means, m);
  for (Index j = 0; j < m; ++j) {
    const C factor = C(1) / static_cast<C>((j + 1) * head.length / m - j * head.length / m);
    const C* const sum = (part == 0 ? sums->q : sums->k) + j * sums->stride;
    for (Index d = 0; d < width; ++d) means.row(j)[d] = sum[d] * factor;
  }
}

template <class T>
Compute<T> NystromForward<T>::make_landmarks(const HeadTask& head, const Slot& slot, const Scratch& scratch,
                                             const SegmentSums* sums) const {
  const auto& ops = tile_ops<T>();
  const Index m = shape_.options.landmarks, width = shape_.width;
  const C scale = inverse_root<C>(width);
  const Tile<C>& landmarks = scratch.landmarks;
  load_means(head, 1, sums, landmarks);
  ops.pack(landmarks, m, width, saved_at<C>(args_.saved.k_landmarks, head));
  ops.transpose(landmarks, m, width, scale, slot.k_t);
  load_means(head, 0, sums, landmarks);
  ops.pack(landmarks, m, width, saved_at<C>(args_.saved.q_landmarks, head));
  ops.transpose(landmarks, m, width, scale, slot.q_t);
  small_gemm(SmallGemm<C>{m, m, width, landmarks.data, landmarks.stride, 1, slot.k_t.data, slot.k_t.stride,
                          slot.a.data, slot.a.stride});
  ops.row_softmax(slot.a, m, m, scratch.stats, 2);
  return one_norm(slot.a, m).value;
}

template <class T>
void NystromForward<T>::accumulate_kernel3(const HeadTask& head, Index chunk, const Slot& slot,
                                           const Scratch& scratch) const {
  const Index heads = shape_.heads, width = shape_.width;
  const RowRange rows = NystromShape::rows_of(head, chunk);
  const ColumnSoftmax<C>& part = slot.parts[static_cast<std::size_t>(chunk)];
  tile_ops<T>().column_softmax_start(part);
  attend<T>(head.of<const T>(args_.inputs.qkv, width, heads, 1),
            head.of<const T>(args_.inputs.qkv, width, heads, 2), rows.begin, std::min(rows.end, head.keys),
            slot.q_t, part, HeadDropout{}, nullptr, scratch.tiles);
}

template <class T>
void NystromForward<T>::merge_kernel3(const HeadTask& head, const Slot& slot) const {
  for (Index c = 1; c < NystromShape::chunks(head.rows); ++c)
    tile_ops<T>().column_softmax_merge(slot.parts[0], slot.parts[static_cast<std::size_t>(c)]);
}

template <class T>
void NystromForward<T>::invert_kernel2(const HeadTask& head, C scale, const Slot& slot,
                                       const Scratch& scratch) const {
  const auto& ops = tile_ops<T>();
  const Index m = shape_.options.landmarks, width = shape_.width;
  const ColumnSoftmax<C>& k3_v = slot.parts[0];
  ops.column_softmax_finish(k3_v);
  ops.pack(k3_v.weighted, m, width, saved_at<C>(args_.saved.k3_v, head));
  C* const stats = saved_at<C>(args_.saved.k3_stats, head);
  for (Index j = 0; j < m; ++j) {
    stats[2 * j] = k3_v.maxima[j];
    stats[2 * j + 1] = k3_v.sums[j];
  }
  pseudo_inverse(slot.a, m, scale, shape_.options.pinv_iterations, scratch.pinv, scratch.z);
  ops.pack(scratch.z, m, m, saved_at<C>(args_.saved.pinv, head));
  if (!args_.saved.residuals.empty())  // one rank reports that of a sequence split across ranks
    *saved_at<C>(args_.saved.residuals, head) =
        head.first == 0 ? pseudo_inverse_residual(slot.a, scratch.z, m, scratch.pinv) : C(0);
  small_gemm(SmallGemm<C>{m, width, m, scratch.z.data, scratch.z.stride, 1, k3_v.weighted.data,
                          k3_v.weighted.stride, slot.w.data, slot.w.stride});
}

template <class T>
void NystromForward<T>::attend_queries(const HeadTask& head, Index chunk, const Slot& slot,
                                       const Scratch& scratch, const HaloRows<T>* halo) const {
  attend_summary<T>(args_.inputs, args_.saved.row_stats, head, chunk,
                    {.count = shape_.options.landmarks, .keys_t = slot.k_t, .values = slot.w},
                    ConvolvedValues<T>(args_.inputs, head, scratch.convolution, C(1), halo),
                    {.rows = scratch.tiles.rows, .s = scratch.tiles.s, .out = scratch.out});
}

template struct NystromForwardSlot<float>;
template struct NystromForwardSlot<double>;
template struct NystromForwardScratch<float>;
template struct NystromForwardScratch<double>;
template class NystromForward<float>;
template class NystromForward<BF16>;
template class NystromForward<double>;

}  // namespace nystrom
