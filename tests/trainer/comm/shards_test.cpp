// Sums that each rank needs a shard of: reduce-scatter, stripes, and the reducer with them.

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <vector>

#include "kernels/core/philox.h"
#include "kernels/tensor/buffer.h"
#include "kernels/tensor/context.h"
#include "ranks.h"
#include "trainer/comm/reducer.h"
#include "trainer/comm/stripes.h"
#include "trainer/comm/tree_sum.h"
#include "trainer/guards/consistency.h"
#include "trainer/optimizer/zero_partition.h"

namespace nystrom {
namespace {

using testing::ranks;

/// What rank r has at i, in any test: any rank can compute it.
double drawn(int rank, std::int64_t i, std::uint64_t seed = 1) {
  Random random(seed, Purpose::kTest, static_cast<std::uint64_t>(rank * 1000003 + i));
  return random.normal();
}

void set(const Tensor& values, std::int64_t i, double value) {
  if (values.dtype == DType::kF64)
    values.data<double>()[i] = value;
  else if (values.dtype == DType::kF32)
    values.data<float>()[i] = static_cast<float>(value);
  else
    values.data<BF16>()[i] = BF16(static_cast<float>(value));
}
double get(const Tensor& values, std::int64_t i) {
  if (values.dtype == DType::kF64) return values.data<double>()[i];
  if (values.dtype == DType::kF32) return static_cast<double>(values.data<float>()[i]);
  return static_cast<double>(static_cast<float>(values.data<BF16>()[i]));
}
/// As `type` holds it.
double rounded(DType type, double value) {
  const OwnedTensor one(type, {1});
  set(one, 0, value);
  return get(one, 0);
}

/// The sum of ranks [first, first + 2^k) of which there are some, by its definition.
double tree(DType type, int first, int span, int count, std::int64_t i) {
  if (span == 1) return rounded(type, drawn(first, i));
  const double left = tree(type, first, span / 2, count, i);
  if (first + span / 2 >= count) return left;
  return rounded(type, left + tree(type, first + span / 2, span / 2, count, i));
}
double tree(DType type, int count, std::int64_t i) {
  int span = 1;
  while (span < count) span *= 2;
  return tree(type, 0, span, count, i);
}

TEST(TreeSum, adds_in_the_order_of_a_binomial_tree) {
  for (const DType type : {DType::kF32, DType::kF64, DType::kBF16})
    for (const int count : {1, 2, 3, 4, 5, 7, 8, 16, 21}) {
      constexpr std::int64_t kCount = 10007;
      std::vector<OwnedTensor> values;
      std::vector<Tensor> views;
      for (int r = 0; r < count; ++r) {
        values.emplace_back(type, Shape{kCount});
        for (std::int64_t i = 0; i < kCount; i += 97) set(values.back(), i, drawn(r, i));
      }
      for (const OwnedTensor& each : values) views.push_back(each);
      tree_sum(views);
      for (std::int64_t i = 0; i < kCount; i += 97)
        ASSERT_EQ(get(views[0], i), tree(type, count, i)) << name_of(type) << " of " << count << " at " << i;
    }
}

TEST(ReduceScatter, leaves_each_rank_the_sums_of_its_part) {
  if (ranks().ranks() == 1) GTEST_SKIP() << "With one rank nothing is summed.";
  for (const DType type : {DType::kF32, DType::kF64, DType::kBF16})
    for (const std::int64_t part : {1, 64, 40000}) {
      const OwnedTensor values(type, {part * ranks().ranks()});
      for (std::int64_t i = 0; i < values.view().numel(); ++i) set(values, i, drawn(ranks().rank(), i));
      ranks().wait(ranks().start_reduce_scatter(values, "a test"));
      const std::int64_t begin = part * ranks().rank();
      for (std::int64_t i = begin; i < begin + part; i += 1 + part / 50)
        ASSERT_EQ(get(values, i), tree(type, ranks().ranks(), i)) << name_of(type) << " " << part;
    }
}

// More than have room at once, of different sizes, among other collectives and messages.
TEST(ReduceScatter, many_at_once_are_told_apart) {
  if (ranks().ranks() == 1) GTEST_SKIP() << "With one rank nothing is summed.";
  const int count = ranks().ranks(), mine = ranks().rank(), next = (mine + 1) % count;
  std::vector<OwnedTensor> all;
  std::vector<Comm::Ticket> tickets;
  std::array<float, 3> sent{static_cast<float>(mine), 2, 3}, received{};
  std::array<double, 1> reduced{1};
  const Tensor sums(reduced.data(), DType::kF64, {1});
  for (std::int64_t k = 0; k < 11; ++k) {
    all.emplace_back(DType::kF32, Shape{(k % 3 == 0 ? 30000 : 10 * (k + 1)) * count});
    for (float& x : all.back().view().span<float>()) x = static_cast<float>((k + 1) * (mine + 1));
    tickets.push_back(ranks().start_reduce_scatter(all.back(), "a test"));
    if (k != 5) continue;
    tickets.push_back(ranks().start_send(std::as_bytes(std::span(sent)), next, "a test"));
    tickets.push_back(ranks().start_receive(std::as_writable_bytes(std::span(received)),
                                            (mine + count - 1) % count, "a test"));
    tickets.push_back(ranks().start_all_reduce(sums, "a test"));
  }
  while (!tickets.empty()) {  // the last first
    ranks().wait(tickets.back());
    tickets.pop_back();
  }
  EXPECT_EQ(received[0], static_cast<float>((mine + count - 1) % count));
  EXPECT_EQ(reduced[0], count);
  for (std::size_t k = 0; k < all.size(); ++k) {
    const std::int64_t part = all[k].view().numel() / count;
    for (const float x : all[k].view().rows(part * mine, part).span<float>())
      ASSERT_EQ(x, static_cast<float>(k + 1) * static_cast<float>(count * (count + 1) / 2)) << k;
  }
}

TEST(Stripes, cover_all_but_a_rest_with_equal_parts) {
  for (const std::int64_t size : {0, 1, 63, 64, 1000, 12800, 999999})
    for (const std::int64_t elements : {1, 100, 4096, 1 << 20})
      for (const int count : {2, 3, 7, 64}) {
        const Stripes stripes = cut_stripes(size, elements, count);
        std::int64_t end = size;
        for (const Stripe& stripe : stripes.all) {
          EXPECT_EQ(stripe.begin + stripe.part * count, end);
          EXPECT_EQ(stripe.part % 64, 0);
          EXPECT_GT(stripe.part, 0);
          EXPECT_LE(stripe.part * count, std::max<std::int64_t>(elements, 64 * count));
          end = stripe.begin;
        }
        EXPECT_EQ(stripes.rest, end);
        EXPECT_LT(stripes.rest, 64 * count);
      }
}

// Of every rank: what it holds or receives is its shard, once; and both sides of a message know of it.
TEST(Stripes, parts_reach_the_shards_they_belong_to) {
  for (const std::int64_t size : {1000, 12800, 300001})
    for (const int count : {2, 3, 7}) {
      const Stripes stripes = cut_stripes(size, 4096, count);
      std::vector<std::int64_t> uneven{0};  // as muon has them: one is empty, one has nearly all
      for (int r = 1; r < count; ++r) uneven.push_back(r == 1 ? size / 17 : size - size / 9);
      uneven.push_back(size);
      const ZeroPartition even(size, 0, count);
      for (const auto shards : {even.begins(), std::span<const std::int64_t>(uneven)}) {
        std::map<std::pair<int, int>, std::vector<std::int64_t>> sent, received;
        for (int rank = 0; rank < count; ++rank) {
          std::vector<int> found(static_cast<std::size_t>(size), 0);
          const auto add = [&](std::int64_t begin, std::int64_t end) {
            for (std::int64_t i = begin; i < end; ++i) ++found[static_cast<std::size_t>(i)];
          };
          add(0, stripes.rest);
          for (const Stripe& stripe : stripes.all)
            add(stripe.begin + rank * stripe.part, stripe.begin + (rank + 1) * stripe.part);
          for (const PartOfShard& part : parts_elsewhere(stripes, shards, rank)) {
            auto& list = part.owner == rank ? received : sent;
            list[{part.holder, part.owner}].push_back(part.begin * size + part.count);
            if (part.owner == rank) add(part.begin, part.begin + part.count);
          }
          for (auto i = shards[static_cast<std::size_t>(rank)];
               i < shards[static_cast<std::size_t>(rank) + 1]; ++i)
            ASSERT_EQ(found[static_cast<std::size_t>(i)], 1) << i << " of " << size << ", rank " << rank;
        }
        EXPECT_EQ(sent, received);
      }
    }
}

/// Gradients of three "layers" that become final from the end.
void reduce_in_shards(std::int64_t size, std::span<const std::int64_t> shards, std::int64_t bucket_bytes,
                      bool bf16) {
  Context context(1);
  const OwnedTensor gradients(DType::kF32, {size});
  GradientReducer reducer(context, ranks(), gradients.view(),
                          {.bucket_bytes = bucket_bytes, .bf16 = bf16, .shards = shards});
  const auto mine = static_cast<std::size_t>(ranks().rank());
  for (int step = 0; step < 2; ++step) {
    for (std::int64_t i = 0; i < size; ++i) set(gradients, i, drawn(ranks().rank(), i));
    reducer.begin();
    if (mine != 1)  // rank 1 has no rows
      for (const std::int64_t offset : {size - size / 10, size / 2, std::int64_t{17}}) reducer.ready(offset);
    reducer.finish();
    const DType type = bf16 ? DType::kBF16 : DType::kF32;
    for (std::int64_t i = shards[mine]; i < shards[mine + 1]; i += 1 + size / 300)
      ASSERT_EQ(get(gradients, i), tree(type, ranks().ranks(), i)) << i << " of " << size;
  }
}

TEST(ReducerOfShards, leaves_each_rank_the_sums_of_its_shard) {
  for (const std::int64_t size : {50, 1003, 40000})
    for (const std::int64_t bytes : {4, 4000, 1 << 20})
      for (const bool bf16 : {false, true}) {
        if (ranks().ranks() == 1) continue;
        const ZeroPartition even(size, ranks().rank(), ranks().ranks());
        reduce_in_shards(size, even.begins(), bytes, bf16);
        std::vector<std::int64_t> last(static_cast<std::size_t>(ranks().ranks()), 0);
        last.push_back(size);
        reduce_in_shards(size, last, bytes, bf16);
      }
}

TEST(ReducerOfShards, starts_a_stripe_once_its_gradients_are_final) {
  if (ranks().ranks() == 1) GTEST_SKIP() << "With one rank there is nothing to sum.";
  const std::int64_t stripe = 64 * ranks().ranks(), size = 3 * stripe + 10;
  const OwnedTensor gradients(DType::kF32, {size});
  const ZeroPartition shards(size, ranks().rank(), ranks().ranks());
  Context context(1);
  GradientReducer reducer(context, ranks(), gradients.view(),
                          {.bucket_bytes = stripe * 4, .shards = shards.begins()});
  ASSERT_EQ(reducer.buckets(), 4U);  // the last has the rest
  reducer.begin();
  reducer.ready(size - stripe + 1);
  EXPECT_EQ(reducer.started(), 0U);
  reducer.ready(size - stripe);
  EXPECT_EQ(reducer.started(), 1U);
  reducer.ready(10);
  EXPECT_EQ(reducer.started(), 3U);
  reducer.finish();
  EXPECT_EQ(reducer.started(), 0U);
}

}  // namespace
}  // namespace nystrom
