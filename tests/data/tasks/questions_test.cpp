// Question answering: SQuAD files, windows over long contexts, answers read back from logits.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "data/tasks/scores.h"
#include "data/tasks/squad.h"
#include "data/tasks/task.h"
#include "kernels/core/check.h"
#include "task_files.h"

namespace nystrom {
namespace {

using ::testing::HasSubstr;
using testing::outputs_of;
using testing::score_of;
using testing::Tasks;

std::string squad_of(const std::string& context, const std::string& answers) {
  return R"({"data":[{"paragraphs":[{"context":")" + context +
         R"(","qas":[{"id":"q","question":"one","answers":[)" + answers + "]}]}]}]}";
}

TEST_F(Tasks, an_answer_is_found_by_code_points_and_read_back_from_its_tokens) {
  write("train.json", squad_of("é né tin six", R"({"text":"tin","answer_start":5})"));
  const auto task = open_task(config("question_answering"));
  const auto train = one(*task, Split::kTrain);
  const TaskSequence& sequence = train->sequences().at(0);
  ASSERT_GT(sequence.label, sequence.second);
  std::vector<float> logits(sequence.ids.size() * 2, 0.F);
  logits[2 * static_cast<std::size_t>(sequence.label)] = 5;
  logits[2 * static_cast<std::size_t>(sequence.end) + 1] = 5;
  const Outputs outputs = outputs_of({logits});
  EXPECT_EQ(train->predictions(outputs).rows.at(0).at(1), "tin");
  EXPECT_DOUBLE_EQ(score_of(train->score(outputs), "exact_match"), 1);
}

TEST_F(Tasks, a_long_context_comes_in_overlapping_windows_of_which_one_has_the_answer) {
  std::string context;
  for (int i = 0; i < 12; ++i) context += "one ten ";
  auto c = config("question_answering");
  c.window_overlap = 4;
  write("train.json", squad_of(context + "tin six", R"({"text":"tin","answer_start":96})"));
  const auto task = open_task(c);
  const auto train = one(*task, Split::kTrain);
  EXPECT_GT(train->rows(), 2);
  std::int64_t with_answer = 0;
  for (const auto& sequence : train->sequences()) with_answer += sequence.label > 0 ? 1 : 0;
  EXPECT_GE(with_answer, 1);
  EXPECT_LT(with_answer, train->rows());
  EXPECT_THAT(train->notes().at(0), HasSubstr("1 questions became"));
}

TEST_F(Tasks, questions_may_be_numbered_and_squad_may_be_written_by_python) {
  const auto file = [&](const std::string& id) {
    write("train.json",
          R"({"data":[{"paragraphs":[{"context":"one \ud83d two","score":NaN,"qas":[{"question":"q","id":)" +
              id + R"(,"answers":[{"text":"two","answer_start":6}]}]}]}]})");
    return (folder_ / "train.json").string();
  };
  const SquadFile read = read_squad(file("17"));
  EXPECT_EQ(read.questions.at(0).id, "17");
  EXPECT_EQ(read.contexts.at(0), "one \uFFFD two");
  EXPECT_EQ(read.misplaced, 0);
  EXPECT_EQ(read.repairs.invalid_bytes, 2);
  EXPECT_EQ(read_squad(file("18446744073709551615")).questions.at(0).id, "18446744073709551615");
  for (const char* id : {"1.5", "null", "NaN"}) EXPECT_THROW((void)read_squad(file(id)), InputError) << id;
}

TEST_F(Tasks, an_answer_at_a_wrong_offset_is_scored_but_not_trained_on) {
  const std::string wrong = R"({"text":"tin","answer_start":1})";
  write("train.json", squad_of("tin six", R"({"text":"tin","answer_start":0})"));
  write("dev.json", squad_of("tin six", wrong));
  const auto task = open_task(config("question_answering"));
  (void)one(*task, Split::kTrain);
  const auto dev = one(*task, Split::kValidation);
  EXPECT_EQ(dev->sequences()[0].label, -1);
  std::vector<float> logits(2 * dev->sequences()[0].ids.size());
  const auto first = static_cast<std::size_t>(dev->sequences()[0].second);
  logits[2 * first] = logits[2 * first + 1] = 1;
  EXPECT_EQ(dev->predictions(outputs_of({logits})).rows[0].back(), "tin");
  write("train.json", squad_of("tin six", wrong));
  EXPECT_THAT(refusal(config("question_answering")), HasSubstr("has no training targets"));
}

TEST_F(Tasks, the_empty_answer_is_possible_where_the_training_split_has_it) {
  write("train.json", R"({"data":[{"paragraphs":[{"context":"tin six","qas":[{"id":"q","question":"one",
      "is_impossible":true,"answers":[]}]}]}]})");
  write("test.json",
        R"({"data":[{"paragraphs":[{"context":"tin six","qas":[{"id":"q","question":"one"}]}]}]})");
  const auto task = open_task(config("question_answering"));
  (void)one(*task, Split::kTrain);
  const auto test = one(*task, Split::kTest);
  std::vector<float> logits(2 * test->sequences()[0].ids.size());
  logits[0] = logits[1] = 1;  // <s>
  EXPECT_EQ(test->predictions(outputs_of({logits})).rows[0][1], "");
}

}  // namespace
}  // namespace nystrom
