// Tasks of the Long Range Arena: official files in miniature, what is wrong with them, splits, the prepared
// file.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <set>

#include "data/pictures/png.h"
#include "data/tasks/lra/prepared_file.h"
#include "data/tasks/lra/split.h"
#include "data/tasks/task.h"
#include "kernels/core/check.h"
#include "kernels/core/files.h"
#include "kernels/core/json.h"
#include "shared_folder.h"
#include "temporary_folder.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Ids = std::vector<std::int32_t>;

class LongRangeArena : public ::testing::Test {
 protected:
  void write(const std::string& name, const std::string& bytes) const {
    const fs::path path = folder_ / name;
    fs::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << bytes;
  }
  [[nodiscard]] TaskConfig config(const std::string& name, const std::string& path = "") const {
    TaskConfig c;
    c.kind = "lra";
    c.name = name;
    c.path = path.empty() ? folder_.path() : path;
    c.validation_fraction = 0.1;
    return c;
  }
  static std::unique_ptr<TaskSplit> load(Task& task, Split split, std::int64_t length = 8000) {
    auto splits = task.load(split, TextEncoder({}, length));
    return splits.empty() ? nullptr : std::move(splits.at(0));
  }
  static std::unique_ptr<TaskSplit> load(const TaskConfig& config, Split split = Split::kTrain,
                                         std::int64_t length = 8000) {
    return load(*open_task(config), split, length);
  }
  static std::string refusal(const TaskConfig& config, Split split = Split::kTrain,
                             std::int64_t length = 8000) {
    try {
      (void)load(config, split, length);
    } catch (const InputError& error) {
      return error.what();
    }
    return "not refused";
  }
  static std::vector<std::int64_t> class_counts(const TaskSplit& split, std::size_t classes) {
    std::vector<std::int64_t> counts(classes);
    for (std::size_t i = 0; i < split.sequence_count(); i += static_cast<std::size_t>(split.choices()))
      ++counts[static_cast<std::size_t>(split.label_of(i))];
    return counts;
  }

  void write_listops(const std::string& folder, const std::string& train) const {
    write(folder + "/basic_train.tsv", "Source\tTarget\r\n" + train);
    write(folder + "/basic_val.tsv", "Source\tTarget\r\n3\t3\r\n");
    write(folder + "/basic_test.tsv", "Source\tTarget\r\n( ( ( [MIN 0 ) 4 ) ] )\t0\r\n");
  }
  void write_pathfinder(const std::string& folder, int pictures) const {
    std::string lines;
    for (int i = 0; i < pictures; ++i) {
      write(fmt::format("{}/imgs/0/sample_{}.png", folder, i), png_of(static_cast<std::uint8_t>(i + 1)));
      lines += fmt::format("imgs/0 sample_{}.png {} {} 1.0 9 3 2 0.5 1 1\n", i, i, i % 2);
    }
    write(folder + "/metadata/0.npy", lines);
  }
  static std::string png_of(std::uint8_t level) { return png_bytes({2, 2, {0, level, level, 0}}); }

  testing::TemporaryFolder folder_{testing::fast_place()};
};

// --- ListOps

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

TEST_F(LongRangeArena, long_expressions_are_cut_and_counted) {
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
  EXPECT_THAT(train->notes(), Contains(HasSubstr("1 rows are no expressions")));
}

// --- Where files lie

TEST_F(LongRangeArena, files_are_found_at_any_level_of_the_release) {
  write_listops("lra_release/lra_release/listops-1000", "1\t1\n");
  write("lra_release/lra_release/tsv_data/new_aan_pairs.train.tsv", "");
  for (const char* level :
       {"", "lra_release", "lra_release/lra_release", "lra_release/lra_release/listops-1000"})
    EXPECT_EQ(load(config("listops", folder_ / level))->rows(), 1) << level;
  EXPECT_THAT(refusal(config("listops", folder_ / "lra_release/lra_release/tsv_data")),
              HasSubstr("has no ListOps, neither itself nor in a folder below it: basic_train.tsv"));
  EXPECT_THAT(refusal(config("listops", folder_ / "nowhere")), HasSubstr("nowhere) does not exist"));
  fs::remove(folder_ / "lra_release/lra_release/listops-1000/basic_val.tsv");
  EXPECT_THAT(refusal(config("listops")), HasSubstr("basic_val.tsv is missing beside basic_train.tsv"));
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

TEST_F(LongRangeArena, names_that_are_no_task_are_refused) {
  EXPECT_THAT(refusal(config("cifar")), HasSubstr("one of listops, text, retrieval, image, pathfinder"));
  EXPECT_THAT(refusal(config("")), HasSubstr("`task.name` is missing"));
}

// --- Text and retrieval

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

// --- Pictures

TEST_F(LongRangeArena, cifar_is_read_in_grey) {
  std::string record(1, '\3');
  record += std::string(1024, '\xFF') + std::string(2048, '\0');  // red
  for (int batch = 1; batch <= 5; ++batch) write(fmt::format("data_batch_{}.bin", batch), record + record);
  write("test_batch.bin", record);
  const auto task = open_task(config("image"));
  EXPECT_EQ(task->info().length, 1024);
  const auto train = load(*task, Split::kTrain);
  EXPECT_EQ(train->rows(), 9);
  EXPECT_EQ(train->sequence(0).ids, Ids(1024, 77));
  EXPECT_EQ(train->sequence(0).label, 3);
  EXPECT_THAT(refusal(config("image"), Split::kTrain, 1000),
              HasSubstr("`data.sequence_length` is 1000, but the pictures of CIFAR-10 in grey"));

  write("data_batch_2.bin", record + record.substr(0, 3000));
  EXPECT_THAT(refusal(config("image")),
              HasSubstr("data_batch_2.bin, record 1: it ends after 3000 of 3073 bytes"));
  record[0] = 10;
  write("data_batch_2.bin", record);
  EXPECT_THAT(refusal(config("image")), HasSubstr("data_batch_2.bin, record 0: the label is 10"));
  fs::remove(folder_ / "data_batch_4.bin");
  EXPECT_THAT(refusal(config("image")), HasSubstr("data_batch_4.bin is missing beside data_batch_1.bin"));
}

std::string idx(std::uint8_t dimensions, const std::vector<std::uint8_t>& sizes, const std::string& bytes) {
  std::string file{'\0', '\0', '\x08', static_cast<char>(dimensions)};
  for (const std::uint8_t size : sizes) file += std::string{'\0', '\0', '\0', static_cast<char>(size)};
  return file + bytes;
}

TEST_F(LongRangeArena, idx_files_are_read_and_damaged_ones_refused) {
  const std::string pictures(20 * 4, '\x05');
  write("train-images-idx3-ubyte", idx(3, {20, 2, 2}, pictures));
  write("train-labels-idx1-ubyte", idx(1, {20}, std::string(20, '\7')));
  write("t10k-images.idx3-ubyte", idx(3, {1, 2, 2}, "abcd"));
  write("t10k-labels.idx1-ubyte", idx(1, {1}, "\1"));
  const auto task = open_task(config("image"));
  EXPECT_EQ(task->info().length, 4);
  EXPECT_EQ(load(*task, Split::kTrain)->rows(), 18);
  EXPECT_EQ(load(*task, Split::kTest)->sequence(0).ids, (Ids{'a' + 1, 'b' + 1, 'c' + 1, 'd' + 1}));
  write("train-labels-idx1-ubyte", idx(1, {19}, std::string(19, '\7')));
  EXPECT_THAT(refusal(config("image")), HasSubstr("has 20 pictures, but"));
  write("train-labels-idx1-ubyte", idx(1, {20}, std::string(19, '\7')));
  EXPECT_THAT(refusal(config("image")), HasSubstr("ends before the 20 items that it announces"));
  write("train-labels-idx1-ubyte", idx(1, {20}, std::string(20, '\12')));
  EXPECT_THAT(refusal(config("image")), HasSubstr("label 0: it is 10, which is not one of ten"));
  write("train-images-idx3-ubyte", idx(1, {20}, pictures));
  EXPECT_THAT(refusal(config("image")), HasSubstr("begins with the number 0x801"));
  fs::remove(folder_ / "train-images-idx3-ubyte");
  write("data_batch_1", "");
  write("batches.meta", "");
  EXPECT_THAT(refusal(config("image")), HasSubstr("has the Python version of CIFAR-10"));
}

TEST_F(LongRangeArena, pathfinder_skips_empty_files_and_names_broken_ones) {
  write_pathfinder("curv_contour_length_9", 30);
  write("curv_contour_length_9/imgs/0/sample_4.png", "");
  const auto task = open_task(config("pathfinder"));
  EXPECT_EQ(task->info().length, 4);
  const auto train = load(*task, Split::kTrain);
  EXPECT_EQ(train->rows() + load(*task, Split::kValidation)->rows() + load(*task, Split::kTest)->rows(), 29);
  EXPECT_THAT(train->notes(), Contains(HasSubstr("1 example was skipped: ")));
  EXPECT_THAT(train->notes(), Contains(HasSubstr("imgs/0/sample_4.png (the file is empty)")));
  EXPECT_EQ(train->sequence(0).ids, (Ids{1, 2, 2, 1}));
  EXPECT_EQ(task->info().labels, (std::vector<std::string>{"apart", "joined"}));

  write("curv_contour_length_9/imgs/0/sample_7.png", "no picture");
  EXPECT_THAT(refusal(config("pathfinder")), HasSubstr("metadata/0.npy, line 8: "));
  EXPECT_THAT(refusal(config("pathfinder")), HasSubstr("sample_7.png is not a valid PNG picture"));
  TaskConfig skipping = config("pathfinder");
  skipping.malformed = Malformed::kSkip;
  EXPECT_THAT(load(skipping)->notes(), Contains(HasSubstr("2 examples were skipped")));
  fs::remove(folder_ / "curv_contour_length_9/imgs/0/sample_7.png");
  EXPECT_THAT(refusal(config("pathfinder")), HasSubstr("sample_7.png"));
  write("curv_contour_length_9/imgs/0/sample_7.png", png_bytes({3, 3, std::vector<std::uint8_t>(9)}));
  EXPECT_THAT(refusal(config("pathfinder")), HasSubstr("has 3 x 3 pixels instead of 2 x 2"));
  write("curv_contour_length_9/metadata/0.npy", "imgs/0 sample_0.png 0 2 1.0\n");
  EXPECT_THAT(refusal(config("pathfinder")), HasSubstr("has no picture that can be read"));
  write("curv_contour_length_9/metadata/0.npy", "\x93NUMPY");
  EXPECT_THAT(refusal(config("pathfinder")), HasSubstr("is a NumPy array"));
}

TEST_F(LongRangeArena, a_pathfinder_folder_of_another_level_is_noted) {
  write_pathfinder("curv_contour_length_14", 20);  // whose metadata say 9
  EXPECT_THAT(load(config("pathfinder"))->notes(),
              Contains(HasSubstr("is called after another length of contours")));
}

TEST_F(LongRangeArena, black_pixels_can_be_left_out) {
  const lra::Encoding encoding{.alphabet = lra::Alphabet::kPixels, .zero = Zero::kAbsent, .longest = 8};
  const TaskSequence sequence = encoding.tokens(std::array<std::uint8_t, 5>{0, 7, 0, 0, 255});
  EXPECT_EQ(sequence.ids, (Ids{7, 255}));
  EXPECT_EQ(sequence.positions, (Ids{1, 4}));
  EXPECT_EQ(encoding.vocabulary(), 256);
}

// --- The prepared file

TEST_F(LongRangeArena, a_prepared_file_gives_the_same_examples) {
  write_listops("listops", "[MAX 3 [MIN 1 2 ] ]\t3\n[SM 1 9 ]\t0\n");
  write_pathfinder("pathfinder", 20);
  for (const char* part : {"train", "eval", "test"})
    write(fmt::format("new_aan_pairs.{}.tsv", part), "1.0\ta\tb\tone\ttwo and more\n0.0\tc\td\tx\tz\n");
  for (const std::string name : {"listops", "pathfinder", "retrieval"}) {
    const std::string file = folder_ / (name + ".h5");
    (void)lra::write_prepared(config(name), 100, file, [](std::int64_t) {});
    const auto official = open_task(config(name, folder_ / (name == "retrieval" ? "." : name)));
    const auto prepared = open_task(config(name, file));
    EXPECT_EQ(prepared->info().labels, official->info().labels);
    EXPECT_EQ(prepared->info().length, official->info().length);
    for (const Split split : {Split::kTrain, Split::kValidation, Split::kTest}) {
      const auto a = load(*official, split, 100), b = load(*prepared, split, 100);
      ASSERT_EQ(a->rows(), b->rows()) << name;
      EXPECT_EQ(a->fingerprint(), b->fingerprint()) << name;
      for (std::size_t i = 0; i < a->sequence_count(); ++i) {
        EXPECT_EQ(a->sequence(i).ids, b->sequence(i).ids);
        EXPECT_EQ(a->label_of(i), b->label_of(i));
      }
    }
  }
  EXPECT_EQ(load(config("listops"))->rows(), 2);  // listops.h5 in the folder
  EXPECT_THAT(refusal(config("text", folder_ / "listops.h5")), HasSubstr("is the task listops"));
  EXPECT_THAT(refusal(config("retrieval"), Split::kTrain, 1000),
              HasSubstr("has sequences cut to 100; prepare it again"));
  write("text.h5", "no HDF5");
  EXPECT_THAT(refusal(config("text")), HasSubstr("text.h5"));
}

TEST_F(LongRangeArena, a_damaged_prepared_file_is_refused) {
  write_listops(".", "[MAX 3 [MIN 1 2 ] ]\t3\n[SM 1 9 ]\t0\n");
  const std::string file = folder_ / "listops.h5";
  (void)lra::write_prepared(config("listops"), 100, file, [](std::int64_t) {});
  const std::string whole = read_file(file, kAnySize);
  int survived = 0;
  for (std::size_t at = 0; at < whole.size(); at += 97) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x55);
    write("listops.h5", damaged);
    try {
      if (at % 16 == 0) check_task_files(config("listops"));  // slow: a process each
      const auto task = open_task(config("listops"));
      for (const Split split : {Split::kTrain, Split::kValidation, Split::kTest})
        if (const auto loaded = load(*task, split))
          for (std::size_t i = 0; i < loaded->sequence_count(); ++i) (void)loaded->sequence(i);
      ++survived;  // a byte that means nothing
    } catch (const Error&) {
    }
  }
  EXPECT_GT(survived, 0);
  write("listops.h5", whole.substr(0, whole.size() / 2));
  EXPECT_THAT(refusal(config("listops")), HasSubstr("listops.h5"));
}

/// A prepared file of one part as a stranger may write it.
struct Forged {
  std::string name = "pathfinder";
  std::vector<std::string> labels = {"apart", "connected"};
  std::int64_t pixels = 4;
  std::vector<std::uint8_t> symbols = {0, 7, 7, 0, 9, 0, 0, 9};
  std::vector<std::uint64_t> ends = {4, 8};
  std::vector<std::uint32_t> nonzero = {2, 2}, whole = {4, 4};
  std::vector<std::uint8_t> classes = {0, 1};

  void write(const std::string& path) const {
    fs::remove(path);
    hdf5::File file = hdf5::File::create(path);
    file.set_attribute("format", std::string("nystrom lra"));
    file.set_attribute("version", std::int64_t{1});
    file.set_attribute("name", name);
    file.set_attribute("found", std::string("\x1b[31m\xff somewhere"));
    file.set_attribute("pixels", pixels);
    file.set_attribute("cut", INT64_MAX);
    file.write_strings("label_names", labels);
    file.create_group("train");
    put<std::uint8_t>(file, "train/symbols", symbols);
    put<std::uint64_t>(file, "train/ends", ends);
    put<std::uint32_t>(file, "train/nonzero", nonzero);
    put<std::uint32_t>(file, "train/whole", whole);
    put<std::uint8_t>(file, "train/labels", classes);
    file.set_attribute("sha256", std::string(64, 'a'), "train");
    file.close();
  }

 private:
  template <class T>
  static void put(hdf5::File& file, const std::string& name, const std::vector<T>& values) {
    hdf5::Dataset column =
        file.create_dataset(name, hdf5::TypeOf<T>::value, {0}, {.chunk = {16}, .extendible = true});
    column.append<T>(values);
    column.close();
  }
};

TEST_F(LongRangeArena,
       a_strangers_prepared_file_that_contradicts_itself_is_refused_before_and_while_it_is_read) {
  const auto refusals = [&](const Forged& forged) {
    const std::string file = folder_ / (forged.name + ".h5");
    forged.write(file);
    TaskConfig c = config(forged.name, file);
    c.validation_fraction = 0;
    c.zero = Zero::kAbsent;
    std::string before = "not refused", while_read = "not refused";
    try {
      check_task_files(c);
    } catch (const InputError& error) {
      before = error.what();
    }
    try {
      const auto task = open_task(c);  // whose file the split reads
      const auto split = load(*task, Split::kTrain, 1 << 20);
      for (std::size_t i = 0; i < split->sequence_count(); ++i) (void)split->sequence(i);
    } catch (const InputError& error) {
      while_read = error.what();
    }
    return std::pair{before, while_read};
  };
  EXPECT_EQ(refusals({}), (std::pair<std::string, std::string>{"not refused", "not refused"}));
  EXPECT_EQ(open_task(config("pathfinder", folder_ / "pathfinder.h5"))->data().find('\x1b'),
            std::string::npos);

  Forged forged;
  const auto both = [&](const char* in) {
    const auto [before, while_read] = refusals(forged);
    EXPECT_THAT(before, HasSubstr(std::string("contradicts itself in ") + in));
    EXPECT_THAT(while_read, HasSubstr(std::string("contradicts itself in ") + in));
    forged = {};
  };
  forged.pixels = 3;  // the fourth pixel would have a position that the network has not
  both("the pixels of its pictures");
  forged.pixels = std::int64_t{1} << 40U;
  EXPECT_THAT(refusals(forged).first, HasSubstr("contradicts itself in the pixels of its pictures"));
  forged.pixels = 0;
  both("its number of pixels");
  forged.whole = {9, 4};
  both("the pixels of its pictures");
  forged.ends = {5, 8};
  both("the lengths of its sequences");
  forged.ends = {4, 7};
  both("its numbers of sequences");
  forged.nonzero = {5, 2};
  both("the lengths of its sequences");
  forged.classes = {0, 2};
  both("its labels");
  forged.labels = {"one"};
  both("its number of classes");

  forged.nonzero = {2, 3};
  const auto [before, while_read] = refusals(forged);
  EXPECT_THAT(before, HasSubstr("contradicts itself in sequence 1 of train"));
  EXPECT_THAT(while_read, HasSubstr("example 1 of the train split is not what its file's table says"));

  Forged listops{.name = "listops",
                 .labels = std::vector<std::string>(10, "x"),
                 .pixels = 0,
                 .symbols = {10, 1, 15, 14},  // token 15 is none: its embedding is not there
                 .ends = {2, 4},
                 .nonzero = {2, 2},
                 .whole = {2, 2}};
  const auto [unknown_before, unknown_while_read] = refusals(listops);
  EXPECT_THAT(unknown_before, HasSubstr("contradicts itself in sequence 1 of train"));
  EXPECT_THAT(unknown_while_read, HasSubstr("example 1 of the train split is not what"));
  listops.ends = {5, 4};
  listops.whole = {5, 2};
  forged = listops;
  both("where its sequences end");
}

// --- The files beside the checkout

TEST_F(LongRangeArena, official_layouts_in_miniature_are_read_whole) {
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
