// The Long Range Arena: where its files lie, texts and pairs, splits, official layouts in miniature.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "data/tasks/task.h"
#include "kernels/core/files.h"
#include "kernels/core/json.h"
#include "lra_files.h"
#include "shared_folder.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::HasSubstr;
using testing::Ids;
using testing::LongRangeArena;

TEST_F(LongRangeArena, files_are_found_at_any_level_of_the_release) {
  write_listops("lra_release/lra_release/listops-1000", "1\t1\n");
  write("lra_release/lra_release/tsv_data/new_aan_pairs.train.tsv", "");
  for (const char* level :
       {"", "lra_release", "lra_release/lra_release", "lra_release/lra_release/listops-1000"})
    EXPECT_EQ(load(config("listops", folder_ / level))->rows(), 1) << level;
  EXPECT_THAT(refusal(config("listops", folder_ / "lra_release/lra_release/tsv_data")),
              HasSubstr("has no ListOps, neither directly nor in a folder below it: basic_train.tsv"));
  EXPECT_THAT(refusal(config("listops", folder_ / "nowhere")), HasSubstr("nowhere) does not exist"));
  fs::remove(folder_ / "lra_release/lra_release/listops-1000/basic_val.tsv");
  EXPECT_THAT(refusal(config("listops")), HasSubstr("basic_val.tsv is missing next to basic_train.tsv"));
}

TEST_F(LongRangeArena, two_folders_are_refused_unless_they_are_copies) {
  write_listops("lra_release/listops-1000", "1\t1\n");
  write_listops("lra_release/lra_release/listops-1000", "1\t1\n");
  EXPECT_EQ(load(config("listops"))->rows(), 1);
  write_listops("lra_release/lra_release/listops-1000", "1\t1\n2\t2\n");
  EXPECT_THAT(refusal(config("listops")), HasSubstr("has ListOps in several folders: "));
  write_pathfinder("pathfinder32/curv_baseline", 10);
  write_pathfinder("pathfinder32/curv_contour_length_9", 10);
  const std::string sentence = refusal(config("pathfinder"));
  EXPECT_THAT(sentence, HasSubstr("pathfinder32/curv_baseline, "));
  EXPECT_THAT(
      sentence,
      HasSubstr("Name one of them. The benchmark's Pathfinder is pathfinder32/curv_contour_length_14"));
}

TEST_F(LongRangeArena, unknown_task_names_are_refused) {
  EXPECT_THAT(refusal(config("cifar")), HasSubstr("one of listops, text, retrieval, image, pathfinder"));
  EXPECT_THAT(refusal(config("")), HasSubstr("`task.name` is missing"));
}

TEST_F(LongRangeArena, text_is_the_bytes_of_the_reviews) {
  for (int i = 0; i < 10; ++i) {
    write(fmt::format("aclImdb/train/neg/{}_1.txt", i), "bad<br />");
    write(fmt::format("aclImdb/train/pos/{}_9.txt", i), "g\xC3\xA9");
  }
  write("aclImdb/train/unsup/0_0.txt", "no label");
  write("aclImdb/test/neg/0_1.txt", "n");
  write("aclImdb/test/pos/0_9.txt", "p");
  const auto task = open_task(config("text"));
  EXPECT_EQ(task->info().vocabulary, 257);
  EXPECT_EQ(task->info().length, 4000);
  const auto train = load(*task, Split::kTrain), validation = load(*task, Split::kValidation);
  EXPECT_EQ(train->rows(), 18);
  EXPECT_EQ(validation->rows(), 2);
  std::set<Ids> texts;
  for (std::size_t i = 0; i < train->sequence_count(); ++i) texts.insert(train->sequence(i).ids);
  EXPECT_EQ(texts,
            (std::set<Ids>{{'b' + 1, 'a' + 1, 'd' + 1, '<' + 1, 'b' + 1, 'r' + 1, ' ' + 1, '/' + 1, '>' + 1},
                           {'g' + 1, 0xC3 + 1, 0xA9 + 1}}));
  EXPECT_EQ(load(*task, Split::kTest)->sequence(1).ids, (Ids{'p' + 1}));
  EXPECT_EQ(load(*task, Split::kTest)->label_of(1), 1);
  EXPECT_THAT(task->data(), HasSubstr("0.1 of train held out for validation by task.split_seed 1"));

  TaskConfig all = config("text");
  all.validation_fraction = 0;
  EXPECT_EQ(load(all, Split::kValidation), nullptr);
  EXPECT_EQ(load(all)->rows(), 20);
}

TEST_F(LongRangeArena, the_held_out_examples_do_not_depend_on_the_runs_seed) {
  write_pathfinder(".", 100);
  const auto ids = [&](std::uint64_t seed, std::int64_t split_seed, Split split) {
    TaskConfig c = config("pathfinder");
    c.seed = seed;
    c.split_seed = split_seed;
    const auto loaded = load(c, split);
    std::vector<std::int32_t> levels;
    for (std::size_t i = 0; i < loaded->sequence_count(); ++i) levels.push_back(loaded->sequence(i).ids[1]);
    return levels;
  };
  const auto test = ids(1, 1, Split::kTest);
  EXPECT_EQ(test.size(), 10U);
  EXPECT_EQ(ids(2, 1, Split::kTest), test);
  EXPECT_NE(ids(1, 2, Split::kTest), test);
  std::set<std::int32_t> all;
  for (const Split split : {Split::kTrain, Split::kValidation, Split::kTest})
    for (const std::int32_t level : ids(1, 1, split)) EXPECT_TRUE(all.insert(level).second);
  EXPECT_EQ(all.size(), 100U);
  EXPECT_EQ(ids(1, 1, Split::kValidation).size(), 10U);
}

TEST_F(LongRangeArena, retrieval_takes_quotes_and_carriage_returns_as_text) {
  const std::string rows = "1.0\ta\tb\t\"one\tt\"wo\r\n0.0\tc\td\tx\ry\tz\n";
  for (const char* part : {"train", "eval", "test"}) write(fmt::format("new_aan_pairs.{}.tsv", part), rows);
  TaskConfig joined = config("retrieval");
  joined.pairs = Pairs::kJoined;
  const auto task = open_task(joined);
  EXPECT_EQ(task->info().answer, AnswerKind::kClass);
  EXPECT_EQ(task->info().length, 8000);
  EXPECT_THAT(task->data(), HasSubstr("bytes, pairs: joined"));
  const auto train = load(*task, Split::kTrain);
  ASSERT_EQ(train->rows(), 2);
  const auto ids = [](const std::string& text) {
    Ids bytes;
    for (const char c : text) bytes.push_back(static_cast<unsigned char>(c) + 1);
    return bytes;
  };
  EXPECT_EQ(train->sequence(0).ids, ids("\"onet\"wo"));
  EXPECT_EQ(train->sequence(0).second, 4);
  EXPECT_EQ(train->sequence(0).label, 1);
  EXPECT_EQ(train->sequence(1).ids, ids("x\ryz"));
  EXPECT_EQ(load(*task, Split::kTrain, 8)->sequence(0).ids.size(), 8U);
  const auto cut = load(*task, Split::kTest, 8);
  EXPECT_EQ(cut->sequence(0).second, 4);  // half of the length is each text's

  const auto apart_task = open_task(config("retrieval"));
  EXPECT_EQ(apart_task->info().answer, AnswerKind::kPair);
  EXPECT_EQ(apart_task->info().choices, 2);
  EXPECT_EQ(apart_task->info().length, 4000);
  const auto apart = load(*apart_task, Split::kTrain);
  ASSERT_EQ(apart->rows(), 2);
  ASSERT_EQ(apart->sequence_count(), 4U);
  EXPECT_EQ(apart->sequence(0).ids, ids("\"one"));
  EXPECT_EQ(apart->sequence(1).ids, ids("t\"wo"));
  EXPECT_EQ(apart->sequence(1).second, 4);  // all of type 0
  EXPECT_EQ(apart->sequence(2).ids, ids("x\ry"));
  EXPECT_EQ(apart->sequence(3).ids, ids("z"));
  EXPECT_EQ(apart->size_of(3).tokens, 1);
  EXPECT_EQ(apart->label_of(1), 1);
  EXPECT_EQ(apart->label_of(2), 0);
  EXPECT_NE(apart->fingerprint(), train->fingerprint());
  EXPECT_EQ(load(*apart_task, Split::kTest, 8)->sequence(0).ids.size(),
            4U);  // each may have the whole length

  write("new_aan_pairs.train.tsv", "1.0\ta\tb\tone\ttwo\n2\ta\tb\tc\td\n1.0\ta\tb\tc\n");
  EXPECT_THAT(refusal(config("retrieval")),
              HasSubstr("new_aan_pairs.train.tsv, line 2: the label `2` is neither"));
  TaskConfig skipping = config("retrieval");
  skipping.malformed = Malformed::kSkip;
  EXPECT_THAT(load(skipping)->notes(), Contains(::testing::AllOf(HasSubstr("2 examples were skipped"),
                                                                 HasSubstr("line 3 (there are 4 columns"))));
}

TEST_F(LongRangeArena, official_layouts_in_miniature_are_read_completely) {
  const auto shared = testing::shared_folder("data/lra");
  if (shared.empty()) GTEST_SKIP() << "There is no ../shared/data/lra.";
  const auto described = parse_json<nlohmann::json>(read_file(shared / "statistics.json"));
  const auto classes = [&](const nlohmann::json& of) {
    return of["classes"].get<std::vector<std::int64_t>>();
  };

  const auto listops = open_task(config("listops", shared));
  EXPECT_EQ(class_counts(*load(*listops, Split::kTrain), 10), classes(described["listops"]["train"]));
  EXPECT_EQ(class_counts(*load(*listops, Split::kTest), 10), classes(described["listops"]["test"]));
  EXPECT_TRUE(load(*listops, Split::kTrain)->notes().empty());

  const auto retrieval = open_task(config("retrieval", shared));
  EXPECT_EQ(class_counts(*load(*retrieval, Split::kTrain), 2), classes(described["retrieval"]["train"]));
  EXPECT_EQ(class_counts(*load(*retrieval, Split::kValidation), 2), classes(described["retrieval"]["eval"]));
  EXPECT_THAT(load(*open_task(config("retrieval", shared)), Split::kTrain, 4000)->notes(),
              Contains(HasSubstr("59 of 400 sequences were truncated")));

  const auto image = open_task(config("image", shared));
  EXPECT_EQ(load(*image, Split::kTrain)->rows(), 450);
  EXPECT_EQ(class_counts(*load(*image, Split::kTest), 10), classes(described["image"]["test"]));
  EXPECT_EQ(image->info().labels[0], "disc");

  const fs::path level = shared / "pathfinder32/curv_contour_length_6";
  const auto pathfinder = open_task(config("pathfinder", level));
  std::vector<std::int64_t> counts(2);
  for (const Split split : {Split::kTrain, Split::kValidation, Split::kTest}) {
    const auto of_split = class_counts(*load(*pathfinder, split), 2);
    for (std::size_t c = 0; c < 2; ++c) counts[c] += of_split[c];
  }
  EXPECT_EQ(counts, classes(described["pathfinder32"]["curv_contour_length_6"]));
  EXPECT_THAT(load(config("pathfinder", level))->notes(),
              Contains(HasSubstr("sample_72.png (the file is empty)")));
  EXPECT_THAT(refusal(config("pathfinder", shared)), HasSubstr("in several folders"));
}

}  // namespace
}  // namespace nystrom
