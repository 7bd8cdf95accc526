// `nystrom predict` with fine-tuned models, as a user runs it.

#include <gmock/gmock.h>

#include <cmath>

#include "arrow_files.h"
#include "data/hdf5/hdf5_file.h"
#include "finetune_run.h"
#include "kernels/core/json.h"

namespace nystrom {
namespace {

using ::testing::HasSubstr;

using Table = std::vector<std::vector<std::string>>;

Table table_of(const std::string& text) {
  Table table;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    table.emplace_back();
    std::istringstream cells(line);
    for (std::string cell; std::getline(cells, cell, '\t');) table.back().push_back(cell);
  }
  return table;
}

std::vector<Json> objects_of(const std::string& text) {
  std::vector<Json> objects;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) objects.push_back(parse_json<Json>(line));
  return objects;
}

class Predict : public Finetune {
 protected:
  void train(const std::string& sets = "") {
    const Outcome outcome = run("$nystrom finetune c.yaml --set training.epochs=2 " + sets);
    ASSERT_EQ(outcome.status, 0) << outcome.err;
  }
  [[nodiscard]] Outcome predict(const std::string& rest) const {
    return run(
        "$nystrom predict --model run/checkpoints/best.h5 --set training.precision=fp32 --set "
        "run.threads=1 " +
        rest);
  }
  /// The same ids and answers as in a run's predictions.tsv, which has labels as well.
  void expect_written(const Table& table, const std::string& name) const {
    const Table written = table_of(read_bytes(folder_ / name));
    ASSERT_EQ(table.size(), written.size());
    for (std::size_t i = 1; i < table.size(); ++i) {
      EXPECT_EQ(table[i][0], written[i][0]);
      EXPECT_EQ(table[i][1], written[i][1]);
      EXPECT_NEAR(std::stod(table[i][2]), std::stod(written[i][3]), 1e-5);
    }
  }
};

// ASCII as UTF-16 with its byte order mark.
std::string as_utf16(const std::string& text, bool little) {
  std::string bytes = little ? "\xFF\xFE" : "\xFE\xFF";
  for (const char c : text) bytes += little ? std::string{c, '\0'} : std::string{'\0', c};
  return bytes;
}

TEST_F(Predict, reads_utf_16_by_its_byte_order_mark) {
  train();
  const std::string text = read_bytes(folder_ / "data/test.tsv");
  const std::string expected = predict("--input data/test.tsv").out;
  ASSERT_NE(expected, "");
  for (const bool little : {true, false}) {
    write("wide.tsv", as_utf16(text, little));
    const Outcome from_file = predict("--input wide.tsv");
    EXPECT_EQ(from_file.out, expected) << from_file.err;
    const Outcome in_pieces = run(
        "{ head -c 1 wide.tsv; sleep 0.2; tail -c +2 wide.tsv | head -c 58; sleep 0.2; tail -c +60 wide.tsv; } | "
        "$nystrom predict --model run/checkpoints/best.h5 --set training.precision=fp32 --set run.threads=1 "
        "--input - --input-format tsv");
    EXPECT_EQ(in_pieces.out, expected) << in_pieces.err;
  }
  // Both halves of a pair, apart: neither is text.
  std::string broken = as_utf16("text\n", true) + std::string("\x3D\xD8\n\0", 4) + std::string("\x00\xDE", 2);
  write("broken.tsv", broken);
  EXPECT_THAT(predict("--input broken.tsv").err, HasSubstr("4 bytes of the input are not valid"));
}

TEST_F(Predict, reads_compressed_files_and_says_what_to_do_with_a_compressed_pipe) {
  train();
  const std::string expected = predict("--input data/test.tsv").out;
  ASSERT_EQ(run("gzip -c data/test.tsv > t.tsv.gz && gzip -c t.tsv.gz > twice.gz").status, 0);
  EXPECT_EQ(predict("--input t.tsv.gz").out, expected);
  EXPECT_EQ(predict("--input t.tsv.gz --input-format tsv").out, expected);
  EXPECT_THAT(predict("--input twice.gz").err, HasSubstr("twice.gz is not text but compressed twice"));
  EXPECT_THAT(predict("--input - --input-format tsv < t.tsv.gz").err,
              HasSubstr("standard input is compressed, and no file. Decompress it on the way"));
  write("wide.tsv", std::string("\0\0\xFE\xFF\0\0\0t", 8));
  EXPECT_THAT(predict("--input wide.tsv").err, HasSubstr("wide.tsv is text in UTF-32"));
}

TEST_F(Predict, reads_parquet_and_arrow_by_their_names) {
  if (!testing::has_pyarrow()) GTEST_SKIP() << "There is no pyarrow for python3.";
  train();
  write("t.jsonl", "{\"text\": \"one\"}\n{\"text\": \"two\"}\n");
  const std::string expected = predict("--input t.jsonl").out;
  for (const char* name : {"t.parquet", "t.arrow"}) {
    testing::write_arrow(folder_ / name, "{'text': ['one', 'two']}");
    const Outcome outcome = predict(std::string("--input ") + name);
    EXPECT_EQ(outcome.out, expected) << outcome.err;
  }
  ASSERT_EQ(run("cp t.parquet t.txt").status, 0);
  EXPECT_THAT(predict("--input t.txt").err, HasSubstr("t.txt is not text but a Parquet file"));
}

TEST_F(Predict, predicts_what_finetune_wrote_in_every_input_and_output_format) {
  train();
  const Table written = table_of(read_bytes(folder_ / "run/predictions.tsv"));
  const Outcome tsv = predict("--input data/test.tsv");
  ASSERT_EQ(tsv.status, 0) << tsv.err;
  const Table table = table_of(tsv.out);
  ASSERT_EQ(table.size(), written.size());
  EXPECT_EQ(table[0],
            (std::vector<std::string>{"id", "prediction", "probability:mesh", "probability:metal"}));
  for (std::size_t i = 1; i < table.size(); ++i) {
    EXPECT_EQ(table[i][0], written[i][0]);
    EXPECT_EQ(table[i][1], written[i][1]);
    EXPECT_NEAR(std::stod(table[i][2]), std::stod(written[i][3]), 1e-5);
  }

  std::string lines, objects, csv = "label,text\n";
  const Table rows = table_of(read_bytes(folder_ / "data/test.tsv"));
  std::vector<std::string> texts;
  for (std::size_t i = 1; i < rows.size(); ++i) {
    lines += rows[i][0] + "\n";
    objects += Json{{"text", rows[i][0]}, {"other", 1}}.dump() + "\n";
    csv += "x,\"" + rows[i][0] + "\"\n";
    texts.push_back(rows[i][0]);
  }
  write("l.txt", lines);
  write("o.jsonl", objects);
  write("c.csv", csv);
  auto file = hdf5::File::create(folder_ / "t.h5");
  file.write_strings("text", texts);
  file.close();
  EXPECT_EQ(predict("--input l.txt").out, tsv.out);
  EXPECT_EQ(predict("--input o.jsonl").out, tsv.out);
  EXPECT_EQ(predict("--input c.csv").out, tsv.out);
  EXPECT_EQ(predict("--input t.h5").out, tsv.out);
  EXPECT_EQ(run("cat l.txt | $nystrom predict --model run/checkpoints/best.h5 --set training.precision=fp32 "
                "--set run.threads=1 --input -")
                .out,
            tsv.out);

  const auto json = objects_of(predict("--input l.txt --format jsonl").out);
  ASSERT_EQ(json.size(), texts.size());
  EXPECT_EQ(json[5]["prediction"], table[6][1]);
  EXPECT_NEAR(json[5]["probabilities"]["mesh"].get<double>(), std::stod(table[6][2]), 1e-6);

  ASSERT_EQ(predict("--input l.txt --output out.h5").status, 0);
  const auto out = hdf5::File::open(folder_ / "out.h5");
  EXPECT_EQ(out.read_strings("labels"), (std::vector<std::string>{"mesh", "metal"}));
  const auto predictions = out.dataset("prediction"), probabilities = out.dataset("probabilities");
  ASSERT_EQ(predictions.rows(), texts.size());
  EXPECT_EQ(probabilities.shape(), (hdf5::Shape{texts.size(), 2}));
  std::vector<std::int32_t> classes(texts.size());
  predictions.read_rows<std::int32_t>(0, texts.size(), classes);
  for (std::size_t i = 0; i < texts.size(); ++i)
    EXPECT_EQ(classes[i] == 0 ? "mesh" : "metal", table[i + 1][1]);
}

TEST_F(Predict, reads_the_columns_that_training_read_and_no_others) {
  // `hypothesis`, `sentence2` and `index` are usual names of what this model has not.
  for (const char* name : {"data/train.tsv", "data/dev.tsv", "data/test.tsv"}) {
    std::string rows;
    for (const auto& row : table_of(read_bytes(folder_ / name)))
      rows += row[0] == "text" ? "hypothesis\tlabel\tsentence2\tindex\n"
                               : row[0] + "\t" + row[1] + "\tsix ten\tx7\n";
    write(name, rows);
  }
  train("--set task.columns.text=hypothesis");
  const Outcome outcome = predict("--input data/test.tsv");
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  expect_written(table_of(outcome.out), "run/predictions.tsv");
  EXPECT_THAT(predict("--input data/test.tsv --set task.columns.pair=sentence2").err,
              HasSubstr("was trained without a second text"));
  ASSERT_EQ(run("$nystrom convert --from run/checkpoints/best.h5 --to folder").status, 0);
  EXPECT_EQ(run("$nystrom predict --model folder --set training.precision=fp32 --set run.threads=1 --input "
                "data/test.tsv")
                .out,
            outcome.out);
}

TEST_F(Predict, a_model_of_pairs_refuses_input_without_the_second_text) {
  std::string single;
  for (const char* name : {"data/train.tsv", "data/dev.tsv", "data/test.tsv"}) {
    std::string rows;
    single.clear();
    for (const auto& row : table_of(read_bytes(folder_ / name))) {
      rows += (row[0] == "text" ? "pair" : "six ten") + ("\t" + row[0]) + "\t" + row[1] + "\n";
      single += row[0] + "\n";
    }
    write(name, rows);
  }
  train();
  const Outcome outcome = predict("--input data/test.tsv");
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  expect_written(table_of(outcome.out), "run/predictions.tsv");
  write("single.tsv", single);
  write("single.txt", single);
  write("single.conll", single);
  write("single.jsonl", "{\"text\": \"one\"}\n");
  for (const char* name : {"single.tsv", "single.txt", "single.jsonl"}) {
    const Outcome refused = predict(std::string("--input ") + name);
    EXPECT_EQ(refused.status, 2) << name;
    EXPECT_THAT(refused.err, HasSubstr("pair"));
  }
  EXPECT_THAT(predict("--input single.conll").err, HasSubstr("tags words"));
}

TEST_F(Predict, two_ranks_predict_as_one_and_a_directory_as_its_checkpoint) {
  train();
  const std::string one = predict("--input data/test.tsv").out;
  const Outcome two =
      run("mpirun --allow-run-as-root --oversubscribe -n 2 $nystrom predict --model run/checkpoints/best.h5 "
          "--set training.precision=fp32 --set run.threads=1 --input data/test.tsv");
  EXPECT_EQ(two.out, one) << two.err;
  ASSERT_EQ(run("$nystrom convert --from run/checkpoints/best.h5 --to folder").status, 0);
  EXPECT_EQ(run("$nystrom predict --model folder --set training.precision=fp32 --set run.threads=1 --input "
                "data/test.tsv")
                .out,
            one);
  ASSERT_EQ(run("$nystrom convert --from folder --to again.h5").status, 0);
  EXPECT_EQ(run("$nystrom predict --model again.h5 --set training.precision=fp32 --set run.threads=1 --input "
                "data/test.tsv")
                .out,
            one);
}

TEST_F(Predict, answers_a_line_of_a_pipe_before_the_next_one_comes) {
  train();
  const Outcome outcome =
      run("mkfifo in; timeout 60 $nystrom predict --model run/checkpoints/best.h5 --input - < in > answers & "
          "exec 3>in; echo 'one tin two' >&3; i=0; until [ $(cat answers 2>/dev/null | wc -l) -ge 2 ]; do "
          "sleep 0.1; i=$((i+1)); [ $i -lt 300 ] || exit 9; done; echo 'six net' >&3; exec 3>&-; wait; cat "
          "answers");
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(table_of(outcome.out).size(), 3U);
}

TEST_F(Predict, an_empty_input_gives_a_header_and_a_blank_line_an_answer) {
  train();
  write("none.txt", "");
  write("blank.txt", "\n\n");
  EXPECT_EQ(table_of(predict("--input none.txt").out).size(), 1U);
  EXPECT_EQ(table_of(predict("--input blank.txt").out).size(), 3U);
  for (const char* name : {"none.tsv", "none.csv"}) {
    write(name, "text\n");
    const Outcome outcome = predict(std::string("--input ") + name);
    EXPECT_EQ(outcome.status, 0) << name << outcome.err;
    EXPECT_EQ(table_of(outcome.out).size(), 1U);
  }
  for (const char* name : {"empty.tsv", "empty.csv"}) {
    write(name, "");
    EXPECT_THAT(predict(std::string("--input ") + name).err, HasSubstr("is empty"));
  }
}

TEST_F(Predict, blank_lines_of_one_column_are_texts_but_for_those_at_the_end) {
  train();
  // More than are read at once.
  write("one.tsv", "text\none tin\n\nsix net\n" + std::string(5000, '\n') + "ten\n\n\n");
  const Table table = table_of(predict("--input one.tsv").out);
  ASSERT_EQ(table.size(), 1U + 3 + 5000 + 1);
  EXPECT_EQ(table.back()[0], "5003");
  write("two.tsv", "text\tlabel\none tin\tmesh\n\nsix net\tmesh\n");
  EXPECT_EQ(table_of(predict("--input two.tsv").out).size(), 3U);
}

TEST_F(Predict, skips_and_counts_malformed_rows_on_request) {
  train();
  write("bad.tsv", "text\tlabel\none\ta\ntwo\nsix\ta\nten\n");
  EXPECT_EQ(predict("--input bad.tsv").status, 2);
  const Outcome outcome = predict("--input bad.tsv --set task.malformed=skip");
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(table_of(outcome.out).size(), 3U);
  EXPECT_THAT(outcome.err, HasSubstr("2 malformed lines of the input were skipped"));
  const Outcome tokens = predict("--input bad.tsv --task tokens --set task.malformed=skip");
  EXPECT_EQ(tokens.status, 0) << tokens.err;
  EXPECT_EQ(table_of(tokens.out).size(), 3U);
}

TEST_F(Predict, does_not_overwrite_its_input_or_a_directory) {
  train();
  const std::string before = read_bytes(folder_ / "data/test.tsv");
  std::filesystem::create_symlink("data/test.tsv", folder_ / "link.tsv");
  for (const char* output : {"data/test.tsv", "link.tsv", "run/checkpoints/best.h5", "data"}) {
    const Outcome outcome = predict(std::string("--input data/test.tsv --format tsv --output ") + output);
    EXPECT_EQ(outcome.status, 2) << output << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr("--output"));
  }
  EXPECT_EQ(read_bytes(folder_ / "data/test.tsv"), before);
  // Refused before the model is read.
  EXPECT_THAT(run("$nystrom predict --model missing --input data/test.tsv --output data").err,
              HasSubstr("is a directory"));
}

TEST_F(Predict, tags_words_of_lines_arrays_and_conll) {
  std::string rows;
  for (int i = 0; i < 60; ++i) rows += "one O\ntin B-X\nnet I-X\n\nten O\n\n";
  write("data/train.conll", rows);
  std::filesystem::remove(folder_ / "data/train.tsv");
  std::filesystem::remove(folder_ / "data/dev.tsv");
  std::filesystem::remove(folder_ / "data/test.tsv");
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
  // Words stand in the second column, and one has a blank in it.
  std::string rows, blanks;
  for (int i = 0; i < 30; ++i) rows += "1\tone two\tO\n2\ttin\tB-X\n\n3\tten\tO\n\n";
  for (const char* name : {"data/train.conll", "data/dev.conll", "data/test.conll"}) write(name, rows);
  for (const char* name : {"train", "dev", "test"})
    std::filesystem::remove(folder_ / (std::string("data/") + name + ".tsv"));
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
  for (const char* name : {"train", "dev", "test"})
    std::filesystem::remove(folder_ / (std::string("data/") + name + ".tsv"));
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
  for (const char* name : {"train", "dev", "test"})
    std::filesystem::remove(folder_ / (std::string("data/") + name + ".tsv"));
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
  for (const char* name : {"train", "dev", "test"})
    std::filesystem::remove(folder_ / (std::string("data/") + name + ".tsv"));
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
  for (const char* name : {"train", "dev", "test"})
    std::filesystem::remove(folder_ / (std::string("data/") + name + ".tsv"));
  train("--set task.kind=multiple_choice");
  const Table table = table_of(predict("--input data/dev.csv").out);
  ASSERT_EQ(table.size(), 21U);
  EXPECT_EQ(table[0].size(), 6U);
}

TEST_F(Predict, chooses_among_the_columns_that_training_chose_among) {
  std::string rows = "sent1,sent2,right,wrong,label\n";
  for (int i = 0; i < 20; ++i) rows += "one two,we,tin,net," + std::to_string(i % 2) + "\n";
  for (const char* name : {"data/train.csv", "data/dev.csv"}) write(name, rows);
  for (const char* name : {"train", "dev", "test"})
    std::filesystem::remove(folder_ / (std::string("data/") + name + ".tsv"));
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

TEST_F(Predict, the_ending_of_the_output_chooses_its_format) {
  train();
  write("l.txt", "one tin\nsix net ten\n");
  const std::string tsv = predict("--input l.txt").out;
  for (const char* name : {"a.tsv", "a.txt", "a"}) {
    ASSERT_EQ(predict(std::string("--input l.txt --output ") + name).status, 0);
    EXPECT_EQ(read_bytes(folder_ / name), tsv) << name;
  }
  std::string csv = tsv;
  std::ranges::replace(csv, '\t', ',');
  ASSERT_EQ(predict("--input l.txt --output a.csv").status, 0);
  EXPECT_EQ(read_bytes(folder_ / "a.csv"), csv);
  ASSERT_EQ(predict("--input l.txt --output a.jsonl").status, 0);
  ASSERT_EQ(predict("--input l.txt --output a.json").status, 0);
  const auto objects = objects_of(read_bytes(folder_ / "a.jsonl"));
  EXPECT_EQ(parse_json<Json>(read_bytes(folder_ / "a.json")), Json(objects));
  write("none.txt", "");
  ASSERT_EQ(predict("--input none.txt --output none.json").status, 0);
  EXPECT_EQ(parse_json<Json>(read_bytes(folder_ / "none.json")), Json::array());
  for (const char* name : {"a.npy", "a.parquet", "a.tsv.gz"}) {
    const Outcome outcome = predict(std::string("--input l.txt --output ") + name);
    EXPECT_EQ(outcome.status, 2) << name;
    EXPECT_THAT(outcome.err, HasSubstr("unknown ending"));
  }
  EXPECT_EQ(predict("--input l.txt --output a.out --format jsonl").status, 0);
  EXPECT_THAT(predict("--input l.txt --task embeddings --output v.csv").err, HasSubstr("not csv"));
}

TEST_F(Predict, an_output_that_exists_is_replaced_only_by_force) {
  train();
  write("l.txt", "one tin\n");
  for (const char* name : {"o.tsv", "o.csv", "o.json", "o.jsonl", "o.h5"}) {
    write(name, "before");
    const std::string rest = std::string("--input l.txt --output ") + name;
    const Outcome refused = predict(rest);
    EXPECT_EQ(refused.status, 2) << name;
    EXPECT_THAT(refused.err, HasSubstr("exists already"));
    EXPECT_EQ(read_bytes(folder_ / name), "before");
    EXPECT_EQ(predict(rest + " --force").status, 0);
    EXPECT_NE(read_bytes(folder_ / name), "before");
  }
}

TEST_F(Predict, pipes_and_links_are_written_through) {
  train();
  write("l.txt", "one tin\nsix net ten\n");
  const std::string tsv = predict("--input l.txt").out;
  const std::string command =
      "$nystrom predict --model run/checkpoints/best.h5 --set training.precision=fp32 --set run.threads=1 "
      "--input l.txt --output ";
  EXPECT_EQ(run("mkfifo pipe; timeout 60 cat pipe & timeout 60 " + command + "pipe; wait; test -p pipe").out,
            tsv);
  const Outcome device = run("ln -s /dev/null null; " + command + "null && test -L null && test -c null");
  EXPECT_EQ(device.status, 0) << device.err;
  EXPECT_EQ(run(command + "/dev/stdout | cat").out, tsv);
  EXPECT_EQ(run("ln -s /proc/self/fd/1 out; " + command + "out > printed; cat printed; test -L out").out,
            tsv);
  const Outcome linked = run("ln -s target.tsv link.tsv; " + command + "link.tsv && test -L link.tsv");
  EXPECT_EQ(linked.status, 0) << linked.err;
  EXPECT_EQ(read_bytes(folder_ / "target.tsv"), tsv);
  EXPECT_THAT(predict("--input l.txt --format hdf5 --output pipe").err, HasSubstr("needs a file"));
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

TEST_F(Predict, takes_token_ids_from_hdf5) {
  train();
  write("l.txt", "one tin\n");
  const std::string expected = predict("--input l.txt").out;
  const Tokenizer tokenizer = testing::letter_tokenizer();
  std::vector<std::int32_t> ids{tokenizer.special().bos};
  for (const std::int32_t id : tokenizer.encode("one tin")) ids.push_back(id);
  ids.push_back(tokenizer.special().eos);
  const auto length = ids.size();
  ids.resize(12, tokenizer.special().pad);
  std::vector<std::int32_t> mask(12);
  std::fill_n(mask.begin(), length, 1);
  auto file = hdf5::File::create(folder_ / "i.h5");
  file.create_dataset("input_ids", hdf5::Type::kI32, {1, 12}, {}).write_rows<std::int32_t>(0, 1, ids);
  file.create_dataset("input_mask", hdf5::Type::kI8, {1, 12}, {}).write_rows<std::int32_t>(0, 1, mask);
  file.close();
  EXPECT_EQ(predict("--input i.h5").out, expected);
  ids[1] = 100000;
  auto bad = hdf5::File::create(folder_ / "bad.h5");
  bad.create_dataset("input_ids", hdf5::Type::kI32, {1, 12}, {}).write_rows<std::int32_t>(0, 1, ids);
  bad.close();
  EXPECT_THAT(predict("--input bad.h5").err, HasSubstr("token id 100000"));
}

TEST_F(Predict, invalid_input_is_refused_with_a_sentence) {
  train();
  const auto refusal = [&](const std::string& rest) {
    const Outcome outcome = predict(rest);
    EXPECT_EQ(outcome.status, 2) << rest << outcome.err;
    return outcome.err;
  };
  write("no.tsv", "review\tstars\ngood\t1\n");
  EXPECT_THAT(refusal("--input no.tsv"), HasSubstr("no column `text`"));
  EXPECT_EQ(predict("--input no.tsv --set task.columns.text=review").status, 0);
  write("bad.jsonl", "{\"text\": \"one\"}\nnot json\n");
  EXPECT_THAT(refusal("--input bad.jsonl"), HasSubstr("line 2"));
  write("bad.tsv", "text\tlabel\none\ta\ntwo\n");
  EXPECT_THAT(refusal("--input bad.tsv"), HasSubstr("line 3"));
  EXPECT_THAT(refusal("--input missing.txt"), HasSubstr("missing.txt cannot be read"));
  EXPECT_THAT(refusal("--input no.tsv --format xml"), HasSubstr("tsv, csv, jsonl, json or hdf5"));
  EXPECT_THAT(refusal("--input no.tsv --input-format xml"), HasSubstr("--input-format"));
  EXPECT_THAT(refusal("--input no.tsv --task fill_mask"), HasSubstr("cannot fill masks"));
  EXPECT_THAT(refusal("--input no.tsv --format hdf5"), HasSubstr("--output"));
  EXPECT_THAT(refusal("--input no.tsv --set optimiser.kind=x"), HasSubstr("there is no key"));
  std::string longer = "text\n";
  for (int i = 0; i < 80; ++i) longer += "one two three ";
  write("long.tsv", longer + "\n");
  EXPECT_THAT(predict("--input long.tsv").err, HasSubstr("1 of 1 sequences had more than 64 tokens"));
}

}  // namespace
}  // namespace nystrom
