#pragma once
// Sequences of which other ranks of the group have rows too, and what ranks exchange for them: sums that
// every rank adds its part to in the order of rows, sums of the landmarks' segments, and rows around one's
// own for the convolution. Every rank that has rows of a sequence calls the same exchanges in the same order;
// the others call none. No exchange waits in a circle: a rank receives from those before it first, and from
// those after it last.

#include <array>

#include "kernels/attention/split_sequences.h"
#include "kernels/cpu/attention/head_convolution.h"

namespace nystrom {

/// Memory of one sequence's exchanges. `sum` elements: the most that sum_in_order is called with.
template <class C>
struct ExchangeMemory {
  ExchangeMemory() = default;
  ExchangeMemory(WorkspaceAllocator<C>& allocator, const AttentionShape& shape, Index landmarks, Index sum);

  C *segment_sums = nullptr, *carry = nullptr;    ///< [M, 2 C], [2 C]
  C *running = nullptr, *total = nullptr;         ///< [sum]
  C *first_rows = nullptr, *last_rows = nullptr;  ///< [K / 2, C] of the activation dtype: for others
  C *before = nullptr, *after = nullptr;          ///< the same: from others
};
template <class C>
using ExchangeMemories = std::array<ExchangeMemory<C>, kMaxSplits>;

/// For each sequence memory.total [elements] = the sum over the ranks that have rows of it. add(s, running,
/// is_first) adds this rank's part to what the ranks before have summed, which is nothing if it is the first.
template <class C, class Add>
void sum_in_order(const SplitSequences& splits, ExchangeMemories<C>& memories, Index elements,
                  const Add& add) {
  SequenceGroup& group = splits.group();
  const auto send = [&](std::size_t s, int to) { group.send(bytes_of(memories[s].running, elements), to); };
  for (std::size_t s = 0; s < splits.size(); ++s) {
    if (splits[s].previous >= 0) continue;
    add(s, memories[s].running, true);
    send(s, splits[s].next);
  }
  for (std::size_t s = 0; s < splits.size(); ++s) {
    if (splits[s].previous < 0) continue;
    group.receive(bytes_of(memories[s].running, elements), splits[s].previous);
    add(s, memories[s].running, false);
    if (splits[s].next >= 0)
      send(s, splits[s].next);
    else
      splits.for_others(splits[s], [&](int rank, RowRange) { send(s, rank); });
  }
  for (std::size_t s = 0; s < splits.size(); ++s) {
    if (splits[s].next < 0) continue;
    int last = -1;
    splits.for_others(splits[s], [&](int rank, RowRange) { last = rank; });
    group.receive(bytes_of(memories[s].total, elements), last);
  }
  group.finish();
  for (std::size_t s = 0; s < splits.size(); ++s)
    if (splits[s].next < 0) std::swap(memories[s].running, memories[s].total);
}

/// segment_sums [M, 2, H, D] = the sums of the rows of q and k in each segment, as one rank adds them up.
template <class T>
void exchange_segment_sums(Context& context, const AttentionShape& shape, const AttentionInputs& inputs,
                           Index landmarks, const SplitSequences& splits,
                           const ExchangeMemories<Compute<T>>& memories);

/// Of each sequence the K / 2 rows on both sides of this rank's, in x [T, ...] the C channels from `column`
/// on.
template <class T>
std::array<HaloRows<T>, kMaxSplits> exchange_halos(const AttentionShape& shape, const Sequences& sequences,
                                                   const Tensor& x, Index column,
                                                   const SplitSequences& splits,
                                                   const ExchangeMemories<Compute<T>>& memories);

/// all [n, width] of each sequence = the rows of all ranks; those here are in their place already.
template <class E>
void gather_rows(const SplitSequences& splits, const std::array<E*, kMaxSplits>& all, Index width) {
  SequenceGroup& group = splits.group();
  const auto bytes = [&](std::size_t s, const RowRange& rows) {
    return bytes_of(all[s] + rows.begin * width, rows.size() * width);
  };
  for (std::size_t s = 0; s < splits.size(); ++s)
    splits.for_others(splits[s], [&](int rank, RowRange) { group.send(bytes(s, splits[s].rows), rank); });
  for (std::size_t s = 0; s < splits.size(); ++s)
    splits.for_others(splits[s], [&](int rank, RowRange theirs) { group.receive(bytes(s, theirs), rank); });
  group.finish();
}

/// The other way round: to the rows here of all [n, width] those of the other ranks are added, in their
/// order. `received` has room for the rows here.
template <class E>
void scatter_add_rows(const SplitSequences& splits, const std::array<E*, kMaxSplits>& all, Index width,
                      E* received) {
  SequenceGroup& group = splits.group();
  for (std::size_t s = 0; s < splits.size(); ++s)
    splits.for_others(splits[s], [&](int rank, RowRange theirs) {
      group.send(bytes_of(all[s] + theirs.begin * width, theirs.size() * width), rank);
    });
  for (std::size_t s = 0; s < splits.size(); ++s) {
    const RowRange mine = splits[s].rows;
    splits.for_others(splits[s], [&](int rank, RowRange) {
      group.receive(bytes_of(received, mine.size() * width), rank);
      E* const sum = all[s] + mine.begin * width;
      for (Index i = 0; i < mine.size() * width; ++i) sum[i] += received[i];
    });
  }
  group.finish();
}

}  // namespace nystrom
