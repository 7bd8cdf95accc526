// The fuzz targets as an ordinary test: every seed, which includes all that fuzzing ever found, and mutations
// of them, the same at every run.

#include <gtest/gtest.h>

#include <string>

#include "fuzz_target.h"
#include "kernels/core/philox.h"

namespace nystrom::fuzz {
namespace {

constexpr int kMutations = 300;  // a target

/// What fuzzers do first: flips, cuts, repetitions, and pieces of other seeds.
std::string mutated(const std::vector<std::string>& seeds, Random& random) {
  std::string text = seeds[random.below(seeds.size())];
  for (auto edits = 1 + random.below(4); edits > 0; --edits) {
    const std::size_t at = text.empty() ? 0 : random.below(text.size());
    switch (random.below(5)) {
      case 0:
        if (!text.empty()) text[at] = static_cast<char>(random.below(256));
        break;
      case 1:
        text.resize(at);
        break;
      case 2:
        text.insert(at, text.substr(at, 1 + random.below(64)));
        break;
      case 3:
        text.erase(at, 1 + random.below(16));
        break;
      default: {
        const std::string& other = seeds[random.below(seeds.size())];
        text.insert(at, other.substr(other.empty() ? 0 : random.below(other.size()), 1 + random.below(64)));
      }
    }
  }
  return text;
}

class FuzzTarget : public ::testing::TestWithParam<Target> {};

TEST_P(FuzzTarget, refuses_or_reads_its_seeds_and_their_mutations) {
  const std::vector<std::string> seeds = GetParam().seeds();
  ASSERT_FALSE(seeds.empty());
  for (std::size_t i = 0; i < seeds.size(); ++i)
    EXPECT_NO_THROW(survive(GetParam(), seeds[i])) << "seed " << i;
  Random random(1, Purpose::kTest, 0);
  for (int i = 0; i < kMutations; ++i)
    EXPECT_NO_THROW(survive(GetParam(), mutated(seeds, random))) << "mutation " << i;
}

INSTANTIATE_TEST_SUITE_P(All, FuzzTarget, ::testing::ValuesIn(targets().begin(), targets().end()),
                         [](const auto& instance) { return std::string(instance.param.name); });

}  // namespace
}  // namespace nystrom::fuzz
