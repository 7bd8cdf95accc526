#include "kernels/cpu/attention/depthwise_conv.h"
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
  const Index m = shape.options.landmarks, taps = shape.taps, width = shape.width;
  tiles.rows = allocator.tile(kTileRows, width);
  tiles.s = allocator.tile(kTileRows, m);
  landmarks = allocator.tile(m, width);
  z = allocator.tile(m, m);
  halo = allocator.tile(kTileRows + taps, width);
  out = allocator.tile(kTileRows, width);
  filter = allocator.take(conv_filter_elements(taps));
  stats = allocator.take(2 * m);
  pinv = allocator.take(pseudo_inverse_scratch(m));
}

namespace {

/// The place of head (b, h) in a saved [B, H, ...] tensor.
template <class C>
C* saved_at(const Tensor& x, const HeadTask& head) {
  const Index size = x.shape.rank() > 3 ? x.dim(2) * x.dim(3) : 1;
  return x.data<C>() + (head.batch * x.dim(1) + head.head) * size;
}

}  // namespace

template <class T>
Compute<T> NystromForward<T>::make_landmarks(const HeadTask& head, const Slot& slot,
                                             const Scratch& scratch) const {
  const auto& ops = tile_ops<T>();
  const Index m = shape_.options.landmarks, heads = shape_.heads, width = shape_.width;
  const C scale = C(1) / std::sqrt(static_cast<C>(width));
  const Tile<C>& landmarks = scratch.landmarks;
  ops.segment_means(head.of<const T>(args_.inputs.qkv, width, heads, 1), head.rows, m, landmarks);
  ops.pack(landmarks, m, width, saved_at<C>(args_.saved.k_landmarks, head));
  ops.transpose(landmarks, m, width, scale, slot.k_t);
  ops.segment_means(head.of<const T>(args_.inputs.qkv, width, heads, 0), head.rows, m, landmarks);
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
  const Index heads = shape_.heads, width = shape_.width, size = NystromShape::chunk_rows(head.rows);
  const ColumnSoftmax<C>& part = slot.parts[static_cast<std::size_t>(chunk)];
  tile_ops<T>().column_softmax_start(part);
  attend<T>(head.of<const T>(args_.inputs.qkv, width, heads, 1),
            head.of<const T>(args_.inputs.qkv, width, heads, 2), chunk * size,
            std::min((chunk + 1) * size, head.keys), slot.q_t, part, HeadDropout{}, scratch.tiles);
}

template <class T>
void NystromForward<T>::invert_kernel2(const HeadTask& head, C scale, const Slot& slot,
                                       const Scratch& scratch) const {
  const auto& ops = tile_ops<T>();
  const Index m = shape_.options.landmarks, width = shape_.width;
  const ColumnSoftmax<C>& k3_v = slot.parts[0];
  for (Index c = 1; c < NystromShape::chunks(head.rows); ++c)
    ops.column_softmax_merge(k3_v, slot.parts[static_cast<std::size_t>(c)]);
  ops.column_softmax_finish(k3_v);
  ops.pack(k3_v.weighted, m, width, saved_at<C>(args_.saved.k3_v, head));
  C* const stats = saved_at<C>(args_.saved.k3_stats, head);
  for (Index j = 0; j < m; ++j) {
    stats[2 * j] = k3_v.maxima[j];
    stats[2 * j + 1] = k3_v.sums[j];
  }
  pseudo_inverse(slot.a, m, scale, shape_.options.pinv_iterations, scratch.pinv, scratch.z);
  ops.pack(scratch.z, m, m, saved_at<C>(args_.saved.pinv, head));
  if (!args_.saved.residuals.empty())
    *saved_at<C>(args_.saved.residuals, head) = pseudo_inverse_residual(slot.a, scratch.z, m, scratch.pinv);
  small_gemm(SmallGemm<C>{m, width, m, scratch.z.data, scratch.z.stride, 1, k3_v.weighted.data,
                          k3_v.weighted.stride, slot.w.data, slot.w.stride});
}

template <class T>
void NystromForward<T>::attend_queries(const HeadTask& head, Index chunk, const Slot& slot,
                                       const Scratch& scratch) const {
  const auto& ops = tile_ops<T>();
  const Index m = shape_.options.landmarks, heads = shape_.heads, taps = shape_.taps;
  const Index width = shape_.width, size = NystromShape::chunk_rows(head.rows);
  const auto q = head.of<const T>(args_.inputs.qkv, width, heads, 0),
             v = head.of<const T>(args_.inputs.qkv, width, heads, 2);
  const auto out = head.of<T>(args_.inputs.out, width, heads);
  if (taps > 0)
    conv_prepare_filter(args_.inputs.conv_weight.data<C>() + head.head * taps, taps, false, C(1),
                        scratch.filter);
  const Tile<C>&x = scratch.tiles.rows, &s = scratch.tiles.s, &y = scratch.out;
  for (Index first = chunk * size, end = std::min(first + size, head.rows); first < end; first += kTileRows) {
    const Index count = std::min(kTileRows, end - first);
    ops.load_rows(q, head.rows, first, count, x);
    small_gemm(
        SmallGemm<C>{count, m, width, x.data, x.stride, 1, slot.k_t.data, slot.k_t.stride, s.data, s.stride});
    ops.row_softmax(s, count, m,
                    args_.saved.row_stats.data<C>() + ((head.begin + first) * heads + head.head) * 2,
                    2 * heads);
    small_gemm(
        SmallGemm<C>{count, width, m, s.data, s.stride, 1, slot.w.data, slot.w.stride, y.data, y.stride});
    if (taps > 0) {
      ops.load_rows(v, head.rows, first - taps / 2, count + taps - 1, scratch.halo);
      conv_rows(scratch.filter, taps, scratch.halo, count, width, y, true);
    }
    ops.store_rows(y, count, out, first);
  }
}

template struct NystromForwardSlot<float>;
template struct NystromForwardSlot<double>;
template struct NystromForwardScratch<float>;
template struct NystromForwardScratch<double>;
template class NystromForward<float>;
template class NystromForward<BF16>;
template class NystromForward<double>;

}  // namespace nystrom
