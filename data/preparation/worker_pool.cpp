#include "data/preparation/worker_pool.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <numeric>
#include <thread>
#include <vector>

namespace nystrom {

std::vector<bool> PrepareGroup::share_of(const std::vector<std::int64_t>& sizes) const {
  std::vector<std::size_t> order(sizes.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, std::greater<>(), [&](std::size_t item) { return sizes[item]; });
  std::vector<std::int64_t> sums(static_cast<std::size_t>(ranks));
  std::vector<bool> share(sizes.size());
  for (const auto item : order) {
    const auto smallest = std::ranges::min_element(sums);
    *smallest += sizes[item];
    share[item] = smallest - sums.begin() == rank;
  }
  return share;
}

void parallel_for_each(int threads, std::size_t count, const std::function<void(std::size_t, int)>& work) {
  std::atomic<std::size_t> next = 0;
  std::mutex mutex;
  std::exception_ptr error;
  const auto body = [&](int thread) {
    try {
      for (std::size_t item = next++; item < count; item = next++) work(item, thread);
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (!error) error = std::current_exception();
      next = count;
    }
  };
  std::vector<std::jthread> workers;
  const auto most = static_cast<std::size_t>(std::max(threads, 1));
  for (int thread = 0; thread < static_cast<int>(std::min(most, count)); ++thread)
    workers.emplace_back(body, thread);
  workers.clear();
  if (error) std::rethrow_exception(error);
}

}  // namespace nystrom
