// ListOps of the Long Range Arena.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "data/tasks/task.h"
#include "lra_files.h"

namespace nystrom {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using testing::Ids;
using testing::LongRangeArena;

TEST_F(LongRangeArena, listops_has_fifteen_tokens) {
  write_listops("a/listops-1000", "( ( ( ( [MAX 3 ) ( ( ( [SM 0 ) 9 ) ] ) ) 4 ) ] )\t9\r\n[MED 1 2 X\t1\r\n");
  const auto task = open_task(config("listops"));
  EXPECT_EQ(task->info().vocabulary, 16);
  EXPECT_EQ(task->info().length, 2000);
  EXPECT_EQ(task->info().labels.size(), 10U);
  const auto train = load(*task, Split::kTrain);
  ASSERT_EQ(train->rows(), 2);
  EXPECT_EQ(train->sequence(0).ids, (Ids{12, 4, 14, 1, 10, 15, 5, 15}));
  EXPECT_EQ(train->sequence(0).label, 9);
  EXPECT_EQ(train->sequence(0).second, 8);
  EXPECT_EQ(train->size_of(0).tokens, 8);
  EXPECT_EQ(train->sequence(1).ids, (Ids{13, 2, 3, 15}));
  EXPECT_TRUE(train->notes().empty());
  EXPECT_EQ(load(*task, Split::kValidation)->sequence(0).ids, (Ids{4}));
  EXPECT_EQ(load(*task, Split::kTest)->sequence(0).ids, (Ids{11, 1, 5, 15}));
  EXPECT_THAT(task->data(), HasSubstr("brackets: keep; train: 2 examples, SHA-256 "));
}

TEST_F(LongRangeArena, listops_without_brackets_has_no_ends_of_lists) {
  write_listops(".", "( ( ( ( [MAX 3 ) ( ( ( [SM 0 ) 9 ) ] ) ) 4 ) ] )\t9\n");
  TaskConfig dropping = config("listops");
  dropping.brackets = Brackets::kDrop;
  const auto train = load(dropping);
  EXPECT_EQ(train->sequence(0).ids, (Ids{12, 4, 14, 1, 10, 5}));
  EXPECT_EQ(train->size_of(0).tokens, 6);
  EXPECT_NE(train->fingerprint(), load(config("listops"))->fingerprint());
}

TEST_F(LongRangeArena, long_expressions_are_truncated_and_counted) {
  write_listops(".", "[SM 1 2 3 4 5 6 7 8 9 ]\t5\n[MIN 1 2 ]\t1\n");
  const auto train = load(config("listops"), Split::kTrain, 8);
  EXPECT_EQ(train->sequence(0).ids.size(), 8U);
  EXPECT_EQ(train->size_of(0).tokens, 8);
  EXPECT_THAT(train->notes(),
              Contains(HasSubstr("1 of 2 sequences were truncated to 8 tokens (3 tokens lost)")));
}

TEST_F(LongRangeArena, malformed_listops_is_refused_with_its_line_or_skipped_and_named) {
  const std::string file = folder_ / "basic_train.tsv";
  for (const auto& [row, problem] : {std::pair{"[MAX 1 2 ]", "there are 1 columns instead of two"},
                                     {"[MAX 1 2 ]\t12", "the target `12` is not a digit"},
                                     {"[FIRST 1 2 ]\t1", "`[FIRST` is not a token of ListOps"},
                                     {"\t1", "there is no expression"}}) {
    write_listops(".", std::string("[MAX 1 2 ]\t2\r\n") + row + "\r\n");
    EXPECT_THAT(refusal(config("listops")), HasSubstr(fmt::format("{}, line 3: {}", file, problem)));
    TaskConfig skipping = config("listops");
    skipping.malformed = Malformed::kSkip;
    const auto train = load(skipping);
    EXPECT_EQ(train->rows(), 1);
    EXPECT_THAT(train->notes(),
                Contains(fmt::format("1 example was skipped: {}, line 3 ({}).", file, problem)));
  }
  write("basic_train.tsv", "source\tlabel\n1\t1\n");
  EXPECT_THAT(refusal(config("listops")),
              HasSubstr("basic_train.tsv, line 1: the columns are not Source and Target"));
  write_listops(".", "");
  EXPECT_THAT(refusal(config("listops")), HasSubstr("has no train examples"));
}

TEST_F(LongRangeArena, wrong_targets_and_lost_brackets_of_listops_are_noted) {
  write_listops(".", "[MAX 1 2 ]\t1\nMAX 1 2\t2\n");
  EXPECT_THAT(refusal(config("listops")), HasSubstr("line 3: `MAX` is not a token"));
  write_listops(".", "[MAX 1 2 ]\t1\n[MAX 1 2\t2\n");
  const auto train = load(config("listops"));
  EXPECT_THAT(train->notes(),
              Contains(HasSubstr("1 targets are not the values of their expressions; the first is")));
  EXPECT_THAT(train->notes(), Contains(HasSubstr("1 rows are not valid expressions")));
}

}  // namespace
}  // namespace nystrom
