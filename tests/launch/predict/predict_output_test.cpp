// Output of `nystrom predict`: formats by ending, files that exist, pipes and links.

#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>

#include "kernels/core/json.h"
#include "predict_run.h"

namespace nystrom {
namespace {

using ::testing::HasSubstr;

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
  for (const char* name : {"a.xls", "a.parquet", "a.tsv.gz"}) {
    const Outcome outcome = predict(std::string("--input l.txt --output ") + name);
    EXPECT_EQ(outcome.status, 2) << name;
    EXPECT_THAT(outcome.err, HasSubstr("unknown ending"));
  }
  EXPECT_EQ(predict("--input l.txt --output a.out --format jsonl").status, 0);
  EXPECT_THAT(predict("--input l.txt --task embeddings --output v.csv").err, HasSubstr("not csv"));
  EXPECT_THAT(predict("--input l.txt --output a.npy").err, HasSubstr("npy is for embeddings alone"));
  const Outcome vectors = predict("--input l.txt --task embeddings --output v.npy --size 8 --normalize");
  ASSERT_EQ(vectors.status, 0) << vectors.err;
  const std::string bytes = read_bytes(folder_ / "v.npy");
  EXPECT_TRUE(bytes.starts_with(std::string("\x93NUMPY\x01\x00\x76\x00", 10)));
  EXPECT_THAT(bytes, HasSubstr("'descr': '<f4', 'fortran_order': False, 'shape': (" +
                               std::to_string(objects.size()) + ", 8), }"));
  EXPECT_EQ(bytes.size(), 128 + objects.size() * 8 * sizeof(float));
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

}  // namespace
}  // namespace nystrom
