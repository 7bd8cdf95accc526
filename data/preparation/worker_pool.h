#pragma once
// Worker pool: items of work in parallel on threads, and their distribution over ranks.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace nystrom {

/// The ranks of a job that prepare together. They share the output directory's file system.
struct PrepareGroup {
  int rank = 0, ranks = 1;
  std::function<void()> barrier = [] {};  ///< returns once all ranks called it
  [[nodiscard]] bool mine(std::size_t item) const {
    return item % static_cast<std::size_t>(ranks) == static_cast<std::size_t>(rank);
  }
  /// Which items of the given sizes this rank processes. Items are assigned in decreasing size, each to the
  /// rank with the least work so far (longest processing time first: Graham, 1969). Ranks that pass the same
  /// sizes share all items.
  [[nodiscard]] std::vector<bool> share_of(const std::vector<std::int64_t>& sizes) const;
};

/// Calls work(item, thread) for each item in [0, count), in order as threads become free; thread is in
/// [0, threads). After an exception no new item starts; the first one is rethrown here once the running items
/// are done.
void parallel_for_each(int threads, std::size_t count, const std::function<void(std::size_t, int)>& work);

}  // namespace nystrom
