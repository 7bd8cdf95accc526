#include "kernels/cpu/attention/head_convolution.h"

namespace nystrom {

template <class C>
ConvolutionMemory<C>::ConvolutionMemory(WorkspaceAllocator<C>& allocator, const AttentionShape& shape)
    : halo(allocator.tile(kTileRows + shape.taps, shape.width)),
      halo_t(allocator.tile(shape.width, conv_halo_columns(kTileRows, shape.taps))),
      filter(allocator.take(conv_filter_elements(shape.taps))) {}

namespace {

/// tile [i, :] = the head's row begin + i, for i < count: here, in the halo, or zero.
template <class T>
void load_with_halo(const HeadRows<const T>& rows, const HeadTask& head, const HaloRows<T>* halo, Index begin,
                    Index count, const Tile<Compute<T>>& tile) {
  const auto& ops = tile_ops<T>();
  ops.load_rows(rows, head.rows, begin, count, tile);
  if (halo == nullptr) return;
  const auto overlay = [&](const T* from, Index first, Index height) {
    const Index low = std::max(begin, first), high = std::min(begin + count, first + height);
    if (low >= high) return;
    ops.load_rows({from + head.head * rows.width, halo->channels, rows.width}, height, low - first,
                  high - low, {tile.row(low - begin), tile.stride});
  };
  overlay(halo->before, -halo->before_rows, halo->before_rows);
  overlay(halo->after, head.rows, halo->after_rows);
}

}  // namespace

template <class T>
ConvolvedValues<T>::ConvolvedValues(const AttentionInputs& inputs, const HeadTask& head,
                                    const ConvolutionMemory<C>& memory, C factor, const HaloRows<T>* halo)
    : v_(head.of<const T>(inputs.qkv, inputs.width(), inputs.heads, inputs.projections() - 1)),
      head_(head),
      taps_(inputs.taps()),
      memory_(memory),
      halo_(halo) {
  if (taps_ > 0)
    conv_prepare_filter(inputs.conv_weight.data<C>() + head.head * taps_, taps_, false, factor,
                        memory.filter);
}

template <class T>
void ConvolvedValues<T>::add(Index first, Index count, const Tile<C>& tile) const {
  if (taps_ == 0) return;
  load_with_halo(v_, head_, halo_, first - taps_ / 2, count + taps_ - 1, memory_.halo);
  conv_rows(memory_.filter, taps_, memory_.halo, count, v_.width, tile, true);
}

template <class T>
ConvolutionGradient<T>::ConvolutionGradient(const AttentionInputs& inputs,
                                            const AttentionGradients& gradients, const HeadTask& head,
                                            const ConvolutionMemory<C>& memory, C* band,
                                            const HaloRows<T>* halo)
    : d_out_(head.of<const T>(gradients.d_out, inputs.width(), inputs.heads)),
      head_(head),
      taps_(inputs.taps()),
      memory_(memory),
      band_(band),
      halo_(halo) {
  if (taps_ == 0) return;
  conv_prepare_filter(inputs.conv_weight.data<C>() + head.head * taps_, taps_, true, C(1), memory.filter);
  std::fill_n(band, conv_band_elements(taps_), C(0));
}

template <class T>
void ConvolutionGradient<T>::add(Index first, Index count, const Tile<C>& v, const Tile<C>& d_v) const {
  if (taps_ == 0) return;
  const auto& ops = tile_ops<T>();
  const Index around = count + taps_ - 1;
  load_with_halo(d_out_, head_, halo_, first - taps_ / 2, around, memory_.halo);
  conv_rows(memory_.filter, taps_, memory_.halo, count, d_out_.width, d_v, true);
  ops.transpose(memory_.halo, around, d_out_.width, C(1), memory_.halo_t);
  conv_filter_gradient(v, memory_.halo_t, count, d_out_.width, taps_, band_);
}

template struct ConvolutionMemory<float>;
template struct ConvolutionMemory<double>;
template class ConvolvedValues<float>;
template class ConvolvedValues<BF16>;
template class ConvolvedValues<double>;
template class ConvolutionGradient<float>;
template class ConvolutionGradient<BF16>;
template class ConvolutionGradient<double>;

}  // namespace nystrom
