// Linformer attention on the CPU.

#include "kernels/cpu/attention/kinds/phased_attention.h"
#include "kernels/cpu/attention/summary_rows.h"
#include "kernels/cpu/ops.h"

namespace nystrom::cpu {
namespace {

struct LinformerShape : AttentionShape {
  Index projection;  ///< R

  LinformerShape(const AttentionShape& shape, Index count) : AttentionShape(shape), projection(count) {}
};

/// Of a chunk: its part of k~ and v~, or of their gradients.
template <class C>
struct Part {
  Part(WorkspaceAllocator<C>& allocator, const LinformerShape& shape)
      : keys(allocator.tile(shape.projection, shape.width)),
        values(allocator.tile(shape.projection, shape.width)),
        band(allocator.take(conv_band_elements(shape.taps))) {}
  Tile<C> keys, values;  ///< [R, D]
  C* band;
};

template <class C>
struct Scratch {
  Scratch(WorkspaceAllocator<C>& allocator, const LinformerShape& shape) : convolution(allocator, shape) {
    const Index r = shape.projection, width = shape.width;
    for (Tile<C>* tile : {&rows, &d_rows, &d_out}) *tile = allocator.tile(kTileRows, width);
    for (Tile<C>* tile : {&s, &d_s}) *tile = allocator.tile(kTileRows, r);
    rows_t = allocator.tile(width, kTileRows);
    for (Tile<C>* tile : {&columns, &d_columns, &product}) *tile = allocator.tile(r, kTileRows);
    for (Tile<C>* tile : {&keys, &values}) *tile = allocator.tile(r, width);
    for (Tile<C>* tile : {&keys_t, &values_t}) *tile = allocator.tile(width, r);
  }
  Tile<C> rows, d_rows, d_out;          ///< [kTileRows, D]
  Tile<C> s, d_s;                       ///< [kTileRows, R]
  Tile<C> rows_t;                       ///< [D, kTileRows]
  Tile<C> columns, d_columns, product;  ///< [R, kTileRows] columns of a projection
  Tile<C> keys, values;                 ///< [R, D] k~ and v~
  Tile<C> keys_t, values_t;             ///< [D, R]
  ConvolutionMemory<C> convolution;
};

template <class T>
using LinformerBase = PhasedAttention<T, Part<Compute<T>>, Scratch<Compute<T>>, LinformerShape>;

template <class T>
class Linformer : LinformerBase<T> {
  using Base = LinformerBase<T>;

 public:
  using C = Compute<T>;
  using typename Base::Workspace;

  Linformer(Context& context, const LinformerAttention& args)
      : Base(context, args.inputs, {AttentionShape(context, args.inputs), args.projection_key.dim(1)}),
        args_(args),
        r_(shape_.projection),
        table_(args.projection_key.dim(2)) {}

  void forward() const {
    over_chunks([&](const HeadTask& head, Index chunk, const Scratch<C>& s) { project(head, chunk, s); });
    over_heads([&](const HeadTask& head) {
      const Part<C> sum = total(head);
      ops_.pack(sum.keys, r_, width_, saved_at<C>(args_.saved.keys, head));
      ops_.pack(sum.values, r_, width_, saved_at<C>(args_.saved.values, head));
    });
    over_chunks([&](const HeadTask& head, Index chunk, const Scratch<C>& s) {
      attend_summary<T>(args_.inputs, args_.saved.row_stats, head, chunk, restore(head, s),
                        ConvolvedValues<T>(args_.inputs, head, s.convolution),
                        {.rows = s.rows, .s = s.s, .out = s.d_rows});
    });
  }

  void backward(const AttentionGradients& gradients, const ProjectionGradients& projections) const {
    over_chunks([&](const HeadTask& head, Index chunk, const Scratch<C>& s) {
      queries_gradient(gradients, head, chunk, s);
    });
    over_heads([&](const HeadTask& head) { static_cast<void>(total(head)); });
    over_chunks([&](const HeadTask& head, Index chunk, const Scratch<C>& s) {
      tokens_gradient(gradients, head, chunk, s);
    });
    projections_gradient(projections);
    add_filter_gradient(gradients);
  }

 private:
  [[nodiscard]] const std::int32_t* positions(const HeadTask& head) const {
    return args_.positions.data<std::int32_t>() + head.begin;
  }
  [[nodiscard]] bool shared() const { return args_.projection_value.empty(); }

  /// tile [r, j] = projection [h, r, p_(first + j)]
  void load_columns(const Tensor& projection, const HeadTask& head, Index first, Index count,
                    const Tile<C>& tile) const {
    const C* from = projection.data<C>() + head.head * r_ * table_;
    const std::int32_t* const p = positions(head) + first;
    for (Index r = 0; r < r_; ++r, from += table_)
      for (Index j = 0; j < count; ++j) tile.row(r)[j] = from[p[j]];
  }

  /// The sum of all chunks' parts, in that of the first.
  Part<C> total(const HeadTask& head) const {
    const Part<C> sum = memory_.part(head);
    for (Index c = 1; c < AttentionShape::chunks(head.rows); ++c) {
      const Part<C> part = memory_.part(head, c);
      ops_.add(sum.keys.data, part.keys.data, r_ * sum.keys.stride);
      ops_.add(sum.values.data, part.values.data, r_ * sum.values.stride);
    }
    return sum;
  }

  /// A chunk's part of k~ and v~.
  void project(const HeadTask& head, Index chunk, const Scratch<C>& s) const {
    const Part<C> part = memory_.part(head, chunk);
    clear(part.keys, r_);
    clear(part.values, r_);
    for_tiles(head, chunk, [&](Index first, Index count) {
      load_columns(args_.projection_key, head, first, count, s.columns);
      ops_.load_rows(part_of(head, 1), head.rows, first, count, s.rows);
      multiply(r_, width_, count, s.columns, s.rows, part.keys, C(1), true);
      if (!shared()) load_columns(args_.projection_value, head, first, count, s.columns);
      ops_.load_rows(part_of(head, 2), head.rows, first, count, s.rows);
      multiply(r_, width_, count, s.columns, s.rows, part.values, C(1), true);
    });
  }

  /// k~ and v~, as the rows that summarize the keys.
  SummaryRows<C> restore(const HeadTask& head, const Scratch<C>& s) const {
    ops_.unpack(saved_at<C>(args_.saved.keys, head), r_, width_, s.keys);
    ops_.unpack(saved_at<C>(args_.saved.values, head), r_, width_, s.values);
    ops_.transpose(s.keys, r_, width_, inverse_root<C>(width_), s.keys_t);
    return {.count = r_, .keys_t = s.keys_t, .values = s.values};
  }

  /// d_q of a chunk, and its part of d_k~ and d_v~.
  void queries_gradient(const AttentionGradients& gradients, const HeadTask& head, Index chunk,
                        const Scratch<C>& s) const {
    const Part<C> part = memory_.part(head, chunk);
    clear(part.keys, r_);
    clear(part.values, r_);
    const SummaryRows<C> summary = restore(head, s);
    ops_.transpose(s.values, r_, width_, C(1), s.values_t);
    attend_summary_backward<T>(
        args_.inputs, gradients, args_.saved.row_stats, head, chunk, summary,
        {.scale = inverse_root<C>(width_),
         .keys = s.keys,
         .values_t = s.values_t,
         .d_keys = part.keys,
         .d_values = part.values},
        {.rows = s.rows, .d_out = s.d_out, .d_rows = s.d_rows, .s = s.s, .d_s = s.d_s});
  }

  /// d_k and d_v of a chunk.
  void tokens_gradient(const AttentionGradients& gradients, const HeadTask& head, Index chunk,
                       const Scratch<C>& s) const {
    const Part<C> total = memory_.part(head);
    const ConvolutionGradient<T> convolution(args_.inputs, gradients, head, s.convolution,
                                             memory_.part(head, chunk).band);
    for_tiles(head, chunk, [&](Index first, Index count) {
      load_columns(args_.projection_key, head, first, count, s.columns);
      multiply_transposed(count, width_, r_, s.columns, total.keys, s.d_rows);
      ops_.store_rows(s.d_rows, count, head.of<T>(gradients.d_qkv, width_, shape_.heads, 1), first);
      if (!shared()) load_columns(args_.projection_value, head, first, count, s.columns);
      multiply_transposed(count, width_, r_, s.columns, total.values, s.d_rows);
      ops_.load_rows(part_of(head, 2), head.rows, first, count, s.rows);
      convolution.add(first, count, s.rows, s.d_rows);
      ops_.store_rows(s.d_rows, count, head.of<T>(gradients.d_qkv, width_, shape_.heads, 2), first);
    });
  }

  /// A thread takes kTileRows positions of a head through all sequences.
  void projections_gradient(const ProjectionGradients& projections) const {
    const Index pieces = (table_ + kTileRows - 1) / kTileRows;
    parallel_items(context_, shape_.heads * pieces, [&](Index i, int thread) {
      const Index head = i / pieces, begin = i % pieces * kTileRows;
      const Scratch<C> s = memory_.scratch(thread);
      clear(s.d_columns, r_);
      add_columns_gradient(head, begin, 1, s);
      if (!shared()) {
        add_columns(s.d_columns, head, begin, projections.d_key);
        clear(s.d_columns, r_);
      }
      add_columns_gradient(head, begin, 2, s);
      add_columns(s.d_columns, head, begin, shared() ? projections.d_key : projections.d_value);
    });
  }

  /// s.d_columns += the gradient of the projection of keys (part 1) or values (part 2) at the positions
  /// [begin, begin + kTileRows), of all sequences in their order.
  void add_columns_gradient(Index head_index, Index begin, Index part, const Scratch<C>& s) const {
    for (Index b = 0; b < shape_.batch; ++b) {
      const HeadTask head = shape_.head(args_.inputs.sequences, b * shape_.heads + head_index);
      const std::int32_t* const p = positions(head);
      const Index first = std::lower_bound(p, p + head.rows, begin) - p;
      const Index count = std::lower_bound(p + first, p + head.rows, begin + kTileRows) - p - first;
      if (count == 0) continue;
      ops_.load_rows(part_of(head, part), head.rows, first, count, s.rows);
      ops_.transpose(s.rows, count, width_, C(1), s.rows_t);
      const Part<C> total = memory_.part(head);
      multiply(r_, count, width_, part == 1 ? total.keys : total.values, s.rows_t, s.product);
      for (Index r = 0; r < r_; ++r)
        for (Index j = 0; j < count; ++j) s.d_columns.row(r)[p[first + j] - begin] += s.product.row(r)[j];
    }
  }

  /// to [h, r, begin + j] += columns [r, j]
  void add_columns(const Tile<C>& columns, Index head, Index begin, const Tensor& to) const {
    const Index count = std::min(kTileRows, table_ - begin);
    C* row = to.data<C>() + head * r_ * table_ + begin;
    for (Index r = 0; r < r_; ++r, row += table_) ops_.add(row, columns.row(r), count);
  }

  using Base::add_filter_gradient, Base::over_chunks, Base::over_heads, Base::part_of;
  using Base::context_, Base::memory_, Base::ops_, Base::shape_, Base::width_;

  const LinformerAttention& args_;
  Index r_;
  Index table_;  // P
};

}  // namespace

Index linformer_attention_workspace(Index projection, const AttentionLimits& limits) {
  return Linformer<float>::Workspace(nullptr, LinformerShape(AttentionShape(limits), projection)).elements();
}

void linformer_attention_forward(Context& context, const LinformerAttention& args) {
  dispatch_float(args.inputs.qkv.dtype, [&]<class T>(T) { Linformer<T>(context, args).forward(); });
}

void linformer_attention_backward(Context& context, const LinformerAttention& args,
                                  const AttentionGradients& gradients,
                                  const ProjectionGradients& projections) {
  dispatch_float(args.inputs.qkv.dtype,
                 [&]<class T>(T) { Linformer<T>(context, args).backward(gradients, projections); });
}

}  // namespace nystrom::cpu
