#pragma once
// Ranks of a generator, played by threads.

#include <barrier>
#include <string>
#include <thread>
#include <vector>

#include "data/generators/workers.h"

namespace nystrom::testing {

/// Calls generate(workers) on a thread for each of `ranks` ranks, which gather each other's texts.
template <class Generate>
void run_ranks(int ranks, int threads, const Generate& generate) {
  std::vector<std::string> texts(static_cast<std::size_t>(ranks));
  std::barrier<> meeting(ranks);
  std::vector<std::jthread> running;
  for (int rank = 0; rank < ranks; ++rank)
    running.emplace_back([&, rank] {
      const auto gather = [&, rank](const std::string& mine) {
        texts[static_cast<std::size_t>(rank)] = mine;
        meeting.arrive_and_wait();
        auto all = texts;
        meeting.arrive_and_wait();
        return all;
      };
      generate(Workers{.rank = rank, .ranks = ranks, .threads = threads, .gather = gather});
    });
}

}  // namespace nystrom::testing
