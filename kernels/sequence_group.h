#pragma once
// One packed batch on a group of ranks. Rank r of a group holds the tokens [cuts[r], cuts[r + 1]) of the
// batch, so a sequence may be split across ranks, each of which sees its own rows of it. All that an op
// exchanges for such a sequence goes through a SequenceGroup; token-wise ops need none.
// (trainer/comm/rank_group.h has the one over MPI, docs/long-sequences.md what travels.)

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

namespace nystrom {

/// Messages between the ranks of a group. Those of one rank to another arrive in the order in which they were
/// sent. One thread uses it.
class SequenceGroup {
 public:
  SequenceGroup() = default;
  virtual ~SequenceGroup() = default;
  SequenceGroup(const SequenceGroup&) = delete;
  SequenceGroup& operator=(const SequenceGroup&) = delete;

  [[nodiscard]] virtual int rank() const = 0;
  [[nodiscard]] virtual int ranks() const = 0;
  /// Starts sending; the bytes must stay as they are until finish().
  virtual void send(std::span<const std::byte> bytes, int to) = 0;
  /// Waits for the next message of `from`, which has as many bytes.
  virtual void receive(std::span<std::byte> bytes, int from) = 0;
  /// Waits until all that was sent has left.
  virtual void finish() = 0;
};

/// Rows [begin, end) of a whole sequence.
struct RowRange {
  std::int64_t begin = 0, end = 0;

  [[nodiscard]] std::int64_t size() const { return end - begin; }
  [[nodiscard]] bool empty() const { return end <= begin; }
};

/// Where this rank's part of a batch is in the whole. Host memory.
struct SequenceSpans {
  SequenceGroup* group = nullptr;         ///< null: the batch is whole
  std::span<const std::int64_t> cuts;     ///< [ranks + 1] ascending; from 0 to the tokens of the whole batch
  std::span<const std::int64_t> firsts;   ///< [B] the row of the whole sequence that is the first one here
  std::span<const std::int64_t> lengths;  ///< [B] rows of the whole sequence

  [[nodiscard]] bool split() const { return group != nullptr; }
  /// The rows that `rank` has of a sequence whose first token is the batch's token `begin`.
  [[nodiscard]] RowRange rows_of(int rank, std::int64_t begin, std::int64_t length) const {
    const auto at = [&](int r) {
      return std::clamp<std::int64_t>(cuts[static_cast<std::size_t>(r)] - begin, 0, length);
    };
    return {at(rank), at(rank + 1)};
  }
};

}  // namespace nystrom
