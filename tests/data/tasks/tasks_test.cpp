// What all tasks share: kinds and their keys, encoding, held-out splits, predictions, scores, class weights,
// refusals.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "data/tasks/scores.h"
#include "data/tasks/task.h"
#include "data/tasks/task_kinds.h"
#include "kernels/core/check.h"
#include "task_files.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using testing::outputs_of;
using testing::score_of;
using ::testing::SizeIs;
using testing::Tasks;

TEST(TaskKinds, take_labels_where_they_read_custom_datasets) {
  for (const TaskKind& kind : task_kinds()) {
    EXPECT_EQ(find_task_kind(kind.name), &kind);
    TaskConfig config;
    config.kind = kind.name;
    config.labels = {"a"};
    bool refused = false;
    try {
      check_task_keys(config);
    } catch (const InputError&) {
      refused = true;
    }
    EXPECT_EQ(refused, !kind.own_files) << kind.name;
    if (kind.columns != nullptr) {
      EXPECT_FALSE(kind.columns("MNLI").first.empty()) << kind.name;
    }
  }
  EXPECT_EQ(find_task_kind("none"), nullptr);
}

TEST_F(Tasks, a_pair_has_token_types_and_is_truncated_longest_first) {
  EncodingCounts counts;
  const auto& special = encoder().tokenizer().special();
  const auto pair = encoder().pair("one", "two", counts);
  EXPECT_EQ(pair.ids.front(), special.bos);
  EXPECT_EQ(pair.ids.back(), special.eos);
  EXPECT_EQ(pair.ids[static_cast<std::size_t>(pair.second) - 1], special.eos);
  EXPECT_EQ(counts.truncated, 0);
  const auto cut = encoder().pair("one", std::string(60, 'e'), counts);
  EXPECT_EQ(cut.ids.size(), 24U);
  EXPECT_EQ(cut.second, pair.second);
  EXPECT_EQ(counts.truncated, 1);
  EXPECT_GT(counts.tokens_lost, 0);
}

TEST_F(Tasks, numbers_of_predictions_are_exact) {
  write("train.tsv", "text\tlabel\none\t3.8\ntwo\t1e-7\nsix\t-2\n");
  const auto task = open_task(config("regression"));
  const auto train = one(*task, Split::kTrain);
  const std::vector<float> values{1.23456789F, 16777215.F, -3.1415927e-9F};
  const auto table = train->predictions(outputs_of({{values[0]}, {values[1]}, {values[2]}}));
  for (std::size_t i = 0; i < values.size(); ++i)
    EXPECT_EQ(std::stof(table.rows.at(i).at(1)), values[i]) << table.rows[i][1];
  EXPECT_EQ(table.rows[0][2], "3.8");
  EXPECT_EQ(table.rows[2][2], "-2");
}

TEST_F(Tasks, every_kind_takes_a_validation_fraction_and_refuses_one_that_holds_out_nothing) {
  std::string rte = "index\tsentence1\tsentence2\tlabel\n", conll, swag = "sent1,ending0,ending1,label\n",
              squad;
  for (int i = 0; i < 8; ++i) {
    rte += std::to_string(i) + "\tone\ttwo\t" + (i % 2 == 0 ? "entailment" : "not_entailment") + "\n";
    conll += "one\tO\nnet\tB-n\n\n";
    swag += "one,two,six,0\n";
    squad += fmt::format(
        R"({}{{"context":"tin {}","qas":[{{"id":"{}","question":"one","answers":[{{"text":"tin","answer_start":0}}]}}]}})",
        i == 0 ? "" : ",", i, i);
  }
  write("glue/train.tsv", rte);
  write("tokens/train.conll", conll);
  write("multiple_choice/train.csv", swag);
  write("question_answering/train.json", R"({"data":[{"paragraphs":[)" + squad + "]}]}");
  for (const std::string kind : {"glue", "tokens", "multiple_choice", "question_answering"}) {
    auto c = config(kind, kind == "glue" ? "RTE" : "");
    c.path = (folder_ / kind).string();
    c.choices = {"ending0", "ending1"};
    c.validation_fraction = 0.25;
    const auto task = open_task(c);
    EXPECT_EQ(one(*task, Split::kTrain)->rows(), 6) << kind;
    EXPECT_EQ(one(*task, Split::kValidation)->rows(), 2) << kind;
    c.validation_fraction = 0.01;
    EXPECT_THAT(refusal(c), HasSubstr("holds out 0 of 8 examples")) << kind;
  }
}

TEST_F(Tasks, keys_that_a_known_task_does_not_take_are_refused) {
  auto c = config("glue", "RTE");
  c.labels = {"a", "b"};
  EXPECT_THROW(check_task_keys(c), InputError);
  c.labels.clear();
  EXPECT_NO_THROW(check_task_keys(c));
  c.test = "test.tsv";
  EXPECT_THROW(check_task_keys(c), InputError);
  auto own = config("classification");
  own.labels = {"a", "b", "a"};
  EXPECT_THAT(refusal(own), HasSubstr("`task.labels` names `a` twice"));
}

TEST_F(Tasks, bad_files_are_refused_with_file_line_and_what_to_do) {
  write("train.tsv", "sentence\tlabel\none\t1\ntwo\n");
  EXPECT_THAT(refusal(config("glue", "SST-2")),
              HasSubstr("train.tsv, line 3: 1 columns where 2 were expected"));
  write("train.tsv", "sentence\tlabel\none\t7\n");
  EXPECT_THAT(refusal(config("glue", "SST-2")), HasSubstr("line 2: `7` is not a label of SST-2"));
  EXPECT_THAT(refusal(config("glue", "RTE")), HasSubstr("Is it the file of another task?"));
  EXPECT_THAT(refusal(config("glue", "AX")), HasSubstr("AX has no training split"));
  EXPECT_THAT(refusal(config("glue", "SST")), HasSubstr("GLUE's tasks are CoLA"));
  write("train.tsv", "");
  EXPECT_THAT(refusal(config("glue", "SST-2")), HasSubstr("train.tsv is empty"));
  write("train.tsv", "sentence\tlabel\n");
  EXPECT_THAT(refusal(config("glue", "SST-2")), HasSubstr("has no rows"));
  write("train.tsv", "text\tlabel\none\ta\ntwo\tb\n");
  write("validation.tsv", "text\tlabel\none\tc\n");
  EXPECT_THAT(refusal(config("classification"), Split::kValidation), HasSubstr("`c` is not a known label"));
  write("train.tsv", "text\tlabel\none\ta\ntwo\ta\n");
  EXPECT_THAT(refusal(config("classification")), HasSubstr("a classification needs two"));
  EXPECT_THAT(refusal(config("regression")), HasSubstr("line 2: the label `a` is not a number"));
  EXPECT_THAT(refusal(config("imdb")), HasSubstr("has no train/neg"));
  EXPECT_THAT(refusal(config("lra")), HasSubstr("`task.name` is missing"));
  EXPECT_THAT(refusal(config("glu")), HasSubstr("`task.kind` is glu"));
  std::string swapped = "label\ttext\n";
  for (int i = 0; i < 40; ++i) swapped += "one " + std::to_string(i) + "\tgood\n";
  write("train.tsv", swapped);
  EXPECT_THAT(refusal(config("classification")), HasSubstr("40 different labels in 40 rows"));
  write("train.conll", "one\tO\nonly\n");
  fs::remove(folder_ / "train.tsv");
  EXPECT_THAT(refusal(config("tokens")), HasSubstr("train.conll, line 2"));
  auto columns = config("tokens");
  columns.columns = {{"text", "0"}};
  EXPECT_THAT(refusal(columns), HasSubstr("task.columns.text"));
}

TEST_F(Tasks, metrics_of_a_single_class_are_undefined_with_a_reason) {
  write("train.tsv", "sentence\tlabel\none\t1\ntwo\t0\n");
  write("dev.tsv", "x\t0\t\tone\nx\t0\t\ttwo\n");
  auto c = config("glue", "CoLA");
  write("train.tsv", "x\t1\t\tone\nx\t0\t\ttwo\n");
  const auto task = open_task(c);
  (void)task->load(Split::kTrain, encoder());
  const auto split = one(*task, Split::kValidation);
  const auto scores = split->score(outputs_of({{1, 0}, {1, 0}}));
  EXPECT_TRUE(std::isnan(score_of(scores, "matthews_correlation")));
  EXPECT_EQ(score_of(scores, "accuracy"), 1);
  EXPECT_EQ(scores.at(0).why, "all true and all predicted labels are of one class");
  const auto varied = split->score(outputs_of({{1, 0}, {0, 1}}));
  EXPECT_EQ(varied.at(0).why, "all true labels are of one class");
}

TEST_F(Tasks, an_undefined_metric_names_the_side_that_is_constant) {
  const std::vector<std::int32_t> classes{0, 1, 0}, one_class{1, 1, 1};
  const std::vector<std::string> matthews{"matthews_correlation"}, pearson{"pearson"};
  EXPECT_EQ(class_scores(matthews, classes, one_class).at(0).why, "all predicted labels are of one class");
  const std::vector<double> values{1, 2, 3}, constant{2, 2, 2};
  EXPECT_EQ(value_scores(pearson, values, constant).at(0).why, "all predicted values are equal");
  EXPECT_EQ(value_scores(pearson, constant, values).at(0).why, "all true values are equal");
  EXPECT_EQ(value_scores(pearson, std::vector<double>{1}, std::vector<double>{2}).at(0).why,
            "there is only one example");
}

TEST_F(Tasks, class_weights_have_mean_one_over_the_training_examples) {
  write("train.tsv", "text\tlabel\none\ta\ntwo\ta\nsix\ta\nten\tb\n");
  auto c = config("classification");
  const auto weights = [&](std::vector<std::string> given) {
    c.class_weights = std::move(given);
    const auto task = open_task(c);
    const auto train = one(*task, Split::kTrain);
    return class_weights(c, task->info(), *train);
  };
  const auto refused = [&](std::vector<std::string> given) -> std::string {
    try {
      (void)weights(std::move(given));
    } catch (const InputError& error) {
      return error.what();
    }
    return "not refused";
  };
  EXPECT_THAT(weights({}), SizeIs(0));
  EXPECT_THAT(weights({"balanced"}), ::testing::ElementsAre(2.F / 3, 2.F));
  EXPECT_THAT(weights({"1", "5"}), ::testing::ElementsAre(0.5F, 2.5F));
  EXPECT_THAT(refused({"1"}), HasSubstr("has 1 numbers"));
  EXPECT_THAT(refused({"1", "heavy"}), HasSubstr("heavy is not a weight"));
  EXPECT_THAT(refused({"0", "0"}), HasSubstr("the weight 0"));
  c.labels = {"a", "b", "c"};
  EXPECT_THAT(refused({"balanced"}), HasSubstr("no training example has the label c"));
  c = config("regression");
  write("train.tsv", "text\tlabel\none\t1\n");
  EXPECT_THAT(refused({"balanced"}), HasSubstr("for classes and tags"));
}

TEST_F(Tasks, malformed_lines_may_be_skipped_and_are_named) {
  auto c = config("glue", "SST-2");
  c.malformed = Malformed::kSkip;
  write("train.tsv", "sentence\tlabel\none\t1\ntwo\nsix\t0\n");
  const auto task = open_task(c);
  const auto train = one(*task, Split::kTrain);
  EXPECT_EQ(train->rows(), 2);
  EXPECT_THAT(train->notes().at(0), HasSubstr("1 malformed lines were skipped: 3"));
}

}  // namespace
}  // namespace nystrom
