#pragma once
// A group of ranks that are threads of this process: for ops that split sequences.

#include <condition_variable>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "kernels/core/check.h"
#include "kernels/sequence_group.h"

namespace nystrom::testing {

/// Messages under way, and how many bytes have been sent.
class ThreadMail {
 public:
  void put(std::pair<int, int> way, std::span<const std::byte> bytes) {
    const std::scoped_lock held(mutex_);
    boxes_[way].emplace_back(bytes.begin(), bytes.end());
    sent_[way.first] += bytes.size();
    messages_[way.first] += 1;
    changed_.notify_all();
  }
  void take(std::pair<int, int> way, std::span<std::byte> bytes) {
    std::unique_lock held(mutex_);
    auto& box = boxes_[way];
    changed_.wait(held, [&] { return !box.empty(); });
    NYSTROM_CHECK(box.front().size() == bytes.size(), "a message of {} bytes from {} to {}, not {}",
                  box.front().size(), way.first, way.second, bytes.size());
    std::memcpy(bytes.data(), box.front().data(), bytes.size());
    box.pop_front();
  }
  [[nodiscard]] std::size_t sent_by(int rank) { return sent_[rank]; }
  [[nodiscard]] std::size_t messages_of(int rank) { return messages_[rank]; }
  [[nodiscard]] bool empty() const {
    for (const auto& [way, box] : boxes_)
      if (!box.empty()) return false;
    return true;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::pair<int, int>, std::deque<std::vector<std::byte>>> boxes_;
  std::map<int, std::size_t> sent_, messages_;
};

class ThreadGroup final : public SequenceGroup {
 public:
  ThreadGroup(ThreadMail& mail, int rank, int ranks) : mail_(mail), rank_(rank), ranks_(ranks) {}

  [[nodiscard]] int rank() const override { return rank_; }
  [[nodiscard]] int ranks() const override { return ranks_; }
  void send(std::span<const std::byte> bytes, int to) override { mail_.put({rank_, to}, bytes); }
  void receive(std::span<std::byte> bytes, int from) override { mail_.take({from, rank_}, bytes); }
  void finish() override {}

 private:
  ThreadMail& mail_;
  int rank_, ranks_;
};

/// body(rank) for each rank, each in its own thread.
template <class Body>
void on_threads(int ranks, const Body& body) {
  std::vector<std::jthread> threads;
  for (int rank = 0; rank < ranks; ++rank) threads.emplace_back([&body, rank] { body(rank); });
}

}  // namespace nystrom::testing
