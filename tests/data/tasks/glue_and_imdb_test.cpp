// GLUE and IMDB from made-up files in their official layouts.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "data/tasks/task.h"
#include "task_files.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using testing::outputs_of;
using ::testing::SizeIs;
using testing::Tasks;

TEST_F(Tasks, cola_has_a_header_only_in_its_test_split) {
  write("train.tsv", "gj04\t1\t\tone \"two\nks08\t0\t*\tthree\n");
  write("dev.tsv", "gj04\t1\t\tfour\n");
  write("test.tsv", "index\tsentence\n7\tfive\n9\tsix\n");
  const auto task = open_task(config("glue", "CoLA"));
  const auto train = one(*task, Split::kTrain), test = one(*task, Split::kTest);
  ASSERT_THAT(train->sequences(), SizeIs(2));
  EXPECT_EQ(text_of(train->sequences()[0]), "one \"two");  // a quote is data
  EXPECT_EQ(train->sequences()[0].label, 1);
  EXPECT_EQ(train->sequences()[1].label, 0);
  EXPECT_FALSE(test->labelled());
  const auto file = test->leaderboard(outputs_of({{0, 1}, {1, 0}}));
  EXPECT_EQ(file.file, "CoLA.tsv");
  EXPECT_EQ(file.table.rows, (std::vector<std::vector<std::string>>{{"7", "1"}, {"9", "0"}}));
}

TEST_F(Tasks, mrpc_is_read_in_both_layouts) {
  const std::string header = "\xEF\xBB\xBFQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\r\n";
  const std::string rows = "1\t11\t12\tone\tone too\r\n0\t21\t22\ttwo\tthree\r\n";
  write("msr_paraphrase_train.txt", header + rows);
  write("msr_paraphrase_test.txt", header + rows);
  write("dev_ids.tsv", "21\t22\n");
  const auto original = open_task(config("glue", "MRPC"));
  const auto train = one(*original, Split::kTrain), dev = one(*original, Split::kValidation);
  ASSERT_THAT(train->sequences(), SizeIs(1));
  ASSERT_THAT(dev->sequences(), SizeIs(1));
  EXPECT_EQ(dev->sequences()[0].label, 0);
  EXPECT_TRUE(one(*original, Split::kTest)->labelled());
  write("train.tsv", header + rows);
  const auto glue = open_task(config("glue", "MRPC"));
  EXPECT_THAT(one(*glue, Split::kTrain)->sequences(), SizeIs(2));
}

TEST_F(Tasks, mrpc_is_distinguished_from_wnli_and_needs_its_validation_pairs) {
  write("train.tsv", "index\tsentence1\tsentence2\tlabel\n0\tone\ttwo\t1\n");
  EXPECT_THAT(refusal(config("glue", "MRPC")), HasSubstr("has the columns of WNLI"));
  fs::remove(folder_ / "train.tsv");
  write("msr_paraphrase_train.txt", "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n1\t11\t12\tone\ttwo\n");
  write("dev_ids.tsv", "11 12\n");
  EXPECT_THAT(refusal(config("glue", "MRPC"), Split::kValidation), HasSubstr("names none of the pairs"));
  EXPECT_TRUE(open_task(config("glue", "MRPC"))->load(Split::kTest, encoder()).empty());  // no file for it
}

TEST_F(Tasks, mnli_has_two_validation_and_test_splits_and_label_names_on_the_leaderboard) {
  const std::string header = "index\tsentence1\tsentence2\tgold_label\n";
  write("train.tsv", header + "0\tone\ttwo\tneutral\n1\tone\tsix\t-\n");
  write("dev_matched.tsv", header + "0\tone\ttwo\tentailment\n");
  write("dev_mismatched.tsv", header + "0\tone\ttwo\tcontradiction\n");
  write("test_matched.tsv", "index\tsentence1\tsentence2\n5\tone\ttwo\n");
  write("diagnostic.tsv", "index\tsentence1\tsentence2\n3\tone\ttwo\n");
  const auto task = open_task(config("glue", "MNLI"));
  const auto train = one(*task, Split::kTrain);
  EXPECT_THAT(train->sequences(), SizeIs(1));
  EXPECT_THAT(train->notes().at(0), HasSubstr("1 examples without a label"));
  const auto validation = task->load(Split::kValidation, encoder());
  ASSERT_THAT(validation, SizeIs(2));
  EXPECT_EQ(validation[1]->name(), "validation_mismatched");
  const auto test = task->load(Split::kTest, encoder());
  ASSERT_THAT(test, SizeIs(2));
  EXPECT_EQ(test[0]->leaderboard(outputs_of({{0, 1, 0}})).file, "MNLI-m.tsv");
  EXPECT_EQ(test[0]->leaderboard(outputs_of({{0, 1, 0}})).table.rows[0],
            (std::vector<std::string>{"5", "entailment"}));
  EXPECT_EQ(test[1]->leaderboard(outputs_of({{0, 0, 1}})).file, "AX.tsv");
}

TEST_F(Tasks, every_task_of_glue_reads_its_columns) {
  struct Layout {
    const char *name, *text;
    std::int32_t label;
  };
  for (const auto& [name, text, label] : {
           Layout{"SST-2", "sentence\tlabel\none \t1\n", 1},
           Layout{"QQP", "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n0\t1\t2\tone\ttwo\t0\n", 0},
           Layout{"QNLI", "index\tquestion\tsentence\tlabel\n0\tone\ttwo\tnot_entailment\n", 1},
           Layout{"RTE", "index\tsentence1\tsentence2\tlabel\n0\tone\ttwo\tentailment\n", 0},
           Layout{"WNLI", "index\tsentence1\tsentence2\tlabel\n0\tone\ttwo\t1\n", 1},
       }) {
    write("train.tsv", text);
    const auto task = open_task(config("glue", name));
    EXPECT_EQ(one(*task, Split::kTrain)->sequences().at(0).label, label) << name;
  }
  write("train.tsv", "index\tgenre\tsentence1\tsentence2\tscore\n0\tnews\tone\ttwo\t3.8\n");
  const auto sts = open_task(config("glue", "STS-B"));
  const auto train = one(*sts, Split::kTrain);
  EXPECT_FLOAT_EQ(train->sequences().at(0).values.at(0), 3.8F);
  EXPECT_EQ(train->score(outputs_of({{3}})).at(0).why, "there is only one example");
}

TEST_F(Tasks, imdb_is_read_from_its_tree_by_sides) {
  for (const char* half : {"train", "test"}) {
    write(std::string(half) + "/pos/0_9.txt", "one<br /><br />two");
    write(std::string(half) + "/neg/0_2.txt", "six");
  }
  const auto task = open_task(config("imdb"));
  const auto train = one(*task, Split::kTrain);
  ASSERT_THAT(train->sequences(), SizeIs(2));
  EXPECT_EQ(train->sequences()[1].label, 1);
  EXPECT_EQ(text_of(train->sequences()[1]), "one two");
  EXPECT_THAT(task->load(Split::kValidation, encoder()), SizeIs(0));
}

TEST_F(Tasks, imdb_is_read_from_its_tar_as_from_its_tree) {
  for (const char* file : {"train/pos/0_9.txt", "train/neg/1_2.txt", "train/unsup/0_0.txt",
                           "test/pos/0_9.txt", "test/neg/0_1.txt"})
    write(std::string("aclImdb/") + file, std::string("one ") + file);
  const std::string tar = (folder_ / "imdb.tar.gz").string();
  if (std::system(("tar -C " + folder_.string() + " -czf " + tar + " aclImdb").c_str()) != 0)
    GTEST_SKIP() << "there is no tar on this machine";
  auto c = config("imdb");
  c.path = tar;
  const auto packed = open_task(c);
  c.path = (folder_ / "aclImdb").string();
  const auto unpacked = open_task(c);
  const auto a = one(*packed, Split::kTrain), b = one(*unpacked, Split::kTrain);
  ASSERT_THAT(a->sequences(), SizeIs(2));
  for (std::size_t i = 0; i < 2; ++i) EXPECT_EQ(a->sequences()[i].ids, b->sequences()[i].ids);
  EXPECT_EQ(a->sequences()[0].label, 0);
}

}  // namespace
}  // namespace nystrom
