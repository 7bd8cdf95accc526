#pragma once
// How attention cuts its work, and the memory it works in. Internal to the CPU files of attention.

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
  bool nystrom = false;

  /// The rows of [T, parts x C]: part 0, 1, 2 of qkv are q, k and v.
  template <class T>
  [[nodiscard]] HeadRows<T> of(const Tensor& x, Index width, Index heads, Index part = 0) const {
    const Index stride = x.dim(1);
    return {x.data<std::remove_const_t<T>>() + begin * stride + (part * heads + head) * width, stride, width};
  }
};

/// The sizes of a call.
struct AttentionShape {
  AttentionConfig config;
  Index width = 0;  ///< D
  Index batch = 0;
  Index longest = 0;
  int threads = 1;

  [[nodiscard]] Index items() const { return batch * config.heads; }
  [[nodiscard]] bool one_scale() const {
    return config.kind == AttentionKind::kNystrom && config.pinv_init == PinvInit::kBatchMax;
  }
  [[nodiscard]] HeadTask head(const Sequences& sequences, Index item) const {
    HeadTask one;
    one.batch = item / config.heads;
    one.head = item % config.heads;
    const auto* offsets = sequences.offsets.data<std::int32_t>();
    one.begin = offsets[one.batch];
    one.rows = offsets[one.batch + 1] - one.begin;
    one.keys = std::min<Index>(one.rows, sequences.lengths.data<std::int32_t>()[one.batch]);
    one.nystrom = config.kind == AttentionKind::kNystrom && one.rows > config.landmarks;
    return one;
  }
  /// Rows that one head attends to exactly, at most.
  [[nodiscard]] Index longest_exact() const {
    return config.kind == AttentionKind::kSoftmax ? longest : std::min(longest, config.landmarks);
  }

  /// A sequence is summed in at most 16 chunks, which depend on its length alone: so do the bits of the sums.
  static Index chunk_rows(Index rows) {
    const Index sixteenth = (rows + 15) / 16;
    return std::max<Index>(1024, (sixteenth + kTileRows - 1) / kTileRows * kTileRows);
  }
  static Index chunks(Index rows) { return (rows + chunk_rows(rows) - 1) / chunk_rows(rows); }
  [[nodiscard]] Index most_chunks() const {
    return std::min<Index>(16, std::max<Index>(1, (longest + 1023) / 1024));
  }

  /// Few heads with long sequences run phase by phase, each phase's chunks on all threads; otherwise a thread
  /// takes a head through all phases while it is in its cache.
  [[nodiscard]] bool by_phases() const {
    return config.kind == AttentionKind::kNystrom &&
           (one_scale() || (items() < Index{2} * threads && most_chunks() > 1));
  }
  /// Heads that are in work at once.
  [[nodiscard]] Index slots() const { return by_phases() ? items() : threads; }
  /// The same at most, for any smaller call.
  [[nodiscard]] Index most_slots() const {
    return one_scale() ? std::max<Index>(items(), threads)
                       : std::max<Index>(std::min<Index>(items(), Index{2} * threads), threads);
  }
};

/// Cuts pieces from the workspace, each at a cache line; without memory it only counts.
template <class C>
class Carver {
 public:
  explicit Carver(C* base) : base_(base) {}

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

/// The size of a struct of views that its constructor carves.
template <class Pieces, class C>
Index elements_of(const AttentionShape& shape) {
  Carver<C> counter(nullptr);
  const Pieces pieces(counter, shape);
  return counter.used();
}

/// Part of [begin, begin + count) that lies below `end`.
inline Index rows_below(Index end, Index begin, Index count) {
  return std::clamp<Index>(end - begin, 0, count);
}

}  // namespace nystrom
