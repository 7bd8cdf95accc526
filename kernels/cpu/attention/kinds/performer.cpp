// Performer attention on the CPU: a softmax over the keys for each feature, then one over the features for
// each query. Keys have a column appended, -|k^|^2 / 2, and features one of ones, so that logits are one
// product.

#include "kernels/cpu/attention/kinds/phased_attention.h"
#include "kernels/cpu/attention/summary_rows.h"
#include "kernels/cpu/ops.h"

namespace nystrom::cpu {
namespace {

struct PerformerShape : AttentionShape {
  Index features;  ///< m

  PerformerShape(const AttentionShape& shape, Index count) : AttentionShape(shape), features(count) {}
};

/// Of a chunk, forward: the features' softmaxes over its keys.
template <class C>
struct ForwardPart {
  ForwardPart(WorkspaceAllocator<C>& allocator, const PerformerShape& shape)
      : softmax(allocator.column_softmax(shape.features, shape.width)) {}
  ColumnSoftmax<C> softmax;
};

/// Of a chunk, backward: its part of the gradients of B and of log Z.
template <class C>
struct BackwardPart {
  BackwardPart(WorkspaceAllocator<C>& allocator, const PerformerShape& shape)
      : d_values(allocator.tile(shape.features, shape.width)),
        d_log_sums(allocator.take(shape.features)),
        band(allocator.take(conv_band_elements(shape.taps))) {}
  Tile<C> d_values;  ///< [m, D]
  C* d_log_sums;     ///< [m]
  C* band;
};

template <class C>
struct Scratch {
  Scratch(WorkspaceAllocator<C>& allocator, const PerformerShape& shape) : convolution(allocator, shape) {
    const Index m = shape.features, width = shape.width;
    for (Tile<C>* tile : {&keys, &d_keys}) *tile = allocator.tile(kTileRows, width + 1);
    for (Tile<C>* tile : {&rows, &d_rows}) *tile = allocator.tile(kTileRows, width);
    for (Tile<C>* tile : {&s, &d_s}) *tile = allocator.tile(kTileRows, m);
    features = allocator.tile(m, width + 1);
    features_t = allocator.tile(width + 1, m);
    values = allocator.tile(m, width);
    values_t = allocator.tile(width, m);
    for (C** vector : {&maxima, &inverse_sums, &log_sums, &deltas}) *vector = allocator.take(m);
    squares = allocator.take(kTileRows);
  }
  Tile<C> keys, d_keys;      ///< [kTileRows, D + 1]
  Tile<C> rows, d_rows;      ///< [kTileRows, D]
  Tile<C> s, d_s;            ///< [kTileRows, m]
  Tile<C> features;          ///< [m, D + 1] w / D^(1/4), 1
  Tile<C> features_t;        ///< [D + 1, m]
  Tile<C> values, values_t;  ///< [m, D], [D, m]: B, or its gradient
  C *maxima, *inverse_sums;  ///< [m] of the softmaxes over keys
  C *log_sums, *deltas;      ///< [m]
  C* squares;                ///< [kTileRows]
  ConvolutionMemory<C> convolution;
};

template <class T, class Part>
using PerformerBase = PhasedAttention<T, Part, Scratch<Compute<T>>, PerformerShape>;

template <class T, class Part>
class Performer : PerformerBase<T, Part> {
  using Base = PerformerBase<T, Part>;

 public:
  using C = Compute<T>;
  using typename Base::Workspace;

  Performer(Context& context, const PerformerAttention& args)
      : Base(context, args.inputs, {AttentionShape(context, args.inputs), args.features.dim(1)}),
        args_(args),
        m_(shape_.features) {}

  void forward() const {
    over_chunks([&](const HeadTask& head, Index chunk, const Scratch<C>& s) { sum_keys(head, chunk, s); });
    over_heads([&](const HeadTask& head) { finish_keys(head); });
    over_chunks([&](const HeadTask& head, Index chunk, const Scratch<C>& s) { attend(head, chunk, s); });
  }

  void backward(const AttentionGradients& gradients) const {
    over_chunks([&](const HeadTask& head, Index chunk, const Scratch<C>& s) {
      queries_gradient(gradients, head, chunk, s);
    });
    over_heads([&](const HeadTask& head) { finish_queries_gradient(head); });
    over_chunks([&](const HeadTask& head, Index chunk, const Scratch<C>& s) {
      keys_gradient(gradients, head, chunk, s);
    });
    add_filter_gradient(gradients);
  }

 private:
  template <class Body>
  void over_chunks(const Body& body) const {
    Base::over_chunks([&](const HeadTask& head, Index chunk, const Scratch<C>& scratch) {
      load_features(head, scratch);
      body(head, chunk, scratch);
    });
  }

  /// w . x^ is (w / D^(1/4)) . x.
  void load_features(const HeadTask& head, const Scratch<C>& s) const {
    const C scale = std::sqrt(inverse_root<C>(width_));
    const C* from = args_.features.data<C>() + head.head * m_ * width_;
    for (Index r = 0; r < m_; ++r, from += width_) {
      for (Index d = 0; d < width_; ++d) s.features.row(r)[d] = scale * from[d];
      s.features.row(r)[width_] = C(1);
    }
    ops_.transpose(s.features, m_, width_ + 1, C(1), s.features_t);
  }

  /// s.keys and s.s: the keys of a tile and their logits.
  void load_keys(const HeadTask& head, Index first, Index count, const Scratch<C>& s) const {
    ops_.load_rows(part_of(head, 1), head.rows, first, count, s.keys);
    ops_.row_dots(s.keys, s.keys, count, width_, s.squares);
    const C factor = C(-0.5) * inverse_root<C>(width_);
    for (Index i = 0; i < count; ++i) s.keys.row(i)[width_] = factor * s.squares[i];
    multiply(count, m_, width_ + 1, s.keys, s.features_t, s.s);
  }

  void sum_keys(const HeadTask& head, Index chunk, const Scratch<C>& s) const {
    const ColumnSoftmax<C> softmax = memory_.part(head, chunk).softmax;
    ops_.column_softmax_start(softmax);
    for_tiles(head, chunk, [&](Index first, Index count) {
      load_keys(head, first, count, s);
      ops_.column_softmax_step(softmax, s.s, count);
      ops_.load_rows(part_of(head, 2), head.rows, first, count, s.rows);
      multiply_transposed(m_, width_, count, s.s, s.rows, softmax.weighted, C(1), true);
    });
  }

  void finish_keys(const HeadTask& head) const {
    const ColumnSoftmax<C> softmax = memory_.part(head).softmax;
    for (Index c = 1; c < AttentionShape::chunks(head.rows); ++c)
      ops_.column_softmax_merge(softmax, memory_.part(head, c).softmax);
    ops_.column_softmax_finish(softmax);
    ops_.pack(softmax.weighted, m_, width_, saved_at<C>(args_.saved.values, head));
    C* const stats = saved_at<C>(args_.saved.key_stats, head);
    for (Index r = 0; r < m_; ++r) {
      stats[2 * r] = softmax.maxima[r];
      stats[2 * r + 1] = softmax.sums[r];
    }
  }

  /// Statistics and B of the head, and the rows that summarize its keys.
  SummaryRows<C> restore_keys(const HeadTask& head, const Scratch<C>& s) const {
    const C* const stats = saved_at<C>(args_.saved.key_stats, head);
    for (Index r = 0; r < m_; ++r) {
      s.maxima[r] = stats[2 * r];
      s.inverse_sums[r] = stats[2 * r + 1];
      s.log_sums[r] = s.maxima[r] - std::log(s.inverse_sums[r]);
    }
    ops_.unpack(saved_at<C>(args_.saved.values, head), m_, width_, s.values);
    return {.count = m_, .keys_t = s.features_t, .values = s.values, .bias = s.log_sums};
  }

  void attend(const HeadTask& head, Index chunk, const Scratch<C>& s) const {
    attend_summary<T>(args_.inputs, args_.saved.row_stats, head, chunk, restore_keys(head, s),
                      ConvolvedValues<T>(args_.inputs, head, s.convolution),
                      {.rows = s.rows, .s = s.s, .out = s.d_rows});
  }

  /// d_q of a chunk, and its part of d_B and d_(log Z).
  void queries_gradient(const AttentionGradients& gradients, const HeadTask& head, Index chunk,
                        const Scratch<C>& s) const {
    const Part part = memory_.part(head, chunk);
    clear(part.d_values, m_);
    std::fill_n(part.d_log_sums, m_, C(0));
    const SummaryRows<C> summary = restore_keys(head, s);
    ops_.transpose(s.values, m_, width_, C(1), s.values_t);
    attend_summary_backward<T>(args_.inputs, gradients, args_.saved.row_stats, head, chunk, summary,
                               {.keys = s.features,
                                .values_t = s.values_t,
                                .d_keys = {},
                                .d_values = part.d_values,
                                .d_bias = part.d_log_sums},
                               {.rows = s.rows, .d_out = s.keys, .d_rows = s.d_rows, .s = s.s, .d_s = s.d_s});
  }

  void finish_queries_gradient(const HeadTask& head) const {
    const Part sum = memory_.part(head);
    for (Index c = 1; c < AttentionShape::chunks(head.rows); ++c) {
      const Part part = memory_.part(head, c);
      ops_.add(sum.d_values.data, part.d_values.data, m_ * sum.d_values.stride);
      ops_.add(sum.d_log_sums, part.d_log_sums, m_);
    }
  }

  /// d_k and d_v of a chunk.
  void keys_gradient(const AttentionGradients& gradients, const HeadTask& head, Index chunk,
                     const Scratch<C>& s) const {
    static_cast<void>(restore_keys(head, s));
    const Part total = memory_.part(head);
    ops_.row_dots(s.values, total.d_values, m_, width_, s.deltas);
    for (Index r = 0; r < m_; ++r) s.deltas[r] -= total.d_log_sums[r];
    ops_.transpose(total.d_values, m_, width_, C(1), s.values_t);
    const ConvolutionGradient<T> convolution(args_.inputs, gradients, head, s.convolution,
                                             memory_.part(head, chunk).band);
    for_tiles(head, chunk, [&](Index first, Index count) {
      load_keys(head, first, count, s);
      ops_.column_softmax_again(s.s, count, m_, s.maxima, s.inverse_sums);
      ops_.load_rows(part_of(head, 2), head.rows, first, count, s.rows);
      multiply(count, m_, width_, s.rows, s.values_t, s.d_s);
      multiply(count, width_, m_, s.s, total.d_values, s.d_rows);
      convolution.add(first, count, s.rows, s.d_rows);
      ops_.store_rows(s.d_rows, count, head.of<T>(gradients.d_qkv, width_, shape_.heads, 2), first);
      ops_.column_softmax_backward(s.s, s.d_s, count, m_, s.deltas);
      multiply(count, width_ + 1, m_, s.d_s, s.features, s.d_keys);
      // Behind them now is the gradient of -|k|^2 / (2 sqrt(D)).
      for (Index i = 0; i < count; ++i) s.squares[i] = -inverse_root<C>(width_) * s.d_keys.row(i)[width_];
      ops_.add_scaled_rows(s.d_keys, s.keys, count, width_, s.squares);
      ops_.store_rows(s.d_keys, count, head.of<T>(gradients.d_qkv, width_, shape_.heads, 1), first);
    });
  }

  using Base::add_filter_gradient, Base::over_heads, Base::part_of;
  using Base::memory_, Base::ops_, Base::shape_, Base::width_;

  const PerformerAttention& args_;
  Index m_;
};

template <class T>
using Forward = Performer<T, ForwardPart<Compute<T>>>;
template <class T>
using Backward = Performer<T, BackwardPart<Compute<T>>>;

}  // namespace

Index performer_attention_workspace(Index features, const AttentionLimits& limits) {
  const PerformerShape shape(AttentionShape(limits), features);
  return std::max(Forward<float>::Workspace(nullptr, shape).elements(),
                  Backward<float>::Workspace(nullptr, shape).elements());
}

void performer_attention_forward(Context& context, const PerformerAttention& args) {
  dispatch_float(args.inputs.qkv.dtype, [&]<class T>(T) { Forward<T>(context, args).forward(); });
}

void performer_attention_backward(Context& context, const PerformerAttention& args,
                                  const AttentionGradients& gradients) {
  dispatch_float(args.inputs.qkv.dtype, [&]<class T>(T) { Backward<T>(context, args).backward(gradients); });
}

}  // namespace nystrom::cpu
