#pragma once
// Sequences of a batch of which other ranks of the group have rows too, for the ops that split them.
//
// Where a GPU computes, the bytes that a SequenceGroup carries are in its memory: messages are sent after the
// ops enqueued so far, and what is received is there for ops enqueued after finish(), for which the host need
// not wait.

#include <array>

#include "kernels/core/check.h"
#include "kernels/sequence_group.h"

namespace nystrom {

inline constexpr std::size_t kMaxSplits = 2;
/// Of a group, where a GPU computes: memory is booked for so many.
inline constexpr int kMaxSequenceRanks = 64;

struct SplitSequence {
  std::int64_t batch = 0;        ///< its number here
  std::int64_t begin = 0;        ///< its first token among those of the whole batch
  std::int64_t length = 0;       ///< n
  RowRange rows;                 ///< those here
  int previous = -1, next = -1;  ///< ranks that have the rows before and after; -1: none
};

/// Those of one batch here. At most two: one that a rank before began, and one that a rank after continues.
class SplitSequences {
 public:
  explicit SplitSequences(const SequenceSpans& spans) : spans_(spans) {
    if (!spans.split()) return;
    const auto me = static_cast<std::size_t>(group().rank());
    std::int64_t token = spans.cuts[me];
    for (std::size_t b = 0; b < spans.lengths.size(); ++b) {
      const std::int64_t first = spans.firsts[b], length = spans.lengths[b];
      const RowRange rows{first, std::min(length, first + spans.cuts[me + 1] - token)};
      if (!rows.empty() && rows.size() < length)
        add({.batch = static_cast<std::int64_t>(b), .begin = token - first, .length = length, .rows = rows});
      token += rows.size();
    }
  }

  [[nodiscard]] std::size_t size() const { return count_; }
  [[nodiscard]] bool empty() const { return count_ == 0; }
  [[nodiscard]] const SplitSequence& operator[](std::size_t s) const { return splits_[s]; }
  [[nodiscard]] SequenceGroup& group() const { return *spans_.group; }

  /// body(rank, rows) for each other rank that has rows of the sequence, in order.
  template <class Body>
  void for_others(const SplitSequence& split, const Body& body) const {
    for (int rank = 0; rank < group().ranks(); ++rank)
      if (const RowRange rows = spans_.rows_of(rank, split.begin, split.length);
          rank != group().rank() && !rows.empty())
        body(rank, rows);
  }

 private:
  void add(SplitSequence split) {
    const int me = group().rank();
    NYSTROM_CHECK(count_ < kMaxSplits, "more than {} sequences of rank {} are split", count_, me);
    for_others(split, [&](int rank, RowRange) {
      if (rank < me) split.previous = rank;
      if (rank > me && split.next < 0) split.next = rank;
    });
    NYSTROM_CHECK(split.previous >= 0 || split.next >= 0, "no other rank has rows of sequence {} of rank {}",
                  split.batch, me);
    splits_[count_++] = split;
  }

  SequenceSpans spans_;
  std::array<SplitSequence, kMaxSplits> splits_;
  std::size_t count_ = 0;
};

template <class E>
std::span<std::byte> bytes_of(E* values, std::int64_t count) {
  return std::as_writable_bytes(std::span(values, static_cast<std::size_t>(count)));
}

/// The rows at the edges of a rank's part of a sequence, and those beside it, for an op that sees `reach`
/// rows to each side: [reach, width] each.
template <class T>
struct EdgeRows {
  T *first = nullptr, *last = nullptr;    ///< its own
  T *before = nullptr, *after = nullptr;  ///< those of other ranks
};

/// Rows of a sequence beside those here, at most `reach` on each side.
struct RowsBeside {
  std::int64_t before = 0, after = 0;
};
inline RowsBeside rows_beside(const SplitSequence& split, std::int64_t reach) {
  return {std::min(reach, split.rows.begin), std::min(reach, split.length - split.rows.end)};
}

/// Sends each sequence's `first` and `last` rows, min(reach, rows here) of each, to whom sees them, and fills
/// `before` and `after` with rows_beside().
template <class T>
void exchange_edge_rows(const SplitSequences& splits, std::int64_t reach, std::int64_t width,
                        const std::array<EdgeRows<T>, kMaxSplits>& edges) {
  SequenceGroup& group = splits.group();
  const int me = group.rank();
  for (std::size_t s = 0; s < splits.size(); ++s) {
    const RowRange mine = splits[s].rows;
    const std::int64_t edge = std::min(reach, mine.size());
    splits.for_others(splits[s], [&](int rank, RowRange theirs) {
      const std::int64_t count = rank > me ? mine.end - std::max(theirs.begin - reach, mine.begin)
                                           : std::min(mine.end, theirs.end + reach) - mine.begin;
      if (count > 0)
        group.send(
            bytes_of(rank > me ? edges[s].last + (edge - count) * width : edges[s].first, count * width),
            rank);
    });
  }
  for (std::size_t s = 0; s < splits.size(); ++s) {
    const RowRange mine = splits[s].rows;
    const std::int64_t first = mine.begin - rows_beside(splits[s], reach).before;
    splits.for_others(splits[s], [&](int rank, RowRange theirs) {
      const std::int64_t begin = rank < me ? std::max(mine.begin - reach, theirs.begin) : theirs.begin;
      const std::int64_t end = rank < me ? theirs.end : std::min(theirs.end, mine.end + reach);
      if (begin >= end) return;
      T* const to =
          rank < me ? edges[s].before + (begin - first) * width : edges[s].after + (begin - mine.end) * width;
      group.receive(bytes_of(to, (end - begin) * width), rank);
    });
  }
  group.finish();
}

}  // namespace nystrom
