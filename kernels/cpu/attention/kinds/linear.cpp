// Linear attention on the CPU. Values have a column of ones appended, so that the numerator and the
// denominator are one product: [D, D + 1] states.

#include "kernels/cpu/attention/kinds/phased_attention.h"
#include "kernels/cpu/ops.h"

namespace nystrom::cpu {
namespace {

/// Of a chunk: its part of the state, or of the state's gradient.
template <class C>
struct Part {
  Part(WorkspaceAllocator<C>& allocator, const AttentionShape& shape)
      : state(allocator.tile(shape.width, shape.width + 1)),
        band(allocator.take(conv_band_elements(shape.taps))) {}
  Tile<C> state;  ///< [D, D + 1]
  C* band;
};

template <class C>
struct Scratch {
  Scratch(WorkspaceAllocator<C>& allocator, const AttentionShape& shape) : convolution(allocator, shape) {
    for (Tile<C>* tile : {&features, &values, &d_features, &d_values})
      *tile = allocator.tile(kTileRows, shape.width + 1);
    state = allocator.tile(shape.width, shape.width + 1);
    state_t = allocator.tile(shape.width + 1, shape.width);
    inverse = allocator.take(kTileRows);
    dots = allocator.take(kTileRows);
  }
  Tile<C> features, d_features;  ///< [kTileRows, D]
  Tile<C> values, d_values;      ///< [kTileRows, D + 1]
  Tile<C> state, state_t;        ///< [D, D + 1], [D + 1, D]
  C *inverse, *dots;             ///< [kTileRows]
  ConvolutionMemory<C> convolution;
};

template <class T>
using LinearBase = PhasedAttention<T, Part<Compute<T>>, Scratch<Compute<T>>, AttentionShape>;

template <class T>
class Linear : LinearBase<T> {
  using Base = LinearBase<T>;

 public:
  using C = Compute<T>;
  using typename Base::Workspace;

  Linear(Context& context, const LinearAttention& args)
      : Base(context, args.inputs, AttentionShape(context, args.inputs)), args_(args) {}

  void forward() const {
    over_chunks([&](const HeadTask& head, Index chunk, const Scratch<C>& s) { sum_keys(head, chunk, s); });
    over_heads([&](const HeadTask& head) {
      ops_.pack(total(head), width_, width_ + 1, saved_at<C>(args_.state, head));
    });
    over_chunks([&](const HeadTask& head, Index chunk, const Scratch<C>& s) { attend(head, chunk, s); });
  }

  void backward(const AttentionGradients& gradients) const {
    over_chunks([&](const HeadTask& head, Index chunk, const Scratch<C>& s) {
      queries_gradient(gradients, head, chunk, s);
    });
    over_heads([&](const HeadTask& head) { static_cast<void>(total(head)); });
    over_chunks([&](const HeadTask& head, Index chunk, const Scratch<C>& s) {
      keys_gradient(gradients, head, chunk, s);
    });
    add_filter_gradient(gradients);
  }

 private:
  /// The sum of all chunks' states, in that of the first.
  Tile<C> total(const HeadTask& head) const {
    const Tile<C> sum = memory_.part(head).state;
    for (Index c = 1; c < AttentionShape::chunks(head.rows); ++c)
      ops_.add(sum.data, memory_.part(head, c).state.data, width_ * sum.stride);
    return sum;
  }

  void load_features(const HeadTask& head, Index part, Index first, Index count, const Tile<C>& tile) const {
    ops_.load_rows(part_of(head, part), head.rows, first, count, tile);
    ops_.elu_features(tile, count, width_);
  }
  void load_values(const HeadTask& head, Index first, Index count, const Tile<C>& tile) const {
    ops_.load_rows(part_of(head, 2), head.rows, first, count, tile);
    for (Index i = 0; i < count; ++i) tile.row(i)[width_] = C(1);
  }

  void sum_keys(const HeadTask& head, Index chunk, const Scratch<C>& s) const {
    const Tile<C> state = memory_.part(head, chunk).state;
    clear(state, width_);
    for_tiles(head, chunk, [&](Index first, Index count) {
      load_features(head, 1, first, count, s.features);
      load_values(head, first, count, s.values);
      multiply_transposed(width_, width_ + 1, count, s.features, s.values, state, C(1), true);
    });
  }

  /// s.values = f(q) S; s.inverse = 1 / its last column.
  void apply_state(const HeadTask& head, Index first, Index count, const Scratch<C>& s) const {
    load_features(head, 0, first, count, s.features);
    multiply(count, width_ + 1, width_, s.features, s.state, s.values);
    for (Index i = 0; i < count; ++i) s.inverse[i] = C(1) / s.values.row(i)[width_];
  }

  void attend(const HeadTask& head, Index chunk, const Scratch<C>& s) const {
    ops_.unpack(saved_at<C>(args_.state, head), width_, width_ + 1, s.state);
    const ConvolvedValues<T> convolution(args_.inputs, head, s.convolution);
    for_tiles(head, chunk, [&](Index first, Index count) {
      apply_state(head, first, count, s);
      ops_.scale_rows(s.values, count, width_, s.inverse);
      convolution.add(first, count, s.values);
      ops_.store_rows(s.values, count, head.of<T>(args_.inputs.out, width_, shape_.heads), first);
    });
  }

  /// d_q of a chunk, and its part of d_S.
  void queries_gradient(const AttentionGradients& gradients, const HeadTask& head, Index chunk,
                        const Scratch<C>& s) const {
    const Tile<C> d_state = memory_.part(head, chunk).state;
    clear(d_state, width_);
    ops_.unpack(saved_at<C>(args_.state, head), width_, width_ + 1, s.state);
    ops_.transpose(s.state, width_, width_ + 1, C(1), s.state_t);
    for_tiles(head, chunk, [&](Index first, Index count) {
      apply_state(head, first, count, s);
      ops_.load_rows(head.of<const T>(gradients.d_out, width_, shape_.heads), head.rows, first, count,
                     s.d_values);
      ops_.scale_rows(s.d_values, count, width_, s.inverse);
      ops_.row_dots(s.d_values, s.values, count, width_, s.dots);
      for (Index i = 0; i < count; ++i) s.d_values.row(i)[width_] = -s.dots[i] * s.inverse[i];
      multiply_transposed(width_, width_ + 1, count, s.features, s.d_values, d_state, C(1), true);
      multiply(count, width_, width_ + 1, s.d_values, s.state_t, s.d_features);
      ops_.elu_features_backward(s.features, s.d_features, count, width_);
      ops_.store_rows(s.d_features, count, head.of<T>(gradients.d_qkv, width_, shape_.heads, 0), first);
    });
  }

  /// d_k and d_v of a chunk.
  void keys_gradient(const AttentionGradients& gradients, const HeadTask& head, Index chunk,
                     const Scratch<C>& s) const {
    const Tile<C> d_state = memory_.part(head).state;
    ops_.transpose(d_state, width_, width_ + 1, C(1), s.state_t);
    const ConvolutionGradient<T> convolution(args_.inputs, gradients, head, s.convolution,
                                             memory_.part(head, chunk).band);
    for_tiles(head, chunk, [&](Index first, Index count) {
      load_features(head, 1, first, count, s.features);
      load_values(head, first, count, s.values);
      multiply(count, width_, width_ + 1, s.values, s.state_t, s.d_features);
      ops_.elu_features_backward(s.features, s.d_features, count, width_);
      multiply(count, width_ + 1, width_, s.features, d_state, s.d_values);
      convolution.add(first, count, s.values, s.d_values);
      ops_.store_rows(s.d_features, count, head.of<T>(gradients.d_qkv, width_, shape_.heads, 1), first);
      ops_.store_rows(s.d_values, count, head.of<T>(gradients.d_qkv, width_, shape_.heads, 2), first);
    });
  }

  using Base::add_filter_gradient, Base::over_chunks, Base::over_heads, Base::part_of;
  using Base::memory_, Base::ops_, Base::shape_, Base::width_;

  const LinearAttention& args_;
};

}  // namespace

Index linear_attention_workspace(const AttentionLimits& limits) {
  return Linear<float>::Workspace(nullptr, AttentionShape(limits)).elements();
}

void linear_attention_forward(Context& context, const LinearAttention& args) {
  dispatch_float(args.inputs.qkv.dtype, [&]<class T>(T) { Linear<T>(context, args).forward(); });
}

void linear_attention_backward(Context& context, const LinearAttention& args,
                               const AttentionGradients& gradients) {
  dispatch_float(args.inputs.qkv.dtype, [&]<class T>(T) { Linear<T>(context, args).backward(gradients); });
}

}  // namespace nystrom::cpu
