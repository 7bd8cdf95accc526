// What a preparation leaves out.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "data/preparation/contamination.h"
#include "data/preparation/minhash.h"
#include "kernels/core/check.h"
#include "kernels/core/json.h"
#include "preparing.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using testing::made_folder;
using testing::made_up_lines;
using testing::manifest;
using testing::small_options;
using testing::write_file;

std::vector<std::string> dropped_reasons(const PrepareOptions& options) {
  std::vector<std::string> reasons;
  std::istringstream lines(testing::read_file(fs::path(options.directory) / "dropped.jsonl"));
  for (std::string line; std::getline(lines, line);)
    reasons.push_back(parse_json<nlohmann::json>(line)["reason"]);
  std::sort(reasons.begin(), reasons.end());
  return reasons;
}

TEST(Cleaning, duplicates_are_dropped_across_sources_and_counted) {
  const auto folder = made_folder("copies");
  auto options = small_options(folder);
  Random random(9, Purpose::kTest, 0);
  std::string paragraph;
  for (int i = 0; i < 3; ++i) paragraph += testing::made_up_sentence(random) + " ";
  const auto first = testing::made_up_sentence(random), other = testing::made_up_sentence(random);
  write_file(folder / "copy.txt", paragraph + "\n\n" + first + "\n\n" + paragraph + "\n");
  write_file(folder / "line.txt", other + "\n" + paragraph + "\n" + other + "\nok.\n");
  options.corpora.push_back({.kind = "books", .path = (folder / "copy.txt").string()});
  options.corpora.push_back({.kind = "lines", .path = (folder / "line.txt").string()});
  options.cleaning.keep_dropped = true;
  options.cleaning.minimum_characters = 10;
  (void)prepare(options);
  const auto json = manifest(options);
  EXPECT_EQ(json["sources"][2]["paragraphs_dropped"]["duplicate paragraphs"], 1) << "inside one document";
  const auto& lines = json["sources"][3];
  EXPECT_EQ(lines["documents"], 1);
  EXPECT_EQ(lines["documents_dropped"]["duplicate documents"], 1);
  EXPECT_EQ(lines["documents_dropped"]["too short"], 1);
  EXPECT_EQ(lines["documents_dropped"]["no text left"], 1) << "its only paragraph stands in the book";
  EXPECT_THAT(dropped_reasons(options), ::testing::ElementsAre("duplicate documents", "duplicate paragraphs",
                                                               "duplicate paragraphs", "too short"));
  for (const auto& source : json["sources"]) {
    std::int64_t sum = source["characters"]["kept"];
    for (const auto& [reason, count] : source["characters"]["dropped"].items())
      sum += count.get<std::int64_t>();
    EXPECT_EQ(sum, source["characters"]["in"]);
  }
}

TEST(Cleaning, duplicates_are_kept_on_request) {
  const auto folder = made_folder("copies");
  auto options = small_options(folder);
  const auto lines = made_up_lines(40, 3);
  options.corpora = {{.kind = "lines", .path = write_file(folder / "l.txt", lines + lines)}};
  options.cleaning.duplicate_documents = options.cleaning.duplicate_paragraphs = false;
  (void)prepare(options);
  EXPECT_EQ(manifest(options)["sources"][0]["documents"], 80);
}

TEST(Cleaning, near_duplicates_go_where_that_is_asked_for) {
  const auto folder = made_folder("near");
  auto options = small_options(folder);
  std::string text;
  for (const auto& sentence : testing::made_up_sentences(120, 31)) text += sentence + " ";
  auto changed = text;
  changed.replace(changed.find("miller"), 6, "writer");
  options.corpora = {
      {.kind = "lines",
       .path = write_file(folder / "l", made_up_lines(100, 5) + text + "\n" + changed + "\n")}};
  (void)prepare(options);
  EXPECT_EQ(manifest(options)["sources"][0]["documents"], 102);
  options.directory = (folder / "without").string();
  options.cleaning.near_duplicates = true;
  (void)prepare(options);
  EXPECT_EQ(manifest(options)["sources"][0]["documents_dropped"]["near duplicates"], 1);
}

TEST(Cleaning, documents_that_share_thirteen_words_with_evaluation_files_go_and_are_listed) {
  const auto folder = made_folder("evaluation");
  auto options = small_options(folder);
  const std::string secret = "one two three four five six seven eight nine ten eleven twelve thirteen";
  options.corpora = {
      {.kind = "lines",
       .path = write_file(folder / "l.txt", made_up_lines(100, 5) + "It says: " + secret +
                                                ", fourteen.\nOne two three four five six seven eight nine "
                                                "ten eleven twelve, no more.\n")}};
  options.cleaning.decontaminate = {write_file(folder / "test.tsv", "id\ttext\n1\tZero, " + secret + "!\n")};
  (void)prepare(options);
  EXPECT_EQ(manifest(options)["sources"][0]["documents_dropped"]["shared with evaluation files"], 1);
  EXPECT_EQ(testing::read_file(fs::path(options.directory) / "contaminated.tsv"), "lines\tl.txt:101\n");
}

TEST(MinHash, similar_documents_share_bands_and_others_do_not) {
  const auto bands_of = [](const std::vector<std::string>& sentences) {
    return minhash_bands({{.sentences = sentences}});
  };
  const auto share = [](const auto& a, const auto& b) {
    for (std::size_t i = 0; i < a.size(); ++i) {
      if (a[i] == b[i]) return 1;
    }
    return 0;
  };
  int near = 0, far = 0;
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    auto sentences = testing::made_up_sentences(100, seed);
    const auto a = bands_of(sentences), other = bands_of(testing::made_up_sentences(100, seed + 1000));
    sentences[50] = "Something else stands here now.";
    near += share(a, bands_of(sentences));
    far += share(a, other);
  }
  EXPECT_GE(near, 39);
  EXPECT_EQ(far, 0);
  EXPECT_TRUE(bands_of({"Four words are short."}).empty());
}

// Chinese, Thai: a copy inside other text, with other punctuation.
TEST(Cleaning, copies_of_text_without_blanks_are_found) {
  const auto folder = made_folder("evaluation");
  auto options = small_options(folder);
  const std::string secret = "\u5929\u5730\u7384\u9ec4\u5b87\u5b99\u6d2a\u8352\u65e5\u6708\u76c8\u6603\u8fb0";
  const std::string thai =
      "\u0e17\u0e35\u0e48\u0e19\u0e35\u0e48\u0e21\u0e35\u0e1b\u0e25\u0e32"
      "\u0e43\u0e19\u0e19\u0e49\u0e33\u0e21\u0e32\u0e01\u0e40\u0e01\u0e34\u0e19";
  options.corpora = {
      {.kind = "lines",
       .path = write_file(folder / "l.txt", made_up_lines(100, 5) + "\u5b83\u8bf4\uff1a" + secret +
                                                "\u5217\u5bbf\u3002\n\u0e04\u0e33" + thai +
                                                "\u0e04\u0e33\n\u5929\u5730\u7384\u9ec4\u3002\n")}};
  options.cleaning.decontaminate = {
      write_file(folder / "test.tsv", "1\t\u554a" + secret + "\uff01\n2\t\u0e01" + thai + "\u0e02\n")};
  (void)prepare(options);
  EXPECT_EQ(manifest(options)["sources"][0]["documents_dropped"]["shared with evaluation files"], 2);
}

TEST(MinHash, characters_of_scripts_without_blanks_are_words) {
  const auto words = [](std::string_view text) {
    std::vector<std::uint64_t> hashes;
    append_word_hashes(text, hashes);
    return hashes;
  };
  EXPECT_EQ(words("\u5929\u5730\u3002\u4eba").size(), 3U);
  EXPECT_EQ(words("\u5929\u5730\u3002\u4eba"), words("\u5929\uff0c \u5730\u4eba"));
  EXPECT_EQ(words("\u5929Word\u5730 caf\u00e9"), words("\u5929 word \u5730 caf\u00e9"));
  EXPECT_EQ(words("\u0e17\u0e35\u0e48\u0e19\u0e35\u0e48").size(), 2U) << "marks belong to their letters";
  EXPECT_EQ(words("\u201cquoted\u201d \u0939\u093f\u0928\u094d\u0926\u0940").size(), 2U) << "as before";
  EXPECT_EQ(words("\ud55c\uad6d\uc5b4 \ub9d0").size(), 2U) << "Korean has blanks";
}

TEST(Wikipedia, pages_that_are_not_prose_are_dropped_by_option) {
  const auto folder = made_folder("pages");
  const auto page = [](const std::string& title, const std::string& text) {
    return "<page><title>" + title + "</title><ns>0</ns><id>1</id><revision><text>" + text +
           "</text></revision></page>";
  };
  CorpusSpec spec{.kind = "wikipedia",
                  .path = write_file(folder / "d.xml",
                                     "<mediawiki>" + page("A", "Text. {{disambiguation}}") +
                                         page("B (disambiguation)", "Text.") + page("List of C", "Text.") +
                                         page("D", "Text. {{geo-stub}}") + page("E", "Text."))};
  const auto count = [&spec] {
    const auto corpus = open_corpus(spec);
    int documents = 0;
    for (RawDocument raw; corpus->next(raw);) ++documents;
    return documents;
  };
  EXPECT_EQ(count(), 5);
  spec.drop_disambiguation = true;
  EXPECT_EQ(count(), 3);
  spec.drop_lists = spec.drop_stubs = true;
  EXPECT_EQ(count(), 1);
}

TEST(Decontamination, evaluation_files_that_are_not_text_are_refused) {
  const auto folder = made_folder("no-evaluation");
  try {
    (void)EvaluationText({write_file(folder / "test.parquet", "PAR1 and so on")});
    FAIL() << "no error";
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("test.parquet is not text but a Parquet file"));
  }
}

}  // namespace
}  // namespace nystrom
