// Each head at the end of a small network, in double precision: gradients of all parameters by central
// differences (dropout on), the same losses however the sequences are packed.

#include <gtest/gtest.h>

#include <numeric>
#include <string>
#include <vector>

#include "gradient_check.h"
#include "kernels/core/philox.h"
#include "model/heads/pretraining.h"
#include "small_network.h"

namespace nystrom {
namespace {

using testing::small_model;

TEST(PretrainingHead, holds_more_logits_at_once_on_larger_gpus) {
  EXPECT_EQ(logits_at_once(0), 256 * 30000);
  EXPECT_EQ(logits_at_once(std::size_t{16} << 30U), 2048 * 30000);
  const std::int64_t masked = 65536 * 15 / 100;  // of a micro-batch: one chunk on an H200
  EXPECT_GE(logits_at_once(std::size_t{139} << 30U), masked * 30000);
}

/// Four sequences with labels for every head.
struct Arrays {
  std::vector<std::int32_t> ids, types, offsets{0}, lengths, rows, labels, sequence_labels, ends;
  std::vector<std::int64_t> samples;
  std::vector<float> values;

  Arrays(const HeadConfig& head, std::size_t begin, std::size_t end) {
    constexpr std::int32_t kLengths[] = {7, 2, 5, 3};
    for (std::size_t s = begin; s < end; ++s) {
      Random random(1, Purpose::kTest, s);
      for (std::int32_t t = 0; t < kLengths[s]; ++t) {
        if (t % 2 == 0) rows.push_back(static_cast<std::int32_t>(ids.size()));
        if (t % 2 == 0) labels.push_back(t == 2 ? -1 : static_cast<std::int32_t>(random.below(3)));
        ids.push_back(static_cast<std::int32_t>(random.below(23)));
        types.push_back(t % 2);
      }
      lengths.push_back(kLengths[s]);
      offsets.push_back(static_cast<std::int32_t>(ids.size()));
      samples.push_back(static_cast<std::int64_t>(s));
      if (head.kind != HeadKind::kMultipleChoice && head.kind != HeadKind::kPairClassification)
        sequence_labels.push_back(static_cast<std::int32_t>(s % 2));
      else if (s % 2 == 1)
        sequence_labels.push_back(static_cast<std::int32_t>(s / 2));  // two choices a question, or a pair
      ends.push_back(kLengths[s] - 1);
      for (std::int64_t l = 0; l < head.labels; ++l)
        values.push_back(s == 1 ? 0.F : static_cast<float>(l + 1) / 3);
    }
  }

  [[nodiscard]] BatchArrays view() const {
    return {.input_ids = ids,
            .token_type_ids = types,
            .offsets = offsets,
            .lengths = lengths,
            .samples = samples,
            .label_rows = rows,
            .token_labels = labels,
            .sequence_labels = sequence_labels,
            .sequence_ends = ends,
            .sequence_values = values};
  }
};

constexpr BatchLimits kLimits{.sequences = 4, .tokens = 17, .longest = 7, .labels = 17, .values = 3};
constexpr LossScales kScales{0.4, 0.0};

struct HeadCase {
  std::string name;
  HeadConfig head;
  NetworkConfig network = {};
};

ModelConfig model_of(const HeadCase& head) {
  ModelConfig model = small_model();
  model.network = head.network;
  return model;
}

class HeadOf : public ::testing::TestWithParam<HeadCase> {
 protected:
  HeadOf() : network_(model_of(GetParam()), GetParam().head, DType::kF64, true), buffer_(kLimits) {
    network_.initialize(5);
    // Away from the linear range, but not so far that a loss is zero.
    const bool pairs = GetParam().head.kind == HeadKind::kPairClassification;
    for (double& w : network_.parameters().weights().span<double>()) w *= pairs ? 4 : 10;
    network_.plan(kLimits, context_.threads());
  }

  /// Sum of losses over sequences [begin, end), with dropout; also their gradients where asked for.
  double run(std::size_t begin, std::size_t end, bool backward) {
    const Arrays arrays(GetParam().head, begin, end);
    const Batch& batch = buffer_.upload(arrays.view());
    const Pass pass{.training = true, .seed = 9};
    network_.head().reset_sums(context_);
    network_.forward(context_, batch, pass, kScales);
    if (backward) network_.backward(context_, batch, pass, kScales);
    return network_.head().sums().span<double>()[0];
  }

  Context context_{2};
  Network network_;
  BatchBuffer buffer_;
};

TEST_P(HeadOf, has_the_gradients_that_central_differences_give) {
  ParameterStore& store = network_.parameters();
  store.zero_gradients(context_);
  (void)run(0, 4, true);
  const ParameterId head = network_.head().first_parameter();
  for (ParameterId id = 0; id < store.count(); ++id) {
    if (store[id].name.ends_with("key.bias")) continue;  // softmax cancels it: its gradient is noise
    testing::expect_gradient(
        store[id].name, store.weight(id), store.gradient(id), [&] { return kScales[0] * run(0, 4, false); },
        5e-6, id < head ? 3 : 12);
  }
}

TEST_P(HeadOf, has_the_same_loss_in_one_micro_batch_or_two) {
  const double together = run(0, 4, false);
  EXPECT_GT(together, 0);
  EXPECT_NEAR(together, run(0, 2, false) + run(2, 4, false), 1e-12 * together);
}

TEST_P(HeadOf, is_found_under_its_name_and_takes_memory_as_planned) {
  const HeadEntry& entry = entry_of(GetParam().head.kind);
  EXPECT_EQ(find_head(entry.name), &entry);
  EXPECT_EQ(Network::planned_bytes(model_of(GetParam()), GetParam().head, DType::kF64,
                                   {.limits = kLimits, .threads = 2, .training = true}),
            network_.arena().bytes());
}

NetworkConfig pooled(Pooling pooling, ClassifierKind classifier, std::optional<std::int64_t> size = {}) {
  return {.pooling = pooling, .classifier = classifier, .classifier_size = size};
}

using enum HeadKind;
INSTANTIATE_TEST_SUITE_P(
    Kinds, HeadOf,
    ::testing::Values(HeadCase{"classes", {kSequenceClassification, 3}},
                      HeadCase{"many_labels", {kSequenceClassification, 3, Problem::kMultiLabel}},
                      HeadCase{"regression", {kSequenceClassification, 1, Problem::kRegression}},
                      HeadCase{"tokens", {kTokenClassification, 3}},
                      HeadCase{"answers", {kQuestionAnswering, 2}}, HeadCase{"choices", {kMultipleChoice, 1}},
                      HeadCase{"classes_of_means",
                               {kSequenceClassification, 3},
                               pooled(Pooling::kMean, ClassifierKind::kTanh)},
                      HeadCase{"classes_of_maxima",
                               {kSequenceClassification, 3},
                               pooled(Pooling::kMax, ClassifierKind::kReluMlp, 11)},
                      HeadCase{"pairs", {kPairClassification, 3}},
                      HeadCase{"pairs_of_means",
                               {kPairClassification, 3},
                               pooled(Pooling::kMean, ClassifierKind::kReluMlp, 5)}),
    [](const auto& head) { return head.param.name; });

TEST(Head, without_a_label_is_refused) {
  try {
    const Network network(small_model(), {HeadKind::kTokenClassification, 0}, DType::kF32, false);
    FAIL() << "accepted";
  } catch (const InputError& error) {
    EXPECT_STREQ(error.what(), "A token_classification head has 0 labels; it needs at least 1.");
  }
}

TEST(HeadRegistry, has_a_complete_row_of_each_kind_in_their_order) {
  for (std::size_t i = 0; i < head_registry().size(); ++i) {
    const HeadEntry& entry = *head_registry()[i];
    EXPECT_EQ(static_cast<std::size_t>(entry.kind), i);
    EXPECT_EQ(find_head(entry.name), &entry);
    const std::string_view task = entry.auto_class.substr(std::string_view("AutoModel").size());
    EXPECT_EQ(entry.architecture.substr(std::string_view("Nystromformer").size()),
              entry.kind == HeadKind::kPairClassification ? "ForPairClassification"
              : entry.kind == HeadKind::kEmbedding        ? "Model"
                                                          : task)
        << entry.name;
    EXPECT_FALSE(entry.description.empty() || entry.pipeline_tag.empty() || entry.case_outputs.empty());
    EXPECT_TRUE(entry.make != nullptr && entry.read_case_labels != nullptr);
  }
  EXPECT_EQ(find_head("none"), nullptr);
}

}  // namespace
}  // namespace nystrom
