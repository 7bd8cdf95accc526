// The registry of answers: every kind has a head that leads back to it, and its own labels in a batch.

#include "trainer/tasks/answers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "letter_tokenizer.h"
#include "model/heads/head_registry.h"
#include "small_network.h"
#include "trainer/comm/comm.h"
#include "trainer/tasks/task_outputs.h"
#include "trainer/tasks/task_source.h"

namespace nystrom {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

using enum AnswerKind;
constexpr std::array kKinds{kClass, kLabels, kValue, kTags, kSpan, kChoice, kPair, kVector};

TaskInfo info_of(AnswerKind kind) {
  return {.name = "test", .answer = kind, .labels = {"a", "b", "c"}};
}

TEST(Answers, each_kind_has_a_row_and_its_head_leads_back_to_it) {
  ASSERT_EQ(answer_registry().size(), kKinds.size());
  for (const AnswerKind kind : kKinds) {
    const HeadConfig head = head_for(info_of(kind));
    const AnswerEntry* found = find_answer(head);
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(found->kind, kind);
    EXPECT_EQ(found, &entry_of(kind));
    EXPECT_EQ(head.labels, found->has_labels() ? 3 : found->logits);
  }
}

TEST(Answers, language_models_alone_have_none) {
  for (const HeadEntry* head : head_registry())
    EXPECT_EQ(find_answer(head->kind) == nullptr, head->is_language_model) << head->name;
}

TEST(Answers, a_prediction_is_a_label_or_a_number_and_columns_have_their_own_roles) {
  for (const AnswerEntry& answer : answer_registry()) {
    EXPECT_FALSE(answer.predicts_label && answer.predicts_number);
    EXPECT_FALSE(answer.predicts_label && !answer.has_labels());
    EXPECT_EQ(answer.columns == nullptr, answer.kind == kVector);
    if (answer.columns == nullptr) continue;
    std::set<std::string_view> roles;
    for (const AnswerColumn& column : answer.columns()) EXPECT_TRUE(roles.insert(column.role).second);
    EXPECT_FALSE(roles.empty());
  }
}

/// Two rows of two sequences.
class PairsOfSequences final : public TaskSplit {
 public:
  PairsOfSequences() : TaskSplit("test", 2) {
    for (std::int32_t i = 0; i < 4; ++i) {
      TaskSequence& sequence = sequences_.emplace_back();
      sequence.ids = {0, 5, 2};
      sequence.label = 10 + i;
      sequence.end = 20 + i;
    }
  }
  [[nodiscard]] std::vector<Score> score(const Outputs&) const override { return {}; }
  [[nodiscard]] PredictionTable predictions(const Outputs&) const override { return {}; }
};

HostBatch batch_of(AnswerKind kind) {
  const PairsOfSequences split;
  HostBatch batch;
  for (std::int64_t row = 0; row < split.rows(); ++row) append_row(split, kind, row, row, batch);
  return batch;
}

TEST(Answers, of_a_choice_and_a_pair_one_label_a_row_and_of_a_class_one_a_sequence) {
  EXPECT_THAT(batch_of(kChoice).sequence_labels, ElementsAre(10, 12));
  EXPECT_THAT(batch_of(kPair).sequence_labels, ElementsAre(10, 12));
  EXPECT_THAT(batch_of(kClass).sequence_labels, ElementsAre(10, 11, 12, 13));
  EXPECT_THAT(batch_of(kTags).sequence_labels, IsEmpty());
  EXPECT_THAT(batch_of(kVector).sequence_labels, IsEmpty());
  const HostBatch spans = batch_of(kSpan);
  EXPECT_THAT(spans.sequence_labels, ElementsAre(10, 11, 12, 13));
  EXPECT_THAT(spans.sequence_ends, ElementsAre(20, 21, 22, 23));
}

TEST(Answers, two_texts_of_a_pair_are_encoded_apart) {
  TaskInfo info = info_of(kPair);
  info.metrics = {"accuracy"};
  const TextEncoder encoder(testing::letter_tokenizer(), 64);
  std::vector<std::vector<std::string>> cells{{"ab", "c", "x"}, {"d", "e", ""}};
  const std::vector<bool> present{true, true, true};
  const auto split = entry_of(kPair).make_split({info, {}, encoder, 7, present, cells});
  ASSERT_EQ(split->rows(), 2);
  ASSERT_EQ(split->sequence_count(), 4U);
  EncodingCounts counts;
  const char* texts[] = {"ab", "c", "d", "e"};
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(split->sequence(i).ids, encoder.single(texts[i], counts).ids);
    EXPECT_EQ(split->sequence(i).second, std::ssize(split->sequence(i).ids));
  }
  EXPECT_FALSE(split->labelled());
  Outputs outputs;
  outputs.append(std::vector<float>{0, 3, 1});
  outputs.append(std::vector<float>{5, 0, 1});
  const PredictionTable table = split->predictions(outputs);
  ASSERT_EQ(table.rows.size(), 2U);
  EXPECT_EQ(table.rows[0][0], "x");
  EXPECT_EQ(table.rows[0][1], "b");
  EXPECT_EQ(table.rows[1][0], "8");
  EXPECT_EQ(table.rows[1][1], "a");
}

/// Sequences of the same tokens, at the given positions.
class Placed final : public TaskSplit {
 public:
  explicit Placed(const std::vector<std::vector<std::int32_t>>& positions) : TaskSplit("test") {
    for (const auto& of_sequence : positions) {
      TaskSequence& sequence = sequences_.emplace_back();
      sequence.ids = {5, 7};
      sequence.positions = of_sequence;
      sequence.second = 2;
      sequence.label = 1;
    }
  }
  [[nodiscard]] std::vector<Score> score(const Outputs&) const override { return {}; }
  [[nodiscard]] PredictionTable predictions(const Outputs&) const override { return {}; }
};

TEST(Answers, positions_reach_the_batch_and_its_arrays) {
  const Placed split({{3, 7}, {0, 15}});
  HostBatch batch;
  for (std::int64_t row = 0; row < split.rows(); ++row) append_row(split, kClass, row, row, batch);
  EXPECT_THAT(batch.positions, ElementsAre(3, 7, 0, 15));
  EXPECT_EQ(arrays_of(batch).positions.data(), batch.positions.data());
  EXPECT_EQ(arrays_of(batch).positions.size(), 4U);
}

TEST(Answers, positions_reach_the_network) {
  ComputeSession session(Device(), 1, {.model = testing::small_model(), .head = head_for(info_of(kClass))});
  session.network.initialize(5);
  session.plan(testing::kSmallLimits);
  const std::unique_ptr<Comm> comm = make_solo_comm();
  const auto logits = [&](const std::vector<std::vector<std::int32_t>>& positions) {
    const SplitOutputs computed = compute_outputs(session, *comm, Placed(positions), kClass);
    return std::vector<float>(computed.outputs[0].begin(), computed.outputs[0].end());
  };
  EXPECT_EQ(logits({{0, 1}}), logits({{}}));  // indexes
  EXPECT_NE(logits({{3, 7}}), logits({{}}));
  EXPECT_NE(logits({{3, 7}}), logits({{3, 8}}));
}

TEST(Answers, logits_of_an_entry_follow_from_choices_lengths_and_labels) {
  const PairsOfSequences split;
  EXPECT_THAT(entry_of(kChoice).entry_sizes(batch_of(kChoice), split, 1), ElementsAre(2, 2));
  EXPECT_THAT(entry_of(kClass).entry_sizes(batch_of(kClass), split, 3), ElementsAre(3, 3, 3, 3));
  EXPECT_THAT(entry_of(kPair).entry_sizes(batch_of(kPair), split, 3), ElementsAre(3, 3));
  EXPECT_THAT(entry_of(kVector).entry_sizes(batch_of(kVector), split, 8), ElementsAre(16, 16));
  EXPECT_THAT(entry_of(kSpan).entry_sizes(batch_of(kSpan), split, 2), ElementsAre(6, 6, 6, 6));
  HostBatch tagged = batch_of(kTags);
  tagged.label_rows = {0, 2, 3, 10};  // of sequences 0, 0, 1 and 3
  EXPECT_THAT(entry_of(kTags).entry_sizes(tagged, split, 3), ElementsAre(6, 3, 0, 3));
}

}  // namespace
}  // namespace nystrom
