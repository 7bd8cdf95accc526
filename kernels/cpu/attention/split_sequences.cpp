#include "kernels/cpu/attention/split_sequences.h"

namespace nystrom {

template <class C>
ExchangeMemory<C>::ExchangeMemory(WorkspaceAllocator<C>& allocator, const AttentionShape& shape,
                                  Index landmarks, Index sum) {
  const Index channels = shape.heads * shape.width, reach = shape.taps / 2;
  segment_sums = allocator.take(landmarks * 2 * channels);
  carry = allocator.take(2 * channels);
  for (C** each : {&running, &total}) *each = allocator.take(sum);
  for (C** each : {&first_rows, &last_rows, &before, &after}) *each = allocator.take(reach * channels);
}

// Segments are side by side in each sequence, so most are whole on one rank. Where a cut goes through one,
// the rank before hands on what it has, and the sum continues from there row by row.
template <class T>
void exchange_segment_sums(Context& context, const AttentionShape& shape, const AttentionInputs& inputs,
                           Index landmarks, const SplitSequences& splits,
                           const ExchangeMemories<Compute<T>>& memories) {
  using C = Compute<T>;
  SequenceGroup& group = splits.group();
  const Index m = landmarks, heads = shape.heads, width = shape.width, row = 2 * heads * width;
  const auto add_rows = [&](const SplitSequence& split, C* sums, Index begin, Index end) {
    if (begin >= end) return;
    parallel_items(context, 2 * heads, [&](Index i, int) {
      const HeadTask head = shape.head(inputs.sequences, split.batch * heads + i % heads);
      const auto rows = head.of<const T>(inputs.qkv, width, heads, i / heads);
      tile_ops<T>().add_segment_sums({rows.row(begin - split.rows.begin), rows.stride, rows.width},
                                     split.length, m, begin, end - begin, {sums + i * width, row});
    });
  };
  const auto hand_on = [&](const SplitSequence& split, const ExchangeMemory<C>& memory) {
    const Index end = split.rows.end, j = segment_of(end, split.length, m);
    if (split.next < 0) return;
    if (j * split.length / m < end)
      std::copy_n(memory.segment_sums + j * row, row, memory.carry);
    else
      std::fill_n(memory.carry, row, C(0));
    group.send(bytes_of(memory.carry, row), split.next);
  };
  const auto first_segment = [&](const SplitSequence& split) {
    return segment_of(split.rows.begin, split.length, m);
  };
  const auto waits_for_previous = [&](const SplitSequence& split) {  // all rows are in one segment
    return split.previous >= 0 && segment_of(split.rows.end, split.length, m) == first_segment(split);
  };
  for (std::size_t s = 0; s < splits.size(); ++s) {
    const SplitSequence& split = splits[s];
    std::fill_n(memories[s].segment_sums, m * row, C(0));
    const Index begin = split.previous < 0 ? split.rows.begin : (first_segment(split) + 1) * split.length / m;
    add_rows(split, memories[s].segment_sums, begin, split.rows.end);
    if (!waits_for_previous(split)) hand_on(split, memories[s]);
  }
  for (std::size_t s = 0; s < splits.size(); ++s) {
    const SplitSequence& split = splits[s];
    if (split.previous < 0) continue;
    const Index j = first_segment(split);
    group.receive(bytes_of(memories[s].segment_sums + j * row, row), split.previous);
    add_rows(split, memories[s].segment_sums, split.rows.begin,
             std::min(split.rows.end, (j + 1) * split.length / m));
    if (waits_for_previous(split)) hand_on(split, memories[s]);
  }
  // A segment belongs to the rank that has its last row.
  const auto segments_of = [&](const SplitSequence& split, const RowRange& rows) {
    return RowRange{segment_of(rows.begin, split.length, m), segment_of(rows.end, split.length, m)};
  };
  for (std::size_t s = 0; s < splits.size(); ++s) {
    const RowRange mine = segments_of(splits[s], splits[s].rows);
    splits.for_others(splits[s], [&](int rank, RowRange) {
      if (!mine.empty())
        group.send(bytes_of(memories[s].segment_sums + mine.begin * row, mine.size() * row), rank);
    });
  }
  for (std::size_t s = 0; s < splits.size(); ++s)
    splits.for_others(splits[s], [&](int rank, RowRange rows) {
      if (const RowRange theirs = segments_of(splits[s], rows); !theirs.empty())
        group.receive(bytes_of(memories[s].segment_sums + theirs.begin * row, theirs.size() * row), rank);
    });
  group.finish();
}

template <class T>
std::array<HaloRows<T>, kMaxSplits> exchange_halos(const AttentionShape& shape, const Sequences& sequences,
                                                   const Tensor& x, Index column,
                                                   const SplitSequences& splits,
                                                   const ExchangeMemories<Compute<T>>& memories) {
  const Index reach = shape.taps / 2, channels = shape.heads * shape.width;
  std::array<HaloRows<T>, kMaxSplits> halos;
  std::array<EdgeRows<T>, kMaxSplits> edges;
  if (reach == 0) return halos;
  const auto rows_at = [](auto* memory) { return reinterpret_cast<T*>(memory); };
  for (std::size_t s = 0; s < splits.size(); ++s) {
    const RowRange mine = splits[s].rows;
    const Index edge = std::min(reach, mine.size());
    const auto& memory = memories[s];
    edges[s] = {rows_at(memory.first_rows), rows_at(memory.last_rows), rows_at(memory.before),
                rows_at(memory.after)};
    const T* const here =
        x.data<T>() + sequences.offsets.data<std::int32_t>()[splits[s].batch] * x.dim(1) + column;
    for (Index i = 0; i < edge; ++i) {
      std::copy_n(here + i * x.dim(1), channels, edges[s].first + i * channels);
      std::copy_n(here + (mine.size() - edge + i) * x.dim(1), channels, edges[s].last + i * channels);
    }
    const RowsBeside beside = rows_beside(splits[s], reach);
    halos[s] = {edges[s].before, edges[s].after, beside.before, beside.after, channels};
  }
  exchange_edge_rows(splits, reach, channels, edges);
  return halos;
}

template struct ExchangeMemory<float>;
template struct ExchangeMemory<double>;

#define NYSTROM_INSTANTIATE(T)                                                                           \
  template void exchange_segment_sums<T>(Context&, const AttentionShape&, const AttentionInputs&, Index, \
                                         const SplitSequences&, const ExchangeMemories<Compute<T>>&);    \
  template std::array<HaloRows<T>, kMaxSplits> exchange_halos<T>(                                        \
      const AttentionShape&, const Sequences&, const Tensor&, Index, const SplitSequences&,              \
      const ExchangeMemories<Compute<T>>&)
NYSTROM_INSTANTIATE(float);
NYSTROM_INSTANTIATE(BF16);
NYSTROM_INSTANTIATE(double);
#undef NYSTROM_INSTANTIATE

}  // namespace nystrom
