#include "trainer/comm/comm.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <numeric>
#include <thread>

#include "kernels/core/philox.h"
#include "kernels/tensor/buffer.h"
#include "kernels/tensor/context.h"
#include "ranks.h"
#include "trainer/comm/reducer.h"
#include "trainer/comm/threads.h"
#include "trainer/guards/consistency.h"
#include "trainer/optimizer/zero_partition.h"

namespace nystrom {
namespace {

using testing::ranks;

double sum_of_ranks() {
  return ranks().ranks() * (ranks().ranks() - 1) / 2.0;
}

TEST(Comm, all_reduce_sums_over_ranks) {
  std::array<double, 3> values{1, static_cast<double>(ranks().rank()), -0.5};
  ranks().all_reduce(values, "a test");
  EXPECT_EQ(values[0], ranks().ranks());
  EXPECT_EQ(values[1], sum_of_ranks());
  EXPECT_EQ(values[2], -0.5 * ranks().ranks());
}

TEST(Comm, concurrent_all_reduces_complete_in_any_order) {
  OwnedTensor a(DType::kF32, {100000}), b(DType::kF64, {3});
  for (float& x : a.view().span<float>()) x = static_cast<float>(ranks().rank());
  for (double& x : b.view().span<double>()) x = 2;
  const auto first = ranks().start_all_reduce(a, "a test"), second = ranks().start_all_reduce(b, "a test");
  ranks().wait(second);
  ranks().wait(first);
  for (const float x : a.view().span<float>()) ASSERT_EQ(x, static_cast<float>(sum_of_ranks()));
  for (const double x : b.view().span<double>()) ASSERT_EQ(x, 2 * ranks().ranks());
}

TEST(Comm, gathers_and_broadcasts_texts_of_different_lengths) {
  const std::string mine(static_cast<std::size_t>(ranks().rank()) * 3, 'x');
  const auto all = ranks().all_gather_text(mine, "a test");
  ASSERT_EQ(all.size(), static_cast<std::size_t>(ranks().ranks()));
  for (std::size_t r = 0; r < all.size(); ++r) EXPECT_EQ(all[r], std::string(3 * r, 'x'));
  const int last = ranks().ranks() - 1;
  EXPECT_EQ(ranks().broadcast_text("from " + std::to_string(ranks().rank()), last, "a test"),
            "from " + std::to_string(last));
  EXPECT_EQ(ranks().broadcast_text("", 0, "a test"), "");
}

TEST(Comm, counts_local_ranks) {
  EXPECT_LT(ranks().local_rank(), ranks().local_ranks());
  EXPECT_LE(ranks().local_ranks(), ranks().ranks());
}

TEST(Comm, ranks_share_cores_without_oversubscribing) {
  if (std::getenv("OMP_NUM_THREADS") != nullptr) {
    EXPECT_EQ(threads_of_rank(ranks()), std::max(1, omp_get_max_threads()));
    return;
  }
  std::array<double, 1> threads{static_cast<double>(threads_of_rank(ranks()))};
  EXPECT_GE(threads[0], 1);
  ranks().all_reduce(threads, "a test");
  EXPECT_LE(threads[0], std::max(omp_get_num_procs(), ranks().ranks()));
}

TEST(Comm, all_reduce_is_deterministic_on_every_rank) {
  OwnedTensor a(DType::kF32, {33333}), b(DType::kF32, {33333});
  Random random(static_cast<std::uint64_t>(ranks().rank()), Purpose::kTest, 0);
  for (std::size_t i = 0; i < 33333; ++i)
    a.view().span<float>()[i] = b.view().span<float>()[i] = static_cast<float>(random.normal());
  ranks().all_reduce(a.view(), "a test");
  ranks().all_reduce(b.view(), "a test");
  EXPECT_EQ(digest_of(a.view()), digest_of(b.view()));
  require_agreement(ranks(), {{"sum", digest_of(a.view())}});
}

TEST(Comm, agreement_names_the_rank_that_differs) {
  if (ranks().ranks() == 1) GTEST_SKIP() << "There is one rank.";
  const std::string value = ranks().rank() == 1 ? "other" : "same";
  try {
    require_agreement(ranks(), {{"colour", "blue"},
                                {"weights", value, {{"batch", value == "same" ? "8" : "9"}, {"seed", "1"}}}});
    FAIL() << "no error";
  } catch (const Error& error) {
    const std::string what = error.what();
    EXPECT_EQ(what.find("Rank 1 on "), 0U) << what;
    EXPECT_NE(what.find(" does not have the weights of rank 0: batch is 9 there and 8 on rank 0."),
              std::string::npos)
        << what;
  }
}

TEST(Reducer, result_does_not_depend_on_bucket_size) {
  Context context(1);
  for (const std::int64_t bytes : {4, 400, 1 << 20}) {
    OwnedTensor gradients(DType::kF32, {1003});
    const auto values = gradients.view().span<float>();
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] = static_cast<float>(i) + static_cast<float>(ranks().rank());
    GradientReducer reducer(context, ranks(), gradients.view(), {.bucket_bytes = bytes});
    reducer.begin();
    if (ranks().rank() != 0)  // rank 0 has no rows
      for (const std::int64_t offset : {900, 500, 17, 0}) reducer.ready(offset);
    reducer.finish();
    for (std::size_t i = 0; i < values.size(); ++i)
      ASSERT_EQ(values[i], static_cast<float>(i) * static_cast<float>(ranks().ranks()) +
                               static_cast<float>(sum_of_ranks()));
  }
}

/// A reduction of this kind, which reduces nothing.
class ReductionOf final : public DeviceReduction {
 public:
  explicit ReductionOf(std::string_view kind) : kind_(kind) {}
  [[nodiscard]] std::string_view kind() const override { return kind_; }
  void start(const Tensor&) override {}
  void start_scatter(const Tensor&) override {}
  void finish() override {}
  void move(std::span<const DeviceMessage>) override {}
  void gather(const Tensor&, std::span<const std::int64_t>) override {}
  void sum(const Tensor&) override {}
  void exchange(std::span<const DeviceMessage>) override {}
  void synchronize(std::int64_t, std::string_view) override {}
  void settle(std::int64_t) override {}

 private:
  std::string_view kind_;
};

TEST(Reducer, buckets_are_larger_over_nccl) {
  const ReductionOf nccl("nccl"), staged("mpi");
  EXPECT_EQ(automatic_bucket_bytes(nullptr), 4 << 20);
  EXPECT_EQ(automatic_bucket_bytes(&staged), 4 << 20);
  EXPECT_EQ(automatic_bucket_bytes(&nccl), 32 << 20);
}

// Each of N gradients is rounded to bf16, and so is each of N - 1 partial sums: unit roundoff u = 2^-8 each,
// so that the sum is off by at most ((1 + u)^N - 1) times the sum of magnitudes.
TEST(Reducer, bf16_error_is_within_its_bound) {
  if (ranks().ranks() == 1) GTEST_SKIP() << "With one rank nothing is summed, and nothing rounded.";
  Context context(1);
  constexpr std::int64_t kCount = 5003;
  const auto value = [](int rank, std::int64_t i) {
    Random random(11, Purpose::kTest, static_cast<std::uint64_t>(rank * kCount + i));
    return static_cast<float>(random.uniform() - 0.5);
  };
  OwnedTensor gradients(DType::kF32, {kCount});
  const auto sums = gradients.view().span<float>();
  GradientReducer reducer(context, ranks(), gradients.view(), {.bucket_bytes = 2000, .bf16 = true});
  EXPECT_EQ(reducer.buckets(), 6U);
  for (int step = 0; step < 2; ++step) {  // the second finds the bf16 values of the first
    for (std::int64_t i = 0; i < kCount; ++i) sums[static_cast<std::size_t>(i)] = value(ranks().rank(), i);
    reducer.begin();
    reducer.ready(kCount / 2);
    reducer.finish();
    const double bound = std::pow(1 + std::ldexp(1.0, -8), ranks().ranks()) - 1;
    double largest = 0;
    for (std::int64_t i = 0; i < kCount; ++i) {
      double exact = 0, magnitude = 0;
      for (int rank = 0; rank < ranks().ranks(); ++rank) {
        exact += static_cast<double>(value(rank, i));
        magnitude += std::abs(static_cast<double>(value(rank, i)));
      }
      const double error = std::abs(static_cast<double>(sums[static_cast<std::size_t>(i)]) - exact);
      ASSERT_LE(error, bound * magnitude) << "element " << i << " of " << ranks().ranks() << " ranks";
      largest = std::max(largest, error / magnitude);
    }
    EXPECT_GT(largest, bound / 16) << "nothing was rounded";
  }
  const auto all = ranks().all_gather_text(digest_of(gradients.view()), "a test");
  EXPECT_EQ(all.front(), all.back());
}

TEST(ZeroPartition, covers_everything_once_in_balanced_shards) {
  for (const std::int64_t size : {0, 1, 63, 64, 65, 1000, 12800, 99999})
    for (const int count : {1, 2, 3, 7}) {
      std::int64_t before = 0, min_count = size, max_count = 0;
      for (int rank = 0; rank < count; ++rank) {
        const ZeroPartition partition(size, rank, count);
        EXPECT_EQ(partition.begin(), before);
        EXPECT_EQ(partition.begin() % 64 == 0 || partition.begin() == size, true);
        EXPECT_EQ(partition.sharded(), count > 1);
        before = partition.end();
        min_count = std::min(min_count, partition.count());
        max_count = std::max(max_count, partition.count());
      }
      EXPECT_EQ(before, size);
      EXPECT_LE(max_count - min_count, 64 + 63) << size << " values for " << count;
    }
}

TEST(ZeroPartition, shards_are_gathered_and_scattered) {
  for (const std::int64_t size : {3, 64, 1000, 3000001}) {
    const ZeroPartition partition(size, ranks().rank(), ranks().ranks());
    OwnedTensor whole(DType::kF32, {size}), mine(DType::kF32, {partition.count()}),
        scattered(DType::kF32, {partition.count()});
    const auto fill = [](const Tensor& values, std::int64_t first) {
      for (std::int64_t i = 0; i < values.numel(); ++i)
        values.data<float>()[i] = static_cast<float>(first + i);
    };
    const auto is_whole = [&](const Tensor& values, std::int64_t first) {
      for (std::int64_t i = 0; i < values.numel(); ++i)
        if (values.data<float>()[i] != static_cast<float>(first + i)) return false;
      return true;
    };
    fill(partition.shard_of(whole), partition.begin());
    ranks().all_gather_shards(whole, partition.begins(), "a test");
    EXPECT_TRUE(is_whole(whole, 0)) << size;
    fill(mine, partition.begin());
    OwnedTensor gathered;
    if (ranks().rank() == 0) gathered = OwnedTensor(DType::kF32, {size});
    ranks().gather_shards(mine, gathered, partition.begins(), "a test");
    EXPECT_TRUE(ranks().rank() != 0 || is_whole(gathered, 0)) << size;
    scatter_shards(ranks(), partition, gathered, scattered, Memory::host(), "a test");
    EXPECT_TRUE(is_whole(scattered, partition.begin())) << size;
  }
}

TEST(Reducer, starts_a_bucket_once_its_gradients_are_final) {
  if (ranks().ranks() == 1) GTEST_SKIP() << "With one rank there is nothing to sum.";
  OwnedTensor gradients(DType::kF32, {100});
  Context context(1);
  GradientReducer reducer(context, ranks(), gradients.view(),
                          {.bucket_bytes = 40 * 4});  // [60, 100), [20, 60), [0, 20)
  ASSERT_EQ(reducer.buckets(), 3U);
  reducer.begin();
  reducer.ready(61);
  EXPECT_EQ(reducer.started(), 0U);
  reducer.ready(60);
  EXPECT_EQ(reducer.started(), 1U);
  reducer.ready(10);
  EXPECT_EQ(reducer.started(), 2U);
  reducer.finish();
  EXPECT_EQ(reducer.started(), 0U);
}

TEST(Reducer, all_reduce_progresses_while_the_rank_computes) {
  if (ranks().ranks() == 1) GTEST_SKIP() << "With one rank there is nothing to sum.";
  OwnedTensor gradients(DType::kF32, {1 << 20});
  for (float& x : gradients.view().span<float>()) x = 1;
  Context context(1);
  GradientReducer reducer(context, ranks(), gradients.view());
  reducer.begin();
  reducer.ready(0);
  const std::atomic_ref<float> last(gradients.view().span<float>().back());  // the reducer's thread writes it
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (last.load() == 1 && std::chrono::steady_clock::now() < end)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));  // no MPI call from this thread
  EXPECT_EQ(last.load(), static_cast<float>(ranks().ranks()));
  reducer.finish();
}

}  // namespace
}  // namespace nystrom
