#pragma once
// Items of work on threads.

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
  /// Which of items of different sizes this rank does: from the largest on each goes to the rank that has
  /// least so far (longest processing time first: Graham, 1969). Ranks that give the same sizes share all
  /// items.
  [[nodiscard]] std::vector<bool> share_of(const std::vector<std::int64_t>& sizes) const;
};

/// Calls work(item, thread) for each item in [0, count), in order as threads become free; thread is in
/// [0, threads). Meanwhile `tick` is called now and then on the calling thread. The first exception ends it,
/// once the items under way are done, and is thrown here.
void run_items(int threads, std::size_t count, const std::function<void(std::size_t, int)>& work,
               const std::function<void()>& tick);

}  // namespace nystrom
