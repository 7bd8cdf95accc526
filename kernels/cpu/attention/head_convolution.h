#pragma once
// The convolution of one head's values, a tile of rows at a time, forward and backward. One thread. Without
// taps it does nothing.

#include "kernels/cpu/attention/depthwise_conv.h"
#include "kernels/cpu/attention/work_split.h"

namespace nystrom {

/// Memory of one thread.
template <class C>
struct ConvolutionMemory {
  ConvolutionMemory() = default;
  ConvolutionMemory(WorkspaceAllocator<C>& allocator, const AttentionShape& shape);

  Tile<C> halo;    ///< [kTileRows + K - 1, D]
  Tile<C> halo_t;  ///< [D, conv_halo_columns]
  C* filter = nullptr;
};

/// Rows of a [n, C] tensor around those of this rank, which other ranks have sent. Beyond them the sequence
/// has ended.
template <class T>
struct HaloRows {
  const T* before = nullptr;  ///< [before_rows, C]; the last is the row before the first one here
  const T* after = nullptr;   ///< [after_rows, C]
  Index before_rows = 0, after_rows = 0, channels = 0;
};

/// factor * conv(v). `halo` may be null.
template <class T>
class ConvolvedValues {
 public:
  using C = Compute<T>;

  ConvolvedValues(const AttentionInputs& inputs, const HeadTask& head, const ConvolutionMemory<C>& memory,
                  C factor = C(1), const HaloRows<T>* halo = nullptr);
  /// tile [i, :] += its row first + i, for i < count <= kTileRows.
  void add(Index first, Index count, const Tile<C>& tile) const;

 private:
  HeadRows<const T> v_;
  const HeadTask& head_;
  Index taps_;
  const ConvolutionMemory<C>& memory_;
  const HaloRows<T>* halo_;
};

/// The gradients of conv(v). `halo` of d_out may be null.
template <class T>
class ConvolutionGradient {
 public:
  using C = Compute<T>;

  /// `band` [conv_band_elements(K)] gathers the filter's gradient, from zero.
  ConvolutionGradient(const AttentionInputs& inputs, const AttentionGradients& gradients,
                      const HeadTask& head, const ConvolutionMemory<C>& memory, C* band,
                      const HaloRows<T>* halo = nullptr);
  /// d_v [i, :] += the gradient of row first + i, which v [i, :] holds, for i < count <= kTileRows.
  void add(Index first, Index count, const Tile<C>& v, const Tile<C>& d_v) const;

 private:
  HeadRows<const T> d_out_;
  const HeadTask& head_;
  Index taps_;
  const ConvolutionMemory<C>& memory_;
  C* band_;
  const HaloRows<T>* halo_;
};

/// d_conv_weight [H, K] += the bands of all chunks, sequence after sequence: band(head, chunk).
template <class C, class Band>
void finish_filter_gradients(const AttentionShape& shape, const Sequences& sequences,
                             const Tensor& d_conv_weight, const Band& band) {
  if (shape.taps == 0) return;
  for (Index item = 0; item < shape.items(); ++item) {
    const HeadTask head = shape.head(sequences, item);
    for (Index chunk = 0; chunk < AttentionShape::chunks(head.rows); ++chunk)
      conv_finish_filter_gradient(band(head, chunk), shape.taps,
                                  d_conv_weight.data<C>() + head.head * shape.taps);
  }
}

}  // namespace nystrom
