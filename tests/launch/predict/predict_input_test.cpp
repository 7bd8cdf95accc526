// Input of `nystrom predict`: encodings, compression, Parquet, blank and malformed lines, token ids.

#include <gmock/gmock.h>

#include <algorithm>

#include "arrow_files.h"
#include "data/hdf5/hdf5_file.h"
#include "letter_tokenizer.h"
#include "predict_run.h"

namespace nystrom {
namespace {

using ::testing::HasSubstr;

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

TEST_F(Predict, reads_compressed_files_and_reports_what_to_do_with_a_compressed_pipe) {
  train();
  const std::string expected = predict("--input data/test.tsv").out;
  ASSERT_EQ(run("gzip -c data/test.tsv > t.tsv.gz && gzip -c t.tsv.gz > twice.gz").status, 0);
  EXPECT_EQ(predict("--input t.tsv.gz").out, expected);
  EXPECT_EQ(predict("--input t.tsv.gz --input-format tsv").out, expected);
  EXPECT_THAT(predict("--input twice.gz").err, HasSubstr("twice.gz is not text but compressed twice"));
  EXPECT_THAT(
      predict("--input - --input-format tsv < t.tsv.gz").err,
      HasSubstr("standard input is compressed, which is supported only for files. Decompress it first"));
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
  EXPECT_THAT(refusal("--input no.tsv --format xml"), HasSubstr("tsv, csv, jsonl, json, hdf5 or npy"));
  EXPECT_THAT(refusal("--input no.tsv --input-format xml"), HasSubstr("--input-format"));
  EXPECT_THAT(refusal("--input no.tsv --task fill_mask"), HasSubstr("cannot fill masks"));
  EXPECT_THAT(refusal("--input no.tsv --format hdf5"), HasSubstr("--output"));
  EXPECT_THAT(refusal("--input no.tsv --set optimiser.kind=x"), HasSubstr("unknown key"));
  std::string longer = "text\n";
  for (int i = 0; i < 80; ++i) longer += "one two three ";
  write("long.tsv", longer + "\n");
  EXPECT_THAT(predict("--input long.tsv").err, HasSubstr("1 of 1 sequences had more than 64 tokens"));
}

}  // namespace
}  // namespace nystrom
