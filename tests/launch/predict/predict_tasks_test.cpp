// `nystrom predict` for each kind of task: tags, answers, choices, embeddings.

#include <gmock/gmock.h>

#include "data/hdf5/hdf5_file.h"
#include "kernels/core/json.h"
#include "predict_run.h"

namespace nystrom {
namespace {

using ::testing::HasSubstr;

TEST_F(Predict, tags_words_of_lines_arrays_and_conll) {
  std::string rows;
  for (int i = 0; i < 60; ++i) rows += "one O\ntin B-X\nnet I-X\n\nten O\n\n";
  write("data/train.conll", rows);
  remove_tables();
  write("data/dev.conll", rows);
  train("--set task.kind=tokens");
  write("w.txt", "one tin net\n\nten\n");
  const Table table = table_of(predict("--input w.txt").out);
  ASSERT_EQ(table.size(), 5U);
  EXPECT_EQ(table[0], (std::vector<std::string>{"sentence", "word", "prediction"}));
  EXPECT_EQ(table[4][0], "2");
  write("w.jsonl", R"({"words": ["one", "tin", "net"]})"
                   "\n");
  const auto objects = objects_of(predict("--input w.jsonl --format jsonl").out);
  ASSERT_EQ(objects.size(), 1U);
  EXPECT_EQ(objects[0]["words"], Json({"one", "tin", "net"}));
  EXPECT_EQ(objects[0]["predictions"].size(), 3U);
  write("w.conll", "one\ntin\nnet\n\nten\n");
  EXPECT_EQ(table_of(predict("--input w.conll").out).size(), 5U);
  write("w.conllu", "# text = one tin net\none\ntin\n#\n\n# text = ten\n#ten\n");
  const Table commented = table_of(predict("--input w.conllu").out);
  ASSERT_EQ(commented.size(), 5U);
  EXPECT_EQ(commented[1][1], "one");
  EXPECT_EQ(commented[3][1], "#");
  EXPECT_EQ(commented[4][1], "#ten");
}

TEST_F(Predict, reads_the_word_column_that_training_read) {
  // Words are in the second column, and one has a blank in it.
  std::string rows, blanks;
  for (int i = 0; i < 30; ++i) rows += "1\tone two\tO\n2\ttin\tB-X\n\n3\tten\tO\n\n";
  for (const char* name : {"data/train.conll", "data/dev.conll", "data/test.conll"}) write(name, rows);
  remove_tables();
  train("--set task.kind=tokens --set task.columns.word=1");
  Table written = table_of(read_bytes(folder_ / "run/predictions.tsv"));
  for (auto& row : written) row.pop_back();  // the tag
  const Outcome outcome = predict("--input data/test.conll");
  EXPECT_EQ(table_of(outcome.out), written) << outcome.err;
  EXPECT_EQ(written.at(1).at(1), "one two");
  EXPECT_EQ(table_of(predict("--input data/test.conll --set task.columns.word=0").out).at(1).at(1), "1");
  EXPECT_EQ(table_of(predict("--input data/test.conll --set task.columns.word=-2").out), written);
  EXPECT_THAT(predict("--input data/test.conll --set task.columns.word=x").err,
              HasSubstr("`task.columns.word` is x"));
  write("short.conll", "1\tone\tO\n2\n\n");
  EXPECT_THAT(predict("--input short.conll").err, HasSubstr("short.conll, line 2: 1 columns"));
  const Outcome skipped = predict("--input short.conll --set task.malformed=skip");
  EXPECT_EQ(table_of(skipped.out).size(), 2U);
  EXPECT_THAT(skipped.err, HasSubstr("1 malformed lines of the input were skipped"));
}

TEST_F(Predict, arrays_are_words_however_few_they_are) {
  std::string rows;
  for (int i = 0; i < 30; ++i) rows += "one O\ntin B-X\n\n";
  for (const char* name : {"data/train.conll", "data/dev.conll"}) write(name, rows);
  remove_tables();
  train("--set task.kind=tokens --set training.epochs=1");
  write("w.jsonl", "{\"words\": [\"one tin\"]}\n{\"words\": []}\n{\"words\": [\"ten\", \"six\"]}\n");
  const auto objects = objects_of(predict("--input w.jsonl --format jsonl").out);
  ASSERT_EQ(objects.size(), 3U);
  EXPECT_EQ(objects[0]["words"], Json({"one tin"}));
  EXPECT_EQ(objects[1]["sentence"], 1);
  EXPECT_EQ(objects[1]["words"], Json::array());
  EXPECT_EQ(objects[1]["predictions"], Json::array());
  EXPECT_EQ(objects[2]["predictions"].size(), 2U);
}

TEST_F(Predict, finds_answers_in_long_contexts_by_windows) {
  std::string context;
  for (int i = 0; i < 60; ++i) context += "we have many words ";
  context += "and one net";
  const auto at = static_cast<std::int64_t>(context.find("net"));
  Json squad;
  for (int i = 0; i < 8; ++i)
    squad["data"][0]["paragraphs"][0]["qas"].push_back(
        {{"id", std::to_string(i)},
         {"question", "one tin"},
         {"answers", {{{"text", "net"}, {"answer_start", at}}}}});
  squad["data"][0]["paragraphs"][0]["context"] = context;
  for (const char* name : {"data/train.json", "data/dev.json"}) write(name, squad.dump());
  remove_tables();
  train("--set task.kind=question_answering --set task.window_overlap=8");
  write("q.jsonl", Json{{"question", "one tin"}, {"context", context}}.dump() + "\n");
  const Outcome outcome = predict("--input q.jsonl --format jsonl");
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const auto answer = objects_of(outcome.out).at(0);
  const std::int64_t begin = answer["begin"], end = answer["end"];
  EXPECT_EQ(answer["prediction"],
            context.substr(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin)));
  EXPECT_EQ(table_of(predict("--input data/dev.json").out).size(), 9U);
  write("empty.jsonl", Json{{"question", "one tin"}, {"context", ""}}.dump() + "\n");
  const auto none = objects_of(predict("--input empty.jsonl --format jsonl").out).at(0);
  EXPECT_EQ(none["prediction"], "");
  EXPECT_TRUE(none["score"].is_number()) << none;
}

TEST_F(Predict, a_model_of_unanswerable_questions_may_leave_one_unanswered) {
  Json squad;
  for (int i = 0; i < 32; ++i)
    squad["data"][0]["paragraphs"][0]["qas"].push_back({{"id", std::to_string(i)},
                                                        {"question", "one tin"},
                                                        {"is_impossible", true},
                                                        {"answers", Json::array()}});
  squad["data"][0]["paragraphs"][0]["context"] = "six net ten";
  for (const char* name : {"data/train.json", "data/dev.json"}) write(name, squad.dump());
  remove_tables();
  train("--set task.kind=question_answering");
  ASSERT_EQ(run("$nystrom convert --from run/checkpoints/best.h5 --to folder").status, 0);
  write("q.jsonl", Json{{"question", "one tin"}, {"context", "six net ten"}}.dump() + "\n");
  const auto answer = [&](const char* unanswerable, const std::string& options = "") {
    Json config = parse_json<Json>(read_bytes(folder_ / "folder/config.json"));
    config["nystrom"]["task"]["task.unanswerable"] = unanswerable;
    write("folder/config.json", config.dump());
    const Outcome outcome = run("$nystrom predict --model folder --input q.jsonl --format jsonl " + options);
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return objects_of(outcome.out).at(0)["prediction"].get<std::string>();
  };
  EXPECT_NE(answer("false"), "");
  EXPECT_EQ(answer("false", "--no-answer"), "");
  EXPECT_EQ(answer("true"), "");
}

TEST_F(Predict, chooses_among_endings) {
  std::string rows = "sent1,sent2,ending0,ending1,ending2,ending3,label\n";
  for (int i = 0; i < 20; ++i) rows += "one two,we,tin,net,ten,six," + std::to_string(i % 4) + "\n";
  for (const char* name : {"data/train.csv", "data/dev.csv"}) write(name, rows);
  remove_tables();
  train("--set task.kind=multiple_choice");
  const Table table = table_of(predict("--input data/dev.csv").out);
  ASSERT_EQ(table.size(), 21U);
  EXPECT_EQ(table[0].size(), 6U);
}

TEST_F(Predict, chooses_among_the_columns_that_training_chose_among) {
  std::string rows = "sent1,sent2,right,wrong,label\n";
  for (int i = 0; i < 20; ++i) rows += "one two,we,tin,net," + std::to_string(i % 2) + "\n";
  for (const char* name : {"data/train.csv", "data/dev.csv"}) write(name, rows);
  remove_tables();
  train("--set task.kind=multiple_choice --set 'task.choices=[right, wrong]'");
  const Outcome outcome = predict("--input data/dev.csv");
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  expect_written(table_of(outcome.out), "run/predictions.tsv");
  EXPECT_EQ(table_of(outcome.out).at(0).size(), 4U);
}

TEST_F(Predict, turns_texts_into_vectors_in_hdf5) {
  train();
  write("l.txt", "one tin\nsix net ten\n");
  ASSERT_EQ(predict("--input l.txt --task embeddings --output v.h5").status, 0);
  EXPECT_EQ(hdf5::File::open(folder_ / "v.h5").dataset("embedding").shape(), (hdf5::Shape{2, 32}));
  const auto objects = objects_of(predict("--input l.txt --task embeddings").out);
  ASSERT_EQ(objects.size(), 2U);
  EXPECT_EQ(objects[1]["embedding"].size(), 32U);
}

TEST_F(Predict, ids_of_the_input_are_kept_with_vectors_and_token_ids) {
  train();
  write("l.tsv", "id\ttext\nx7\tone tin\ny8\tsix net ten\n");
  ASSERT_EQ(predict("--input l.tsv --task embeddings --output v.h5").status, 0);
  const auto file = hdf5::File::open(folder_ / "v.h5");
  EXPECT_EQ(file.read_strings("id"), (std::vector<std::string>{"x7", "y8"}));
  std::vector<std::int64_t> lines(2);
  file.dataset("line").read_rows<std::int64_t>(0, 2, lines);
  EXPECT_EQ(lines, (std::vector<std::int64_t>{1, 2}));
  EXPECT_EQ(objects_of(predict("--input l.tsv --task embeddings").out).at(1)["id"], "y8");
  const Outcome tokens = predict("--input l.tsv --task tokens");
  ASSERT_EQ(tokens.status, 0) << tokens.err;
  const Table table = table_of(tokens.out);
  EXPECT_EQ(table.at(0), (std::vector<std::string>{"line", "id", "ids"}));
  EXPECT_EQ(table.at(2).at(1), "y8");
}

}  // namespace
}  // namespace nystrom
