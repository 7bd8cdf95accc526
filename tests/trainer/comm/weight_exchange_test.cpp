// Which weights the ranks get of each other with ZeRO: what passes read, and at the end all.

#include "trainer/optimizer/weight_exchange.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "ranks.h"
#include "toy_run.h"
#include "trainer/guards/consistency.h"

namespace nystrom {
namespace {

using testing::ranks;

/// What the owner has updated element i to, and what it was before.
float updated(std::int64_t i) {
  return 0.1F + static_cast<float>(i % 1000) / 997;
}
constexpr float kBefore = -3;

/// Its tables are long, its biases and normalizations short, and it has linear layers.
ModelConfig model() {
  ModelConfig config = testing::toy_model();
  config.vocabulary_size = 2500;
  return config;
}

/// Boundaries between shards of [size], for any number of ranks.
using Cut = std::int64_t (*)(std::int64_t size, int boundary, int all);
std::int64_t even(std::int64_t size, int boundary, int all) {
  return size * boundary / all;
}
std::int64_t all_to_the_last(std::int64_t size, int boundary, int all) {
  return boundary < all ? 0 : size;
}
std::int64_t within_the_last_bias(std::int64_t size, int boundary, int all) {
  return boundary == 0 ? 0 : boundary < all ? size - 7 : size;
}

class WeightsOfShards : public ::testing::TestWithParam<Cut> {
 protected:
  WeightsOfShards() {
    const Tensor weights = store_.weights();
    for (std::int64_t i = 0; i < weights.numel(); ++i)
      weights.data<float>()[i] = mine(i) ? updated(i) : kBefore;
    exchange_.emplace(context_, ranks(), nullptr, store_, partition_);
  }
  [[nodiscard]] ZeroPartition cut() const {
    std::vector<std::int64_t> begins;
    for (int r = 0; r <= ranks().ranks(); ++r)
      begins.push_back(GetParam()(store_.flat_size(), r, ranks().ranks()));
    return {begins, ranks().rank()};
  }
  [[nodiscard]] bool mine(std::int64_t i) const { return i >= partition_.begin() && i < partition_.end(); }
  /// Calls check(parameter, i, weight, its rounded copy) for each value.
  template <class Check>
  void for_each(const Check& check) const {
    for (const Parameter& parameter : store_.all())
      for (std::int64_t i = parameter.offset; i < parameter.offset + parameter.numel(); ++i)
        check(parameter, i, store_.weights().data<float>()[i],
              static_cast<float>(store_.rounded_copy().data<BF16>()[i]));
  }
  [[nodiscard]] std::string digest() {
    std::string all;
    for (const Tensor& tensor : exchange_->shared()) all += digest_of(tensor);
    return all;
  }

  Context context_{1};
  Network network_{model(), HeadKind::kPretraining, DType::kBF16, true};
  ParameterStore& store_ = network_.parameters();
  ZeroPartition partition_ = cut();
  std::optional<WeightExchange> exchange_;
};

TEST_P(WeightsOfShards, are_shared_as_passes_read_them_and_completed_to_fp32) {
  exchange_->share(1);
  std::int64_t wrong = 0, travelled = 0;
  std::array stayed{0.0};
  for_each([&](const Parameter& parameter, std::int64_t i, float weight, float copy) {
    wrong += copy != static_cast<float>(BF16(updated(i)));
    if (mine(i) || !parameter.only_multiplied()) {
      wrong += weight != updated(i);
    } else {
      travelled += weight != kBefore;
      ++stayed[0];
    }
  });
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(travelled, 0) << "in fp32 though passes read it rounded";
  ranks().all_reduce(stayed, "a test");
  EXPECT_EQ(stayed[0] > 1000, ranks().ranks() > 1);
  require_agreement(ranks(), {{"what passes read", digest()}});

  exchange_->complete(1);
  for_each([&](const Parameter&, std::int64_t i, float weight, float) { wrong += weight != updated(i); });
  EXPECT_EQ(wrong, 0);
  require_agreement(ranks(), {{"weights", digest()}});
}

TEST_P(WeightsOfShards, of_which_one_that_changes_by_itself_is_seen) {
  exchange_->share(1);
  const std::string before = digest();
  const ParameterId bias = store_.count() - 1;
  ASSERT_FALSE(store_[bias].only_multiplied());
  store_.weight(bias).data<float>()[0] += 1;
  EXPECT_NE(digest(), before);
  store_.weight(bias).data<float>()[0] -= 1;
  store_.weight(0).data<float>()[5] += 1;
  EXPECT_NE(digest(), before);
}

INSTANTIATE_TEST_SUITE_P(, WeightsOfShards, ::testing::Values(&even, &all_to_the_last, &within_the_last_bias),
                         [](const auto& one) {
                           return one.param == &even              ? "in_even_shards"
                                  : one.param == &all_to_the_last ? "of_the_last_rank"
                                                                  : "cut_within_a_bias";
                         });

}  // namespace
}  // namespace nystrom
