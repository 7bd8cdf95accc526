// Embeddings tasks: their files, what is refused, and scores of vectors by retrieval and correlation.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "data/tasks/metrics/retrieval.h"
#include "data/tasks/task.h"
#include "task_files.h"

namespace nystrom {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::outputs_of;
using testing::score_of;
using testing::Tasks;

TEST_F(Tasks, embeddings_are_read_as_pairs_or_triples_whose_texts_are_encoded_apart) {
  write("train.tsv", "positive\tanchor\none two\tsix\nten\tfive\n");
  const auto pairs = open_task(config("embeddings"));
  const auto train = one(*pairs, Split::kTrain);
  EXPECT_EQ(train->rows(), 2);
  EXPECT_EQ(train->choices(), 2);
  EncodingCounts counts;
  EXPECT_EQ(train->sequence(0).ids, encoder().single("six", counts).ids);
  EXPECT_EQ(train->sequence(1).ids, encoder().single("one two", counts).ids);
  EXPECT_EQ(pairs->info().answer, AnswerKind::kVector);
  EXPECT_EQ(pairs->info().metrics.front(), "ndcg_at_10");

  write("train.jsonl", R"({"q": "a", "positive": "b", "far": "c"})");
  std::filesystem::remove(folder_ / "train.tsv");
  TaskConfig named = config("embeddings");
  named.columns = {{"text", "q"}, {"negative", "far"}};
  EXPECT_EQ(one(*open_task(named), Split::kTrain)->choices(), 3);
  named.columns["negative"] = "farther";
  EXPECT_THAT(refusal(named), HasSubstr("farther"));
}

TEST_F(Tasks, embeddings_of_malformed_files_and_keys_are_refused) {
  write("train.tsv", "anchor\tpositive\tnegative\na\tb\tc\nd\te\t \n");
  EXPECT_THAT(refusal(config("embeddings")), HasSubstr("line 3: the negative is empty"));
  TaskConfig skipping = config("embeddings");
  skipping.malformed = Malformed::kSkip;
  const auto task = open_task(skipping);
  const auto train = one(*task, Split::kTrain);
  EXPECT_EQ(train->rows(), 1);
  EXPECT_THAT(train->notes(), Contains(HasSubstr("1 malformed lines were skipped: 3")));

  write("train.tsv", "anchor\tother\na\tb\n");
  EXPECT_THAT(refusal(config("embeddings")), HasSubstr("positive"));
  write("train.tsv", "anchor\tpositive\na\tb\n");
  write("dev.tsv", "anchor\tpositive\tscore\na\tb\thigh\n");
  EXPECT_THAT(refusal(config("embeddings"), Split::kValidation),
              HasSubstr("the score `high` is not a number"));
  const auto refused = [this](auto change) {
    TaskConfig changed = config("embeddings");
    change(changed);
    return refusal(changed);
  };
  EXPECT_THAT(refused([](TaskConfig& c) { c.temperature = 0; }), HasSubstr("`task.temperature` is 0"));
  EXPECT_THAT(refused([](TaskConfig& c) { c.sizes = {"8", "x"}; }), HasSubstr("`task.sizes`: x is not"));
  EXPECT_THAT(refused([](TaskConfig& c) { c.sizes = {"8", "8"}; }), HasSubstr("names 8 twice"));
  EXPECT_THAT(refused([](TaskConfig& c) {
                c.columns = {{"label", "l"}};
              }),
              HasSubstr("`task.columns.label` does not apply"));
}

TEST_F(Tasks, embeddings_of_texts_that_occur_twice_and_scores_in_training_are_noted) {
  write("train.tsv", "anchor\tpositive\tscore\na\tb\t1\na\tc\t2\nd\te\t3\n");
  const auto task = open_task(config("embeddings"));
  const auto notes = one(*task, Split::kTrain)->notes();
  EXPECT_THAT(notes, Contains(HasSubstr("its scores are not used in training")));
  EXPECT_THAT(notes, Contains(HasSubstr("2 of 3 rows share a text with another row")));
}

TEST_F(Tasks, embeddings_are_scored_by_the_ranks_of_texts_that_belong_to_an_anchor) {
  write("train.tsv", "anchor\tpositive\nx\ty\n");
  // The anchor a has two texts; b's is third, behind the negative of a row and a's first.
  write("dev.tsv", "anchor\tpositive\tnegative\na\tone\tsix\na\ttwo\tsix\nb\tten\tsix\n");
  TaskConfig sized = config("embeddings");
  sized.sizes = {"2", "1"};
  const auto task = open_task(sized);
  const auto split = one(*task, Split::kValidation);
  EXPECT_TRUE(split->labelled());
  const Outputs outputs = outputs_of({{1, 0, /*one*/ 2, 0.1F, /*six*/ 0, 1},
                                      {1, 0, /*two*/ 1, 0.2F, /*six*/ 0, 1},
                                      {0, 2, /*ten*/ -1, 0.1F, /*six*/ 0, 1}});
  const auto scores = split->score(outputs);
  const double behind_two = 1 / std::log2(4);
  EXPECT_NEAR(score_of(scores, "ndcg_at_10"), (1 + behind_two) / 2, 1e-12);
  EXPECT_NEAR(score_of(scores, "mrr_at_10"), (1 + 1.0 / 3) / 2, 1e-12);
  EXPECT_NEAR(score_of(scores, "recall_at_1"), (0.5 + 0) / 2, 1e-12);
  EXPECT_NEAR(score_of(scores, "recall_at_10"), 1, 1e-12);
  EXPECT_LT(score_of(scores, "size_1_ndcg_at_10"), 1);
  const PredictionTable table = split->predictions(outputs);
  EXPECT_THAT(table.columns, ElementsAre("id", "cosine", "rank"));
  EXPECT_EQ(table.rows[0][2], "1");
  EXPECT_EQ(table.rows[1][2], "2");
  EXPECT_EQ(table.rows[2][2], "3");
}

// Such as texts that differ beyond the sequence length: they are documents of their own, tied.
TEST_F(Tasks, embeddings_of_different_texts_with_the_same_tokens_are_not_merged) {
  write("train.tsv", "anchor\tpositive\nx\ty\n");
  write("dev.tsv", "anchor\tpositive\na\tone  two\nb\tone two\n");
  const auto task = open_task(config("embeddings"));
  const auto split = one(*task, Split::kValidation);
  ASSERT_EQ(split->sequence(1).ids, split->sequence(3).ids);
  EXPECT_NEAR(score_of(split->score(outputs_of({{1, 0, 1, 1}, {0, 1, 1, 1}})), "recall_at_1"), 0.5, 1e-12);
}

TEST_F(Tasks, embeddings_of_pairs_with_scores_are_scored_by_correlation) {
  write("train.tsv", "anchor\tpositive\nx\ty\n");
  write("dev.tsv", "sentence1\tsentence2\tscore\na\tb\t0\nc\td\t2.5\ne\tf\t5\n");
  write("test.tsv", "sentence1\tsentence2\na\tb\n");
  const auto task = open_task(config("embeddings"));
  EXPECT_EQ(task->info().metrics.front(), "spearmanr");
  const auto split = one(*task, Split::kValidation);
  const Outputs outputs = outputs_of({{1, 0, 0, 1}, {1, 0, 1, 0.1F}, {1, 0, 1, 1}});
  EXPECT_NEAR(score_of(split->score(outputs), "spearmanr"), 0.5, 1e-12);
  EXPECT_EQ(split->points(outputs).size(), 3U);
  EXPECT_EQ(split->predictions(outputs).columns.back(), "score");
  const auto test = one(*task, Split::kTest);
  EXPECT_FALSE(test->labelled());
  EXPECT_THAT(test->points(outputs_of({{1, 0, 0, 1}})), IsEmpty());
}

TEST(Retrieval, ranks_a_vector_that_is_not_a_number_last) {
  UnitVectors queries(17), documents(17);
  std::vector<float> one(17, 0.F), bad(17, std::numeric_limits<float>::quiet_NaN());
  one[16] = 3;
  queries.add(one);
  documents.add(bad);
  documents.add(std::vector<float>(17, -1.F));
  documents.add(one);
  EXPECT_EQ(cosine(queries[0], documents[2]), 1.F);
  EXPECT_THAT(ranks_of(queries, documents, {{0, 1, 2}}), ElementsAre(ElementsAre(3, 2, 1)));
}

}  // namespace
}  // namespace nystrom
