// Custom datasets: formats and encodings of their files, columns, labels, splits held out.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "arrow_files.h"
#include "corpus_folder.h"
#include "data/tasks/records.h"
#include "data/tasks/scores.h"
#include "data/tasks/task.h"
#include "task_files.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using testing::outputs_of;
using testing::score_of;
using ::testing::SizeIs;
using testing::Tasks;

TEST_F(Tasks, files_in_utf16_are_decoded_before_lines_are_split) {
  const std::string text = "a\tb\n1\t\u0A0A\n2\tx\n";
  for (const bool little : {true, false}) {
    std::string bytes = little ? "\xFF\xFE" : "\xFE\xFF";
    for (const char16_t unit : std::u16string_view(u"a\tb\n1\t\u0A0A\n2\tx\n")) {
      const auto low = static_cast<char>(unit & 0xFFU), high = static_cast<char>(unit >> 8U);
      bytes += little ? low : high;
      bytes += little ? high : low;
    }
    Repairs repairs;
    write("t.tsv", bytes);
    EXPECT_EQ(read_text_file((folder_ / "t.tsv").string(), repairs), text);
    EXPECT_EQ(repairs.invalid_bytes + repairs.nul_bytes, 0);
  }
}

TEST_F(Tasks, files_that_are_not_text_are_refused_by_format) {
  std::string noise;
  for (int i = 0; i < 5000; ++i) noise += static_cast<char>(i * i % 251);
  write("train.tsv", "Obj\x01" + noise);
  EXPECT_THAT(refusal(config("classification")), HasSubstr("train.tsv is not text but an Avro file"));
  write("train.tsv", noise);
  EXPECT_THAT(refusal(config("classification")), HasSubstr("train.tsv is not text: of its first 5000 bytes"));
}

TEST_F(Tasks, compressed_files_are_read_and_twice_compressed_ones_and_utf_32_are_refused) {
  const std::string text = "text\tlabel\none\ta\ntwo\tb\n";
  write("train.tsv.gz", testing::gzip(text));
  EXPECT_THAT(one(*open_task(config("classification")), Split::kTrain)->sequences(), SizeIs(2));
  write("train.tsv.gz", testing::gzip(testing::gzip(text)));
  EXPECT_THAT(refusal(config("classification")), HasSubstr("train.tsv.gz is not text but compressed twice"));
  write("train.tsv.gz", testing::gzip(text).substr(0, 20));
  EXPECT_THAT(refusal(config("classification")), HasSubstr("it is truncated"));
  fs::remove(folder_ / "train.tsv.gz");
  write("train.csv.zst", testing::zstd("text,label\n\"one,two\",a\nsix,b\n"));
  EXPECT_THAT(one(*open_task(config("classification")), Split::kTrain)->sequences(), SizeIs(2));
  write("train.tsv", std::string("\xFF\xFE\0\0t\0\0\0", 8));
  EXPECT_THAT(refusal(config("classification")), HasSubstr("train.tsv is text in UTF-32, which is not read"));
}

TEST_F(Tasks, parquet_and_arrow_are_read_by_their_content) {
  if (!testing::has_pyarrow()) GTEST_SKIP() << "There is no pyarrow for python3.";
  const auto one_text = [](const std::string& text) {
    EncodingCounts counts;
    return encoder().single(text, counts).ids;
  };
  for (const char* name : {"train.parquet", "train.arrow", "train.tsv"}) {
    testing::write_arrow(folder_ / name,
                         "{'text': ['one', 'two', 'six'], 'label': [0, 1, 0], 'x': [float('nan'), 1, 2]}");
    const auto task = open_task(config("classification"));
    const auto train = one(*task, Split::kTrain);
    ASSERT_THAT(train->sequences(), SizeIs(3)) << name;
    EXPECT_EQ(train->sequences()[2].ids, one_text("six")) << name;
    EXPECT_THAT(task->info().labels, ::testing::ElementsAre("0", "1"));
    auto c = config("classification");
    c.columns = {{"label", "x"}};
    EXPECT_THAT(refusal(c),
                HasSubstr(std::string(name) + ", line 1: `x` is neither text nor a finite number"));
    fs::remove(folder_ / name);
  }
  testing::write_arrow(folder_ / "train.parquet", "{'text': ['one', 'two']}");
  EXPECT_THAT(refusal(config("classification")), HasSubstr("train.parquet"));
  EXPECT_THAT(refusal(config("tokens")), HasSubstr("train.parquet is not text but a Parquet file"));
}

TEST_F(Tasks, custom_datasets_are_csv_or_json_lines_with_any_label_names) {
  auto c = config("classification");
  c.columns = {{"text", "review"}, {"label", "stars"}};
  write("train.csv", "stars,review\ngood,\"one, \"\"two\"\"\nthree\"\nbad,four\n");
  write("test.jsonl", "{\"review\": \"five\"}\n\n{\"review\": \"six\"}\n");
  const auto task = open_task(c);
  const auto train = one(*task, Split::kTrain), test = one(*task, Split::kTest);
  EXPECT_EQ(task->info().labels, (std::vector<std::string>{"bad", "good"}));
  EXPECT_EQ(train->sequences().at(0).label, 1);
  EXPECT_EQ(text_of(train->sequences().at(0)), "one, \"two\" three");
  EXPECT_THAT(test->sequences(), SizeIs(2));
  const auto table = test->predictions(outputs_of({{0, 1}, {1, 0}}));
  EXPECT_EQ(table.rows.at(0).at(1), "good");
}

TEST_F(Tasks, json_lines_of_python_are_read_and_a_number_that_is_not_finite_is_refused_where_it_counts) {
  write(
      "train.jsonl",
      "{\"text\": \"one \\ud83d\", \"label\": \"a\", \"score\": NaN}\n{\"text\": \"two\", \"label\": \"b\", "
      "\"score\": -Infinity}\n");
  auto c = config("classification");
  const auto task = open_task(c);
  EXPECT_THAT(one(*task, Split::kTrain)->notes(),
              ElementsAre(HasSubstr("train.jsonl: 2 bytes that are not")));
  write("train.jsonl", "{\"text\": \"one\", \"label\": 1.5}\n{\"text\": \"two\", \"label\": NaN}\n");
  EXPECT_THAT(refusal(config("regression")),
              HasSubstr("line 2: `label` is neither text nor a finite number"));
  c = config("regression");
  c.malformed = Malformed::kSkip;
  EXPECT_THAT(one(*open_task(c), Split::kTrain)->sequences(), SizeIs(1));
}

TEST_F(Tasks, a_blank_line_is_a_row_of_a_file_of_one_column_alone) {
  const auto cells = [](const std::string& text) {
    std::vector<std::string> found;
    for (const auto& row : parse_records("a.tsv", text, RecordFormat::kTsv, {.columns = {{{"a"}}}}).rows)
      found.push_back(std::to_string(row.line) + row.cells[0]);
    return found;
  };
  EXPECT_EQ(cells("\na\n\none\r\n\r\ntwo\n\n\n"), (std::vector<std::string>{"3", "4one", "5", "6two"}));
  EXPECT_EQ(cells("a\n\n\n"), std::vector<std::string>{});
  EXPECT_EQ(cells("a\tb\n\none\t1\n"), std::vector<std::string>{"3one"});
}

TEST_F(Tasks, a_column_may_be_requested_twice) {
  const auto records = parse_records("a.tsv", "a\tb\none\ttwo\n", RecordFormat::kTsv,
                                     {.columns = {{{"a"}}, {{"b"}}, {{"a"}}}});
  ASSERT_THAT(records.rows, SizeIs(1));
  EXPECT_EQ(records.rows[0].cells, (std::vector<std::string>{"one", "two", "one"}));
}

TEST_F(Tasks, an_example_may_have_many_labels) {
  auto c = config("classification");
  c.multi_label = true;
  write("train.jsonl", "{\"text\":\"one\",\"label\":[\"b\",\"a\"]}\n{\"text\":\"two\",\"label\":[]}\n");
  const auto task = open_task(c);
  const auto train = one(*task, Split::kTrain);
  EXPECT_EQ(train->sequences().at(0).values, (std::vector<float>{1, 1}));
  EXPECT_EQ(train->sequences().at(1).values, (std::vector<float>{0, 0}));
  const auto scores = train->score(outputs_of({{1, -1}, {-1, -1}}));
  EXPECT_DOUBLE_EQ(score_of(scores, "f1_micro"), 2.0 / 3);
  EXPECT_DOUBLE_EQ(score_of(scores, "accuracy"), 0.5);
}

TEST_F(Tasks, labels_in_an_array_may_hold_the_separator_and_predictions_use_it) {
  write("train.jsonl",
        "{\"text\":\"one\",\"label\":[\"Music, "
        "rock\",\"Film\"]}\n{\"text\":\"two\",\"label\":[\"Music, rock\"]}\n");
  auto c = config("classification");
  c.multi_label = true;
  c.label_separator = "|";
  const auto task = open_task(c);
  const auto train = one(*task, Split::kTrain);
  EXPECT_THAT(task->info().labels, ::testing::ElementsAre("Film", "Music, rock"));
  EXPECT_EQ(train->predictions(outputs_of({{1, 1}, {1, -1}})).rows[0][1], "Film|Music, rock");
}

TEST_F(Tasks, an_empty_label_is_refused_or_skipped_but_a_test_split_may_have_none) {
  write("train.tsv", "text\tlabel\none\ta\ntwo\t\nsix\tb\n");
  write("test.tsv", "text\tlabel\none\t\ntwo\t\n");
  auto c = config("classification");
  EXPECT_THAT(refusal(c), HasSubstr("train.tsv, line 3: the label is empty"));
  c.malformed = Malformed::kSkip;
  const auto task = open_task(c);
  const auto train = one(*task, Split::kTrain);
  EXPECT_EQ(train->rows(), 2);
  EXPECT_THAT(task->info().labels, ::testing::ElementsAre("a", "b"));
  EXPECT_THAT(train->notes(), ::testing::Contains(HasSubstr("1 malformed lines were skipped: 3")));
  const auto test = one(*task, Split::kTest);
  EXPECT_EQ(test->rows(), 2);
  EXPECT_FALSE(test->labelled());
}

TEST_F(Tasks, choices_of_a_question_follow_each_other) {
  write(
      "train.csv",
      "video-id,sent1,sent2,ending0,ending1,ending2,ending3,label\nv1,one,two,a,b,c,d,2\nv2,one,two,e,f,g,h,0\n");
  const auto task = open_task(config("multiple_choice"));
  const auto train = one(*task, Split::kTrain);
  EXPECT_EQ(train->rows(), 2);
  ASSERT_THAT(train->sequences(), SizeIs(8));
  EXPECT_EQ(train->sequences()[0].label, 2);
  EXPECT_THAT(text_of(train->sequences()[1]), HasSubstr("two b"));
  EXPECT_DOUBLE_EQ(score_of(train->score(outputs_of({{0, 0, 9, 0}, {0, 0, 9, 0}})), "accuracy"), 0.5);
}

TEST_F(Tasks, a_validation_fraction_is_held_out_of_training_by_the_seed) {
  auto c = config("regression");
  c.validation_fraction = 0.3;
  std::string rows = "text\tlabel\n";
  for (int i = 0; i < 10; ++i) rows += "one\t" + std::to_string(i) + "\n";
  write("train.tsv", rows);
  const auto task = open_task(c);
  const auto train = one(*task, Split::kTrain), validation = one(*task, Split::kValidation);
  EXPECT_EQ(train->rows(), 7);
  EXPECT_EQ(validation->rows(), 3);
  std::set<float> all;
  for (const auto* split : {train.get(), validation.get()})
    for (const auto& sequence : split->sequences()) all.insert(sequence.values[0]);
  EXPECT_THAT(all, SizeIs(10));
}

TEST_F(Tasks, the_training_split_decides_whether_there_are_pairs) {
  const std::string pairs = "text\tpair\tlabel\none\ttwo\ta\nsix\tten\tb\n";
  const std::string texts = "text\tlabel\none\ta\nsix\tb\n";
  write("train.tsv", pairs);
  write("dev.tsv", texts);
  EXPECT_THAT(refusal(config("classification"), Split::kValidation), HasSubstr("has no column `pair`"));
  write("train.tsv", texts);
  write("dev.tsv", pairs);
  const auto task = open_task(config("classification"));
  (void)one(*task, Split::kTrain);
  EXPECT_EQ(text_of(one(*task, Split::kValidation)->sequences()[0]), "one");
}

}  // namespace
}  // namespace nystrom
