#include "data/glob.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "corpus_folder.h"
#include "kernels/core/check.h"
#include "kernels/core/sha256.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;

using ::testing::ElementsAre;
using testing::made_folder;

void touch(const fs::path& path) {
  std::ofstream(path) << "x";
}

TEST(Glob, matches_are_sorted_by_bytes_not_by_locale) {
  const auto folder = made_folder("glob-order");
  for (const auto* name : {"b.txt", "B.txt", "a.txt", "10.txt", "9.txt", "a.md"}) touch(folder / name);
  std::vector<std::string> names;
  for (const auto& path : expand_glob((folder / "*.txt").string()))
    names.push_back(fs::path(path).filename());
  EXPECT_EQ(names, (std::vector<std::string>{"10.txt", "9.txt", "B.txt", "a.txt", "b.txt"}));
}

TEST(Glob, a_name_with_brackets_is_itself) {
  const auto folder = made_folder("glob-brackets");
  touch(folder / "page[1].txt");
  EXPECT_EQ(expand_glob((folder / "page[1].txt").string()).size(), 1U);
  EXPECT_TRUE(expand_glob((folder / "page[2].txt").string()).empty());
}

TEST(Glob, a_pattern_without_match_is_refused_by_key_and_pattern) {
  try {
    (void)expand_globs({"/nonexistent/*.h5"}, "data.shards");
    FAIL();
  } catch (const InputError& error) {
    EXPECT_NE(std::string(error.what()).find("data.shards"), std::string::npos);
    EXPECT_NE(std::string(error.what()).find("/nonexistent/*.h5"), std::string::npos);
  }
}

TEST(Glob, a_file_matched_twice_is_listed_once) {
  const auto folder = made_folder("glob-twice");
  touch(folder / "one.h5");
  EXPECT_EQ(expand_globs({(folder / "*.h5").string(), (folder / "one.h5").string()}, "data.shards").size(),
            1U);
}

TEST(Glob, parts_of_a_path_that_exist_are_themselves) {
  const auto folder = made_folder("glob-parts");
  fs::create_directories(folder / "runs [1]/a*b");
  fs::create_directories(folder / "runs 1");
  for (const char* name : {"runs [1]/x.h5", "runs [1]/a*b/y.h5", "runs 1/z.h5"}) touch(folder / name);
  const std::string at = folder.string();
  EXPECT_THAT(expand_glob(at + "/runs [1]/*.h5"), ElementsAre(at + "/runs [1]/x.h5"));
  EXPECT_THAT(expand_glob(at + "/runs*/a*b/*.h5"), ElementsAre(at + "/runs [1]/a*b/y.h5"));
  EXPECT_THAT(expand_glob(at + "/runs [12]/*.h5"), ElementsAre(at + "/runs 1/z.h5"));
  EXPECT_THAT(expand_glob(at + "//runs [1]//"), ElementsAre(at + "//runs [1]//"));
  EXPECT_THAT(expand_glob("/"), ElementsAre("/"));
  EXPECT_THAT(expand_glob(""), ::testing::IsEmpty());
}

TEST(Glob, names_of_hidden_files_and_backups_are_known) {
  for (const char* name : {".x", "a/.DS_Store", "x.txt~", "#x#", "a/.x.txt.swp"})
    EXPECT_TRUE(is_left_over(name)) << name;
  for (const char* name : {"x", "a.b/x.txt", "#x", "x#", "~x", "#"}) EXPECT_FALSE(is_left_over(name)) << name;
}

TEST(Glob, files_below_a_folder_are_sorted_by_path) {
  const auto folder = made_folder("glob-below");
  fs::create_directories(folder / "b");
  touch(folder / "b" / "1");
  touch(folder / "a");
  touch(folder / "c");
  const auto files = files_below(folder.string());
  ASSERT_EQ(files.size(), 3U);
  EXPECT_EQ(files[1], (folder / "b" / "1").string());
}

TEST(Sha256, equals_the_published_example) {
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

}  // namespace
}  // namespace nystrom
