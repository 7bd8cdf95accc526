// `nystrom predict` with fine-tuned models, as a user runs it.

#include <gmock/gmock.h>

#include "data/hdf5/hdf5_file.h"
#include "predict_run.h"

namespace nystrom {
namespace {

using ::testing::HasSubstr;

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

}  // namespace
}  // namespace nystrom
