// Tasks from made-up files in their official layouts: what is read, encoded, scored, written and refused.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "arrow_files.h"
#include "corpus_folder.h"
#include "data/tasks/metrics/entities.h"
#include "data/tasks/records.h"
#include "data/tasks/scores.h"
#include "data/tasks/squad.h"
#include "data/tasks/task.h"
#include "data/tasks/task_kinds.h"
#include "data/tokenizer/training.h"
#include "kernels/core/check.h"
#include "kernels/core/philox.h"
#include "letter_tokenizer.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class Tasks : public ::testing::Test {
 protected:
  Tasks() : folder_(fs::path(::testing::TempDir()) / ("tasks-" + std::to_string(::getpid()))) {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  ~Tasks() override { fs::remove_all(folder_); }

  void write(const std::string& name, const std::string& text) {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name, std::ios::binary) << text;
  }
  [[nodiscard]] TaskConfig config(const std::string& kind, const std::string& name = "") const {
    TaskConfig c;
    c.kind = kind;
    c.name = name;
    c.path = folder_.string();
    return c;
  }
  static const TextEncoder& encoder() {
    static const TextEncoder encoder(testing::letter_tokenizer(), 24);
    return encoder;
  }
  /// The only one of a task's splits.
  static std::unique_ptr<TaskSplit> one(Task& task, Split split) {
    auto splits = task.load(split, encoder());
    EXPECT_EQ(splits.size(), 1U);
    return std::move(splits.at(0));
  }
  /// The sentence with which loading the training split is refused.
  static std::string refusal(const TaskConfig& config, Split split = Split::kTrain) {
    try {
      const auto task = open_task(config);
      if (split != Split::kTrain) (void)task->load(Split::kTrain, encoder());
      (void)task->load(split, encoder());
    } catch (const InputError& error) {
      return error.what();
    }
    return "not refused";
  }
  static std::string text_of(const TaskSequence& sequence) {
    return encoder().tokenizer().decode(sequence.ids);
  }

  fs::path folder_;
};

Outputs outputs_of(const std::vector<std::vector<float>>& rows) {
  Outputs outputs;
  for (const auto& row : rows) outputs.append(row);
  return outputs;
}

double score_of(const std::vector<Score>& scores, const std::string& name) {
  for (const auto& score : scores)
    if (score.name == name) return score.value;
  ADD_FAILURE() << "no score " << name;
  return 0;
}

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

TEST_F(Tasks, files_in_utf16_are_decoded_before_lines_are_told_apart) {
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

TEST_F(Tasks, files_that_are_no_text_are_refused_by_what_they_are) {
  std::string noise;
  for (int i = 0; i < 5000; ++i) noise += static_cast<char>(i * i % 251);
  write("train.tsv", "Obj\x01" + noise);
  EXPECT_THAT(refusal(config("classification")), HasSubstr("train.tsv is not text but an Avro file"));
  write("train.tsv", noise);
  EXPECT_THAT(refusal(config("classification")), HasSubstr("train.tsv is not text: of its first 5000 bytes"));
}

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

TEST_F(Tasks, comments_before_sentences_are_no_words_and_a_number_sign_with_columns_is_one) {
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

TEST_F(Tasks, ranges_and_empty_nodes_of_conll_u_are_no_words) {
  const std::string tail = "\t_\t_\n";
  write("train.conllu", "# sent_id = 1\n1-2\tonenet\t_" + tail + "1\tone\tX" + tail + "2\tnet\tY" + tail +
                            "2.1\tsix\tZ" + tail + "\n1\t-DOCSTART-\tD" + tail + "\n");
  auto c = config("tokens");
  c.columns = {{"word", "1"}, {"tag", "2"}};
  const auto task = open_task(c);
  const auto train = one(*task, Split::kTrain);
  EXPECT_THAT(task->info().labels, ::testing::ElementsAre("X", "Y"));
  EXPECT_THAT(train->notes(), ElementsAre(HasSubstr("1 comment lines and 2 ranges and empty nodes")));
  // Words that look like them stand in the first column.
  write("train.conllu", "1-2\tX\n2.1\tY\n");
  const auto words = open_task(config("tokens"));
  EXPECT_THAT(one(*words, Split::kTrain)->sequences().at(0).label_rows, SizeIs(2));
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

TEST_F(Tasks, unknown_tags_are_refused_with_their_line_and_test_files_may_lack_tags) {
  write("train.conll", "1\tone\tO \n2\tnet\tB-n\n\n");
  write("test.conll", "1\tone\n2\tnet\n\n");
  auto c = config("tokens");
  c.columns = {{"word", "1"}};
  const auto task = open_task(c);
  (void)one(*task, Split::kTrain);
  EXPECT_THAT(task->info().labels, ::testing::ElementsAre("B-n", "O"));  // without the blank behind it
  EXPECT_FALSE(one(*task, Split::kTest)->labelled());
  c.labels = {"O"};
  EXPECT_THAT(refusal(c), HasSubstr("train.conll, line 2: the tag `B-n` is not in `task.labels` (O)"));
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

TEST_F(Tasks, mrpc_is_distinguished_from_wnli_and_needs_its_validation_pairs) {
  write("train.tsv", "index\tsentence1\tsentence2\tlabel\n0\tone\ttwo\t1\n");
  EXPECT_THAT(refusal(config("glue", "MRPC")), HasSubstr("has the columns of WNLI"));
  fs::remove(folder_ / "train.tsv");
  write("msr_paraphrase_train.txt", "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n1\t11\t12\tone\ttwo\n");
  write("dev_ids.tsv", "11 12\n");
  EXPECT_THAT(refusal(config("glue", "MRPC"), Split::kValidation), HasSubstr("names none of the pairs"));
  EXPECT_TRUE(open_task(config("glue", "MRPC"))->load(Split::kTest, encoder()).empty());  // no file for it
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
