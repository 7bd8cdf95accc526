#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <limits>
#include <numeric>
#include <thread>
#include <vector>

#include "kernels/tensor/arena.h"
#include "kernels/tensor/context.h"

namespace nystrom {
namespace {

TEST(BF16, rounds_to_nearest_with_ties_to_even_and_keeps_what_is_not_finite) {
  EXPECT_EQ(static_cast<float>(BF16(1.0F + 0x1p-8F)), 1.0F);              // a tie: to the even 1
  EXPECT_EQ(static_cast<float>(BF16(1.0F + 0x3p-8F)), 1.0F + 0x1p-6F);    // a tie: to the even 1 + 2^-6
  EXPECT_EQ(static_cast<float>(BF16(1.0F + 0x1.2p-8F)), 1.0F + 0x1p-7F);  // above the tie
  EXPECT_TRUE(std::isnan(static_cast<float>(BF16(std::numeric_limits<float>::quiet_NaN()))));
  EXPECT_TRUE(std::isinf(static_cast<float>(BF16(std::numeric_limits<float>::infinity()))));
  EXPECT_TRUE(std::isinf(static_cast<float>(BF16(std::numeric_limits<float>::max()))));
}

TEST(Tensor, rows_and_shapes_are_views_of_the_same_elements) {
  const OwnedTensor owned(DType::kF32, {4, 3});
  const auto all = owned.view().span<float>();
  std::iota(all.begin(), all.end(), 0.0F);
  EXPECT_EQ(owned.view().rows(2, 1).data<float>()[0], 6.0F);
  EXPECT_EQ(owned.view().reshaped({2, 6}).rows(1, 1).data<float>()[0], 6.0F);
  EXPECT_THROW((void)owned.view().rows(3, 2), InternalError);
  EXPECT_THROW((void)owned.view().reshaped({5, 3}), InternalError);
  EXPECT_THROW((void)owned.view().data<double>(), InternalError);
}

struct Layer {
  Tensor kept, first, second;
  void plan(Planner& planner) {
    kept = planner.saved("kept", DType::kF32, {100});
    {
      const ScratchScope scope(planner);
      first = planner.scratch("first", DType::kF32, {50});
    }
    const ScratchScope scope(planner);
    second = planner.scratch("second", DType::kF32, {70});
  }
};

TEST(Arena, scratch_of_closed_scopes_is_shared_and_saved_tensors_are_not) {
  std::vector<Layer> layers(2);
  const Arena arena = Arena::planned([&](Planner& planner) {
    for (Layer& layer : layers) layer.plan(planner);
  });
  EXPECT_EQ(arena.bytes(), 2 * align_up(400) + align_up(280));
  EXPECT_EQ(layers[0].first.address, layers[0].second.address);
  EXPECT_EQ(layers[0].second.address, layers[1].second.address);
  EXPECT_NE(layers[0].kept.address, layers[1].kept.address);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(layers[1].second.address) % kAlignment, 0U);
}

TEST(Arena, rewound_saved_tensors_share_memory) {
  Tensor a, b;
  const Arena arena = Arena::planned([&](Planner& planner) {
    const std::size_t mark = planner.mark_saved();
    a = planner.saved("a", DType::kF32, {64});
    planner.rewind_saved(mark);
    b = planner.saved("b", DType::kF32, {32});
  });
  EXPECT_EQ(a.address, b.address);
  EXPECT_EQ(arena.bytes(), 256U);
}

TEST(Arena, a_plan_that_changes_its_mind_is_an_internal_error) {
  int calls = 0;
  EXPECT_THROW(
      (void)Arena::planned([&](Planner& planner) { (void)planner.saved("x", DType::kF32, {++calls * 100}); }),
      InternalError);
}

TEST(ParallelFor, covers_every_index_once_with_any_number_of_threads) {
  for (int threads : {1, 2, 5})
    for (std::int64_t count : {0, 1, 9, 1003})
      for (std::int64_t grain : {1, 10, 2000}) {
        Context context(threads);
        std::vector<int> hits(static_cast<std::size_t>(count));
        parallel_for(context, count, grain, [&](std::int64_t begin, std::int64_t end) {
          for (std::int64_t i = begin; i < end; ++i) ++hits[static_cast<std::size_t>(i)];
        });
        for (int hit : hits) EXPECT_EQ(hit, 1);
      }
}

// The thread that has the first chunk, a quarter of its part, is kept from finishing it until the other has
// computed all the rest.
TEST(ParallelFor, a_thread_that_is_late_is_helped) {
  Context context(2);
  std::atomic<int> done = 0;
  bool helped = true;
  parallel_for(context, 800, 1, [&](std::int64_t begin, std::int64_t end) {
    if (begin == 0) {
      const auto latest = std::chrono::steady_clock::now() + std::chrono::minutes(2);
      while (done < 700 && helped) {
        std::this_thread::yield();
        helped = std::chrono::steady_clock::now() < latest;
      }
    } else {
      done += static_cast<int>(end - begin);
    }
  });
  EXPECT_TRUE(helped) << done;
}

TEST(Profile, counts_calls_operations_and_bytes_by_name) {
  Profile profile;
  Context context(1);
  context.set_profile(&profile);
  for (int i = 0; i < 3; ++i) const OpScope scope(context, "op", 10, 4);
  EXPECT_EQ(profile.at("op").calls, 3);
  EXPECT_EQ(profile.at("op").flops, 30);
  EXPECT_EQ(profile.at("op").bytes, 12);
}

}  // namespace
}  // namespace nystrom
