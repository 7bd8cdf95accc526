// Token classification: CoNLL and CoNLL-U files, tags of words.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "data/tasks/scores.h"
#include "data/tasks/task.h"
#include "task_files.h"

namespace nystrom {
namespace {

using ::testing::HasSubstr;
using testing::outputs_of;
using testing::score_of;
using ::testing::SizeIs;
using testing::Tasks;

TEST_F(Tasks, words_are_tagged_at_their_first_token_and_truncated_words_are_outside) {
  write("train.conll", "one\tB-n\nnet\tI-n\n\t\nsix\tO\n\n");
  std::string longer;
  for (int i = 0; i < 30; ++i) longer += "one\tB-n\n";
  write("validation.conll", longer);
  const auto task = open_task(config("tokens"));
  const auto train = one(*task, Split::kTrain), validation = one(*task, Split::kValidation);
  ASSERT_THAT(train->sequences(), SizeIs(2));
  EXPECT_EQ(task->info().labels, (std::vector<std::string>{"B-n", "I-n", "O"}));
  EXPECT_EQ(train->sequences()[0].labels, (std::vector<std::int32_t>{0, 1}));
  EXPECT_EQ(train->sequences()[0].label_rows[0], 1);
  const auto& cut = validation->sequences().at(0);
  EXPECT_EQ(cut.ids.size(), 24U);
  EXPECT_LT(cut.label_rows.size(), 30U);
  std::vector<float> right(cut.label_rows.size() * 3, 0.F);
  for (std::size_t w = 0; w < cut.label_rows.size(); ++w) right[3 * w] = 1;
  EXPECT_DOUBLE_EQ(score_of(validation->score(outputs_of({right})), "recall"),
                   static_cast<double>(cut.label_rows.size()) / 30);
}

TEST_F(Tasks, comments_before_sentences_are_skipped_and_a_number_sign_with_columns_is_a_word) {
  // As GermEval and MultiCoNER have them, and CoNLL-U; "#" and "#tag" are words where they have a tag.
  write("train.conll",
        "#\thttp://n.example\t[2009-10-01]\n1\tone\tO\tO\n2\tnet\tB-n\tO\n\n# id = 7\n1\t#\tO\tO\n");
  auto c = config("tokens");
  c.columns = {{"word", "1"}, {"tag", "2"}};
  const auto germeval = open_task(c);
  const auto train = one(*germeval, Split::kTrain);
  EXPECT_THAT(germeval->info().labels, ::testing::ElementsAre("B-n", "O"));
  ASSERT_THAT(train->sequences(), SizeIs(2));
  EXPECT_THAT(train->notes(), ElementsAre(HasSubstr("train.conll: 2 comment lines")));
  c.columns = {};
  for (const std::string text :
       {"# id 5-a\tdomain=en\none _ _ O\n# _ _ B-n\n", "# id 5-a domain=en\none _ _ O\n# _ _ B-n\n",
        "# text = one\none O\n# B-n\n", "# newdoc\n# text = one\none\tO\n#net\tB-n\n",
        "-DOCSTART- O\n\n#net B-n\none O\n"}) {
    write("train.conll", text);
    const auto task = open_task(c);
    ASSERT_THAT(one(*task, Split::kTrain)->sequences(), SizeIs(1)) << text;
    EXPECT_THAT(task->info().labels, ::testing::ElementsAre("B-n", "O")) << text;
  }
}

TEST_F(Tasks, ranges_and_empty_nodes_of_conll_u_are_skipped) {
  const std::string tail = "\t_\t_\n";
  write("train.conllu", "# sent_id = 1\n1-2\tonenet\t_" + tail + "1\tone\tX" + tail + "2\tnet\tY" + tail +
                            "2.1\tsix\tZ" + tail + "\n1\t-DOCSTART-\tD" + tail + "\n");
  auto c = config("tokens");
  c.columns = {{"word", "1"}, {"tag", "2"}};
  const auto task = open_task(c);
  const auto train = one(*task, Split::kTrain);
  EXPECT_THAT(task->info().labels, ::testing::ElementsAre("X", "Y"));
  EXPECT_THAT(train->notes(), ElementsAre(HasSubstr("1 comment lines and 2 ranges and empty nodes")));
  // Words that look like them are in the first column.
  write("train.conllu", "1-2\tX\n2.1\tY\n");
  const auto words = open_task(config("tokens"));
  EXPECT_THAT(one(*words, Split::kTrain)->sequences().at(0).label_rows, SizeIs(2));
}

TEST_F(Tasks, unknown_tags_are_refused_with_their_line_and_test_files_may_lack_tags) {
  write("train.conll", "1\tone\tO \n2\tnet\tB-n\n\n");
  write("test.conll", "1\tone\n2\tnet\n\n");
  auto c = config("tokens");
  c.columns = {{"word", "1"}};
  const auto task = open_task(c);
  (void)one(*task, Split::kTrain);
  EXPECT_THAT(task->info().labels, ::testing::ElementsAre("B-n", "O"));  // without the blank after it
  EXPECT_FALSE(one(*task, Split::kTest)->labelled());
  c.labels = {"O"};
  EXPECT_THAT(refusal(c), HasSubstr("train.conll, line 2: the tag `B-n` is not in `task.labels` (O)"));
}

TEST_F(Tasks, entities_that_are_never_predicted_leave_precision_alone_undefined) {
  write("train.conll", "He\tO\nmet\tO\nAnn\tB-P\n");
  write("validation.conll", "Ann\tB-P\nsat\tO\n");
  const auto task = open_task(config("tokens"));
  (void)task->load(Split::kTrain, encoder());
  const auto scores = one(*task, Split::kValidation)->score(outputs_of({{0, 1, 0, 1}}));
  EXPECT_TRUE(std::isnan(score_of(scores, "precision")));
  EXPECT_EQ(score_of(scores, "recall"), 0);
  EXPECT_EQ(score_of(scores, "f1"), 0);
  for (const auto& score : scores)
    EXPECT_EQ(score.why, score.name == "precision" ? "no entity was predicted" : "");
}

}  // namespace
}  // namespace nystrom
