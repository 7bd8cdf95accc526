#include "launch/cli/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "file_bytes.h"
#include "kernels/core/check.h"
#include "kernels/core/json.h"
#include "launch/setup/provenance.h"
#include "temporary_folder.h"

namespace nystrom {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using testing::read_bytes;
using testing::TemporaryFolder;

TEST(LogFile, has_dates_and_is_continued) {
  const TemporaryFolder at;
  for (const char* sentence : {"First.", "Second."}) {
    const Log log(0, at.path());
    log.warning(sentence);
  }
  const std::string date = "[0-9]+-[0-9]+-[0-9]+T[0-9]+:[0-9]+:[0-9]+[+-][0-9]+";
  EXPECT_THAT(read_bytes(at / "log.txt"),
              MatchesRegex(date + " warning: First.\n" + date + " warning: Second.\n"));
}

TEST(LogFile, waits_for_the_directory_and_makes_none) {
  const TemporaryFolder at;
  const std::string run = at / "run";
  const Log log(0, run);
  log.note("Before.");
  EXPECT_FALSE(std::filesystem::exists(run));
  std::filesystem::create_directory(run);
  log.note("After.");
  EXPECT_THAT(read_bytes(run + "/log.txt"), MatchesRegex("[^\n]*Before.\n[^\n]*After.\n"));
}

TEST(LogFile, is_of_rank_0_only) {
  const TemporaryFolder at;
  const Log log(1, at.path());
  log.note("Nobody reads this.");
  EXPECT_FALSE(std::filesystem::exists(at / "log.txt"));
}

TEST(LogFile, that_cannot_be_written_ends_nothing) {
  const TemporaryFolder at;
  std::filesystem::create_directory(at / "log.txt");
  const Log log(0, at.path());
  EXPECT_NO_THROW(log.note("Nobody reads this."));
}

TEST(Provenance, of_every_start_is_in_run_json_and_in_the_log) {
  const TemporaryFolder at;
  const Log log(0, at.path());
  const auto recorder = record_provenance(at.path(), log);
  RunInfo info;
  info.ranks = 2;
  recorder->started(info);
  info.first_step = 7;
  info.resumed_from = "step-6.h5";
  info.corpora = {{"books", 0.25, 12}};
  recorder->started(info);
  const auto starts = parse_json<nlohmann::json>(read_bytes(at / "run.json"));
  ASSERT_EQ(starts.size(), 2U);
  EXPECT_EQ(starts[0]["ranks"], 2);
  EXPECT_EQ(starts[1]["first_step"], 7);
  EXPECT_EQ(starts[1]["resumed_from"], "step-6.h5");
  EXPECT_TRUE(starts[0]["corpora"].empty());
  EXPECT_EQ(starts[1]["corpora"][0], (nlohmann::json{{"name", "books"}, {"share", 0.25}, {"sequences", 12}}));
  EXPECT_THAT(starts[0]["command"].at(0).get<std::string>(), HasSubstr("launch_test"));
  for (const char* key : {"date", "version", "host", "working_directory"})
    EXPECT_NE(starts[0][key].get<std::string>(), "") << key;
  EXPECT_EQ(starts[0]["libraries"].size(), 3U);
  EXPECT_THAT(read_bytes(at / "log.txt"), HasSubstr("2 ranks"));
}

TEST(Provenance, of_a_checkpoint_is_a_sentence_for_people) {
  const auto json = parse_json<nlohmann::json>(provenance_text(3));
  EXPECT_EQ(json["ranks"], 3);
  EXPECT_EQ(json["libraries"].size(), 3U);
  const std::string sentence = provenance_sentence(json.dump());
  EXPECT_THAT(sentence,
              HasSubstr(fmt::format("nystrom {} on {}, 3 ranks: ", json["version"].get<std::string>(),
                                    json["host"].get<std::string>())));
  EXPECT_THAT(sentence, HasSubstr("launch_test"));
  for (const char* other : {"", "{}", "[1]", "{\"version\": 1}", "no JSON"})
    EXPECT_EQ(provenance_sentence(other), "") << other;
}

TEST(Provenance, that_cannot_be_written_is_a_warning) {
  const TemporaryFolder at;
  std::filesystem::create_directory(at / "run.json");
  const Log log(0, at.path());
  EXPECT_NO_THROW(record_provenance(at.path(), log)->started({}));
  EXPECT_THAT(read_bytes(at / "log.txt"), HasSubstr("warning: "));
}

}  // namespace
}  // namespace nystrom
