#pragma once
// Work split of attention on the CPU, and the memory it works in.

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "kernels/attention/attention.h"
#include "kernels/cpu/attention/tile_ops.h"

namespace nystrom {

using Index = std::int64_t;

inline constexpr Index kTileRows = 64;  ///< rows of a tile of the sequence

/// One head of one sequence.
struct HeadTask {
  Index batch = 0, head = 0;
  Index begin = 0;   ///< its first row of T
  Index rows = 0;    ///< rows here: n, or those of this rank
  Index keys = 0;    ///< real tokens of them
  Index first = 0;   ///< the row of the whole sequence that is the first one here
  Index length = 0;  ///< n: rows of the whole sequence

  /// Other ranks have the rest of the sequence.
  [[nodiscard]] bool is_part() const { return rows < length; }

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
  Index tokens = 0;
  Index longest = 0;
  Index longest_exact = 0;  ///< rows that one head attends to exactly, at most
  int threads = 1;
  SequenceSpans spans;  ///< of a batch on several ranks

  explicit AttentionShape(const AttentionLimits& limits);
  AttentionShape(const Context& context, const AttentionInputs& inputs);

  [[nodiscard]] Index items() const { return batch * heads; }
  [[nodiscard]] HeadTask head(const Sequences& sequences, Index item) const;

  /// A sequence is summed in at most 16 chunks, which depend on its length alone: so do the bits of the sums.
  static Index chunk_rows(Index rows) {
    const Index sixteenth = (rows + 15) / 16;
    return std::max<Index>(kMinChunk, (sixteenth + kTileRows - 1) / kTileRows * kTileRows);
  }
  static Index chunks(Index rows) { return (rows + chunk_rows(rows) - 1) / chunk_rows(rows); }
  /// The chunks of the whole sequence of which rows are here, [begin, end); there are rows here.
  static RowRange chunks_of(const HeadTask& head) {
    const Index size = chunk_rows(head.length);
    return {head.first / size, (head.first + head.rows - 1) / size + 1};
  }
  /// A chunk's rows that are here, counted from the first row here.
  static RowRange rows_of(const HeadTask& head, Index chunk) {
    const Index size = chunk_rows(head.length);
    return {std::max<Index>(chunk * size - head.first, 0),
            std::min((chunk + 1) * size - head.first, head.rows)};
  }
  [[nodiscard]] Index max_chunks() const {
    return std::min<Index>(16, std::max<Index>(1, (longest + kMinChunk - 1) / kMinChunk));
  }
  /// Room for the chunks of all heads: chunk_place() is below this, and no two chunks have the same.
  [[nodiscard]] Index chunk_places() const { return (batch + tokens / kMinChunk) * heads; }
  [[nodiscard]] Index chunk_place(const HeadTask& head, Index chunk) const {
    return (head.batch + head.begin / kMinChunk + chunk) * heads + head.head;
  }

 private:
  static constexpr Index kMinChunk = 1024;  // rows
};

/// The index of head (b, h) in a saved [B, H, ...] tensor.
template <class C>
C* saved_at(const Tensor& x, const HeadTask& head) {
  const Index size = x.shape.rank() > 3 ? x.dim(2) * x.dim(3) : 1;
  return x.data<C>() + (head.batch * x.dim(1) + head.head) * size;
}

/// The statistics of a row's softmax in [T, H, 2].
template <class C>
C* row_stats_at(const Tensor& row_stats, const HeadTask& head, Index row) {
  return row_stats.data<C>() + ((head.begin + row) * row_stats.dim(1) + head.head) * 2;
}

/// 1 / sqrt(width), the scale of the logits.
template <class C>
C inverse_root(Index width) {
  return C(1) / std::sqrt(static_cast<C>(width));
}

/// Throws InternalError for sequences that are outside qkv or have no key.
void check_sequences(const AttentionShape& shape, const AttentionInputs& inputs);

/// body(head, item, thread) for each head that has rows.
template <class Body>
void for_heads(Context& context, const AttentionShape& shape, const Sequences& sequences, const Body& body) {
  parallel_items(context, shape.items(), [&](Index i, int thread) {
    const HeadTask head = shape.head(sequences, i);
    if (head.rows > 0) body(head, i, thread);
  });
}

/// body(head, chunk, thread) for each chunk of each head that has rows.
template <class Body>
void for_chunks(Context& context, const AttentionShape& shape, const Sequences& sequences, const Body& body) {
  const Index chunks = shape.max_chunks();
  parallel_items(context, shape.items() * chunks, [&](Index i, int thread) {
    const HeadTask head = shape.head(sequences, i / chunks);
    if (i % chunks < AttentionShape::chunks(head.rows)) body(head, i % chunks, thread);
  });
}

/// body(first, count) for each tile of a chunk's rows that are here.
template <class Body>
void for_tiles(const HeadTask& head, Index chunk, const Body& body) {
  const RowRange rows = AttentionShape::rows_of(head, chunk);
  for (Index first = rows.begin; first < rows.end; first += kTileRows)
    body(first, std::min(kTileRows, rows.end - first));
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

/// Workspace of a kind that goes through all heads phase by phase, each phase's chunks on all threads: a Part
/// for what each chunk carries from phase to phase (a head's totals end in that of its first), a Scratch for
/// each thread. Without memory it only counts.
template <class C, class Part, class Scratch, class Shape>
class PhasedWorkspace {
 public:
  PhasedWorkspace(C* base, const Shape& shape) : shape_(shape), allocator_(base) {
    part_elements_ = elements_of<Part, C>(shape);
    scratch_elements_ = elements_of<Scratch, C>(shape);
    parts_ = allocator_.take(shape.chunk_places() * part_elements_);
    scratch_ = allocator_.take(shape.threads * scratch_elements_);
  }

  [[nodiscard]] Part part(const HeadTask& head, Index chunk = 0) const {
    return carved<Part>(parts_ + shape_.chunk_place(head, chunk) * part_elements_);
  }
  [[nodiscard]] Scratch scratch(Index thread) const {
    return carved<Scratch>(scratch_ + thread * scratch_elements_);
  }
  [[nodiscard]] Index elements() const { return allocator_.used(); }

 private:
  template <class Pieces>
  Pieces carved(C* base) const {
    WorkspaceAllocator<C> allocator(base);
    return Pieces(allocator, shape_);
  }

  const Shape& shape_;
  WorkspaceAllocator<C> allocator_;
  Index part_elements_ = 0, scratch_elements_ = 0;
  C *parts_ = nullptr, *scratch_ = nullptr;
};

/// The workspace at `memory`, which must have room for it.
template <class Workspace, class C, class Shape>
Workspace workspace_in(const Tensor& memory, const Shape& shape) {
  const Index needed = Workspace(nullptr, shape).elements();
  NYSTROM_CHECK(needed <= memory.numel(),
                "attention of {} sequences of up to {} tokens needs a workspace of {} elements, not {}",
                shape.batch, shape.longest, needed, memory.numel());
  return Workspace(memory.data<C>(), shape);
}

/// Part of [begin, begin + count) that is below `end`.
inline Index rows_below(Index end, Index begin, Index count) {
  return std::clamp<Index>(end - begin, 0, count);
}

}  // namespace nystrom
