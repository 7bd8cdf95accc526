#pragma once
// Work split of attention on the CPU, and the memory it works in.

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "kernels/attention.h"
#include "kernels/cpu/attention/tile_ops.h"

namespace nystrom {

using Index = std::int64_t;

inline constexpr Index kTileRows = 64;  ///< rows of a tile of the sequence

/// One head of one sequence.
struct HeadTask {
  Index batch = 0, head = 0;
  Index begin = 0;  ///< its first row of T
  Index rows = 0;   ///< n
  Index keys = 0;   ///< real tokens

  /// The rows of [T, parts x C]: part 0, 1, 2 of qkv are q, k and v.
  template <class T>
  [[nodiscard]] HeadRows<T> of(const Tensor& x, Index width, Index heads, Index part = 0) const {
    const Index stride = x.dim(1);
    return {x.data<std::remove_const_t<T>>() + begin * stride + (part * heads + head) * width, stride, width};
  }
};

/// The sizes of a call.
struct AttentionShape {
  Index heads = 0, taps = 0;
  Index width = 0;  ///< D
  Index batch = 0;
  Index longest = 0;
  Index longest_exact = 0;  ///< rows that one head attends to exactly, at most
  int threads = 1;

  explicit AttentionShape(const AttentionLimits& limits);
  AttentionShape(const Context& context, const AttentionInputs& inputs);

  [[nodiscard]] Index items() const { return batch * heads; }
  [[nodiscard]] HeadTask head(const Sequences& sequences, Index item) const;
};

/// Throws InternalError for sequences that lie outside qkv or have no key.
void check_sequences(const AttentionShape& shape, const AttentionInputs& inputs);

/// body(head, item, thread) for each head that has rows.
template <class Body>
void for_heads(Context& context, const AttentionShape& shape, const Sequences& sequences, const Body& body) {
  parallel_items(context, shape.items(), [&](Index i, int thread) {
    const HeadTask head = shape.head(sequences, i);
    if (head.rows > 0) body(head, i, thread);
  });
}

/// d_conv_weight [H, K] += the sum of parts [B, H, K], sequence after sequence.
template <class C>
void add_conv_gradients(const AttentionShape& shape, const C* parts, const Tensor& d_conv_weight) {
  const Index size = shape.heads * shape.taps;
  for (Index b = 0; b < shape.batch; ++b)
    for (Index i = 0; i < size; ++i) d_conv_weight.data<C>()[i] += parts[b * size + i];
}

/// Bump allocator over a workspace, aligned to cache lines; without memory it only counts.
template <class C>
class WorkspaceAllocator {
 public:
  explicit WorkspaceAllocator(C* base) : base_(base) {}

  C* take(Index count) {
    C* const piece = base_ == nullptr ? nullptr : base_ + used_;
    used_ += padded(count);
    return piece;
  }
  Tile<C> tile(Index rows, Index columns) { return {take(rows * padded(columns)), padded(columns)}; }
  ColumnSoftmax<C> column_softmax(Index columns, Index width) {
    ColumnSoftmax<C> softmax;
    softmax.maxima = take(columns);
    softmax.sums = take(columns);
    softmax.factors = take(columns);
    softmax.weighted = tile(columns, width);
    softmax.columns = columns;
    softmax.width = width;
    return softmax;
  }
  [[nodiscard]] Index used() const { return used_; }

 private:
  C* base_;
  Index used_ = 0;
};

/// The size of a struct of views that its constructor allocates.
template <class Pieces, class C, class Shape>
Index elements_of(const Shape& shape) {
  WorkspaceAllocator<C> counter(nullptr);
  const Pieces pieces(counter, shape);
  return counter.used();
}

/// The workspace at `memory`, which must have room for it.
template <class Workspace, class C, class Shape>
Workspace workspace_in(const Tensor& memory, const Shape& shape) {
  const Index needed = Workspace(nullptr, shape).elements();
  NYSTROM_CHECK(needed <= memory.numel(),
                "attention of {} sequences of up to {} tokens needs a workspace of {} elements, not {}",
                shape.batch, shape.longest, needed, memory.numel());
  return Workspace(memory.data<C>(), shape);
}

/// Part of [begin, begin + count) that lies below `end`.
inline Index rows_below(Index end, Index begin, Index count) {
  return std::clamp<Index>(end - begin, 0, count);
}

}  // namespace nystrom
