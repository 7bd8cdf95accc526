// Parquet and Arrow, as pyarrow writes them; what needs no pyarrow is tested without it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "arrow_files.h"
#include "corpus_folder.h"
#include "data/corpus/arrow_rows.h"
#include "data/corpus/corpus.h"
#include "kernels/core/check.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::made_folder;
using testing::write_arrow;
using testing::write_file;

struct Texts {
  std::vector<std::string> ids, paragraphs;
  Reasons skipped;
  std::int64_t replaced = 0;
};

Texts read_all(const fs::path& path, const std::string& field = "text") {
  const CorpusSpec spec{.kind = "parquet", .path = path.string(), .field = field};
  const CorpusListing listing = list_corpus(spec);
  const auto corpus = open_corpus(spec, {listing.files});
  Texts texts;
  for (RawDocument raw; corpus->next(raw);) {
    texts.ids.push_back(raw.id);
    for (auto& paragraph : corpus->extract(raw).paragraphs) texts.paragraphs.push_back(std::move(paragraph));
  }
  texts.skipped = corpus->skipped().documents;
  for (const auto& [reason, count] : listing.skipped.documents) texts.skipped[reason] += count;
  texts.replaced = corpus->skipped().repairs.invalid_bytes;
  return texts;
}

std::string refusal(const fs::path& path, const std::string& field = "text") {
  try {
    (void)read_all(path, field);
  } catch (const InputError& error) {
    return error.what();
  }
  return "not refused";
}

/// Another Python, for as long as it lives.
class OtherPython {
 public:
  explicit OtherPython(const fs::path& path) { ::setenv("NYSTROM_PYTHON", path.c_str(), 1); }
  ~OtherPython() { ::unsetenv("NYSTROM_PYTHON"); }
  OtherPython(const OtherPython&) = delete;
  OtherPython& operator=(const OtherPython&) = delete;
};

class Parquet : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!testing::has_pyarrow()) GTEST_SKIP() << "There is no pyarrow for python3.";
  }
};

TEST_F(Parquet, texts_of_a_column_are_documents_and_nulls_are_counted) {
  const auto folder = made_folder("rows");
  for (const char* type : {"pa.string()", "pa.large_string()", "pa.dictionary(pa.int32(), pa.string())"})
    for (const char* name : {"a.parquet", "a.arrow"}) {
      write_arrow(
          folder / name,
          std::string(
              "{'n': [1, 2, 3, 4, 5], 'body': pa.array(['one\\ntwo \u00e9', None, '', 'three\\0', 'four'], ") +
              type + ")}");
      const Texts texts = read_all(folder / name, "body");
      EXPECT_THAT(texts.paragraphs, ElementsAre("one", "two \u00e9", "three\uFFFD", "four")) << name << type;
      EXPECT_THAT(texts.ids,
                  ElementsAre(std::string(name) + ":1", std::string(name) + ":4", std::string(name) + ":5"));
      EXPECT_EQ(texts.skipped.at("null"), 1);
      EXPECT_EQ(texts.skipped.at("empty text"), 1);
    }
}

TEST_F(Parquet, invalid_utf_8_is_replaced_and_counted) {
  const auto folder = made_folder("bytes");
  write_arrow(folder / "a.arrow",
              "{'text': pa.Array.from_buffers(pa.string(), 2, pa.array([b'a \\xe9 b', b'c']).buffers())}");
  const Texts texts = read_all(folder / "a.arrow");
  EXPECT_THAT(texts.paragraphs, ElementsAre("a \uFFFD b", "c"));
  EXPECT_EQ(texts.replaced, 1);
}

TEST_F(Parquet, a_folder_that_datasets_saved_is_read_without_its_cache) {
  const auto folder = made_folder("saved");
  fs::create_directories(folder / "train");
  write_arrow(folder / "train/data-00000-of-00002.arrow", "{'text': ['one']}");
  write_arrow(folder / "train/data-00001-of-00002.arrow", "{'text': ['two']}");
  write_arrow(folder / "train/cache-1f.arrow", "{'text': ['one again']}");
  write_file(folder / "train/dataset_info.json", "{}");
  write_file(
      folder / "train/state.json",
      R"({"_data_files": [{"filename": "data-00000-of-00002.arrow"}, {"filename": "data-00001-of-00002.arrow"}]})");
  const Texts texts = read_all(folder / "train");
  EXPECT_THAT(texts.paragraphs, ElementsAre("one", "two"));
  EXPECT_EQ(texts.skipped.at("file of a data set's cache"), 1);
  fs::remove(folder / "train/data-00001-of-00002.arrow");
  EXPECT_THAT(refusal(folder / "train"),
              HasSubstr("train is incomplete: it lacks data-00001-of-00002.arrow"));
  write_file(folder / "dataset_dict.json", R"({"splits": ["train"]})");
  EXPECT_THAT(refusal(folder), HasSubstr("holds several splits of a data set; name the folder of one"));
}

TEST_F(Parquet, what_cannot_be_read_is_refused_with_file_and_column) {
  const auto folder = made_folder("bad");
  write_arrow(folder / "a.parquet", "{'body': ['x'], 'n': [1]}");
  EXPECT_THAT(refusal(folder / "a.parquet"),
              HasSubstr("a.parquet has no column `text`; it has `body`, `n`."));
  EXPECT_THAT(refusal(folder / "a.parquet", "n"),
              HasSubstr("a.parquet: the column `n` is of type int64; a text is"));
  EXPECT_THAT(refusal(write_file(folder / "b.parquet", "Text.\n")),
              HasSubstr("b.parquet is neither a Parquet file nor one of Arrow."));
}

TEST_F(Parquet, corrupt_files_are_read_or_refused_and_crash_nothing) {
  const auto folder = made_folder("corrupt");
  for (const char* name : {"a.parquet", "a.arrow"}) {
    write_arrow(folder / name, "{'text': ['word %d ' % i * 20 for i in range(50)]}");
    const std::string whole = testing::read_file(folder / name);
    EXPECT_THAT(refusal(write_file(folder / name, whole.substr(0, whole.size() / 2))), HasSubstr(name));
    for (std::size_t i = 0; i < 6; ++i) {
      std::string bytes = whole;
      for (std::size_t k = 0; k < 8; ++k)
        bytes[6 + (i * 7919 + k * k * 104729) % (bytes.size() - 6)] = static_cast<char>(0xFF - k);
      const std::string said = refusal(write_file(folder / name, bytes));
      EXPECT_TRUE(said == "not refused" || said.find(name) != std::string::npos) << said;
    }
  }
}

TEST_F(Parquet, a_reader_that_stops_early_leaves_no_child) {
  const auto folder = made_folder("early");
  write_arrow(folder / "a.parquet", "{'text': ['word ' * 1000 for i in range(1000)]}");
  const auto rows = arrow_rows(folder / "a.parquet", "text");
  char byte = 0;
  EXPECT_EQ(rows->read(&byte, 1), 1U);
  EXPECT_EQ(byte, '{');
}

TEST(ParquetWithoutPyarrow, is_refused_with_how_to_get_it) {
  const auto folder = made_folder("none");
  const std::string file = write_file(folder / "a.parquet", "PAR1");
  {
    const OtherPython none(folder / "nothing");
    EXPECT_THAT(refusal(file),
                HasSubstr("nothing cannot be run (No such file or directory). Install it (`python3 -m pip"));
  }
  const std::string script =
      write_file(folder / "python", "#!/bin/sh\necho No module named pyarrow >&2\nexit 4\n");
  fs::permissions(script, fs::perms::owner_all);
  {
    const OtherPython without(script);
    EXPECT_THAT(refusal(file), HasSubstr("python has none (No module named pyarrow"));
  }
  write_file(script, "#!/bin/sh\nkill -SEGV $$\n");
  const OtherPython crashes(script);
  EXPECT_THAT(refusal(file), HasSubstr("a.parquet makes pyarrow crash (Segmentation fault)"));
}

}  // namespace
}  // namespace nystrom
