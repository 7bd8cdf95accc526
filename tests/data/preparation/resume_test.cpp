// A preparation that is killed, spread over ranks or split gives the same bytes as one that runs through.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <barrier>
#include <chrono>
#include <csignal>
#include <set>
#include <thread>

#include "data/shards/shard_reader.h"
#include "preparing.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;
using testing::contents;
using testing::differences;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::made_folder;
using testing::made_up_lines;
using testing::message_of;
using testing::small_options;
using testing::write_file;

TEST(Resume, an_interrupted_publication_is_finished) {
  const auto options = small_options(made_folder("prepare"));
  (void)prepare(options);
  const auto whole = contents(options.directory);
  // As if killed between the moves at the end.
  const fs::path directory = options.directory;
  fs::create_directories(directory / ".preparing");
  fs::rename(directory / "manifest.json", directory / ".preparing" / "manifest.json");
  fs::rename(directory / "validation", directory / ".preparing" / "validation");
  EXPECT_TRUE(prepare(options).already_done);
  EXPECT_THAT(differences(contents(options.directory), whole), IsEmpty());
}

TEST(Resume, what_a_kill_after_the_end_left_is_removed) {
  const auto options = small_options(made_folder("prepare"));
  (void)prepare(options);
  const auto whole = contents(options.directory);
  write_file(fs::path(options.directory) / ".preparing" / "drops" / "done", "");
  EXPECT_TRUE(prepare(options).already_done);
  EXPECT_THAT(differences(contents(options.directory), whole), IsEmpty());
}

TEST(Resume, an_unfinished_preparation_of_other_options_is_kept) {
  const auto options = small_options(made_folder("prepare"));
  write_file(fs::path(options.directory) / ".preparing" / "options.json",
             "{\"seed\": 2, \"staging_version\": 2}");
  const auto before = contents(options.directory);
  EXPECT_THAT(message_of(options), HasSubstr("unfinished preparation with other options"));
  EXPECT_THAT(differences(contents(options.directory), before), IsEmpty());
}

std::string refusal_of_check(const PrepareOptions& options) {
  try {
    (void)check_preparation(options);
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(Resume, a_check_reports_what_a_preparation_would_find_and_changes_nothing) {
  const fs::path folder = made_folder("prepare");
  const auto options = small_options(folder);
  const auto untouched = contents(folder.string());
  const PrepareStart fresh = check_preparation(options);
  EXPECT_FALSE(fresh.resumes || fresh.complete);
  ASSERT_EQ(fresh.sources.size(), options.corpora.size());
  EXPECT_GT(fresh.sources[0].files, 0);
  EXPECT_GT(fresh.sources[0].bytes, 0);
  EXPECT_THAT(differences(contents(folder.string()), untouched), IsEmpty());

  (void)prepare(options);
  const auto whole = contents(options.directory);
  EXPECT_TRUE(check_preparation(options).complete);
  EXPECT_THAT(differences(contents(options.directory), whole), IsEmpty());
}

TEST(Resume, a_check_refuses_as_the_preparation_does) {
  const auto options = small_options(made_folder("prepare"));
  auto missing = options, fractions = options, inside_a_file = options, evaluation = options;
  missing.corpora[0].path = "nowhere/*.txt";
  fractions.test_fraction = 1.5;
  evaluation.cleaning.decontaminate = {"nowhere/*.txt"};
  const fs::path file = fs::path(options.directory).parent_path() / "a-file";
  write_file(file, "");
  inside_a_file.directory = (file / "out").string();
  for (const auto& wrong : {missing, fractions, inside_a_file, evaluation}) {
    const std::string sentence = refusal_of_check(wrong);
    EXPECT_EQ(sentence, message_of(wrong));
    EXPECT_NE(sentence, "accepted");
  }
  write_file(fs::path(options.directory) / ".preparing" / "options.json",
             "{\"seed\": 2, \"staging_version\": 2}");
  EXPECT_EQ(refusal_of_check(options), message_of(options));
  fs::remove_all(options.directory);
  write_file(fs::path(options.directory) / "train" / "00000.h5", "");
  EXPECT_EQ(refusal_of_check(options), message_of(options));
  EXPECT_THAT(refusal_of_check(options), HasSubstr("holds train but no manifest.json"));
}

TEST(Resume, an_unfinished_preparation_of_another_version_is_kept) {
  const auto options = small_options(made_folder("prepare"));
  write_file(fs::path(options.directory) / ".preparing" / "options.json", "{}");  // 0.1.0 wrote no version
  const auto before = contents(options.directory);
  EXPECT_THAT(message_of(options), HasSubstr("unfinished preparation of another version"));
  EXPECT_THAT(differences(contents(options.directory), before), IsEmpty());
}

/// Runs prepare in a child process and kills it after `microseconds`; true if it exited before.
bool prepare_and_kill(const PrepareOptions& options, unsigned microseconds) {
  const pid_t child = ::fork();
  if (child == 0) {
    try {
      (void)prepare(options);
      ::_exit(0);
    } catch (...) {
      ::_exit(1);
    }
  }
  ::usleep(microseconds);
  ::kill(child, SIGKILL);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status) || WEXITSTATUS(status) == 0) << "it failed without being killed";
  return WIFEXITED(status);
}

/// Several parts, of each way of reading: files together, and one that all threads share.
PrepareOptions several_parts(const fs::path& folder) {
  auto options = small_options(folder);
  options.tokenizer.sample_bytes = 100000;
  options.shard_tokens = 100000;
  for (std::uint64_t i = 0; i < 2; ++i)
    write_file(folder / "more" / fmt::format("{}.txt", i), made_up_lines(3000, 10 + i));
  write_file(folder / "more" / "large.txt", made_up_lines(14000, 20));
  options.corpora.push_back({.kind = "lines", .path = (folder / "more").string()});
  return options;
}

TEST(Resume, killed_twenty_times_at_random_it_ends_with_the_same_bytes) {
  const auto folder = made_folder("prepare");
  auto options = several_parts(folder);
  options.cleaning.keep_dropped = true;
  options.cleaning.minimum_characters = 60;
  const auto begin = std::chrono::steady_clock::now();
  (void)prepare(options);
  const auto whole_time =
      std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - begin);
  const auto whole = contents(options.directory);
  options.directory = (folder / "killed").string();
  Random random(7, Purpose::kTest, 0);
  int kills = 0, ends = 0;
  while (kills < 20) {
    const auto wait = random.below(static_cast<std::uint64_t>(whole_time.count()) * 7 / 10 + 1000);
    if (!prepare_and_kill(options, static_cast<unsigned>(wait))) {
      ++kills;
      continue;
    }
    ++ends;
    ASSERT_THAT(differences(contents(options.directory), whole), IsEmpty()) << "after " << kills << " kills";
    fs::remove_all(options.directory);
  }
  (void)prepare(options);
  EXPECT_THAT(differences(contents(options.directory), whole), IsEmpty())
      << "after " << kills << " kills and " << ends << " ends";
}

TEST(Resume, a_source_that_changed_between_kill_and_resume_is_refused) {
  const auto folder = made_folder("prepare");
  const auto options = small_options(folder);
  for (unsigned wait = 1000; !fs::exists(fs::path(options.directory) / ".preparing" / "sources.json");
       wait += 500) {
    ASSERT_LT(wait, 1000000U);
    if (prepare_and_kill(options, wait)) fs::remove_all(options.directory);
  }
  auto text = testing::read_file(folder / "lines.txt");
  text[5] = text[5] == 'x' ? 'y' : 'x';
  write_file(folder / "lines.txt", text);
  EXPECT_THAT(message_of(options), ::testing::AllOf(HasSubstr("lines.txt"), HasSubstr("changed")));
  text.pop_back();
  write_file(folder / "lines.txt", text);
  EXPECT_THAT(message_of(options), HasSubstr("changed its size"));
}

TEST(Resume, ranks_share_all_items_by_their_sizes) {
  const std::vector<std::int64_t> sizes{1, 8, 3, 3, 1, 5, 0, 2, 4};  // 27 in all
  std::vector<int> times(sizes.size());
  for (int rank = 0; rank < 3; ++rank) {
    const auto share = PrepareGroup{.rank = rank, .ranks = 3}.share_of(sizes);
    ASSERT_EQ(share.size(), sizes.size());
    std::int64_t sum = 0;
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      if (share[i]) sum += sizes[i];
      times[i] += share[i] ? 1 : 0;
    }
    EXPECT_EQ(sum, 9) << rank;
  }
  EXPECT_EQ(times, std::vector<int>(sizes.size(), 1));
}

TEST(Resume, any_number_of_ranks_gives_the_same_bytes) {
  const auto folder = made_folder("prepare");
  auto options = several_parts(folder);
  (void)prepare(options);
  const auto whole = contents(options.directory);
  for (const int ranks : {2, 3}) {
    options.directory = (folder / fmt::format("ranks-{}", ranks)).string();
    std::barrier<> together(ranks);
    std::vector<std::jthread> threads;
    for (int rank = 0; rank < ranks; ++rank) {
      threads.emplace_back([&, rank] {
        auto mine = options;
        mine.group = {rank, ranks, [&together] { together.arrive_and_wait(); }};
        (void)prepare(mine);
      });
    }
    threads.clear();
    EXPECT_THAT(differences(contents(options.directory), whole), IsEmpty()) << ranks << " ranks";
  }
}

std::string wiki_dump(std::size_t pages, std::uint64_t seed) {
  Random random(seed, Purpose::kTest, 0);
  std::string dump = "<mediawiki><siteinfo><namespaces><namespace key=\"0\" /></namespaces></siteinfo>\n";
  for (std::size_t i = 0; i < pages; ++i) {
    dump += fmt::format("<page><title>Page {0}</title><ns>0</ns><id>{0}</id><revision><text>", i + 1);
    for (std::uint64_t n = 1 + random.below(30); n > 0; --n)
      dump += "\n\n'''The''' [[link|text]] {{x|y}}. " + testing::made_up_sentence(random);
    dump += "</text></revision></page>\n";
  }
  return dump + "</mediawiki>\n";
}

TEST(Pieces, a_dump_read_in_splits_equals_the_dump_read_as_a_whole) {
  const auto folder = made_folder("pieces");
  const auto dump = wiki_dump(1500, 4);
  ASSERT_GT(dump.size(), std::size_t{1} << 20U);
  const std::string half = dump.substr(0, dump.size() / 2), rest = dump.substr(dump.size() / 2);
  for (const auto& [name, content] : {std::pair{"dump.xml", dump},
                                      {"dump.xml.bz2", testing::bzip2(dump)},
                                      {"streams.xml.bz2", testing::bzip2(half) + testing::bzip2(rest)}}) {
    const CorpusSpec spec{.kind = "wikipedia", .path = write_file(folder / name, content)};
    std::vector<std::string> whole;
    const auto all = open_corpus(spec);
    for (RawDocument raw; all->next(raw);) whole.push_back(raw.id + raw.text);
    ASSERT_EQ(whole.size(), 1500U) << name;
    for (const std::int64_t step : {5003, 20011, 100003, 400009}) {
      if (content.size() > 40 * static_cast<std::size_t>(step)) continue;
      std::vector<std::string> pieces;
      const auto size = static_cast<std::int64_t>(content.size());
      for (std::int64_t begin = 0; begin < size; begin += step) {
        const auto end = begin + step < size ? begin + step : ByteStream::kNowhere;
        const auto corpus = open_corpus(spec, {{spec.path}, {begin, end}});
        for (RawDocument raw; corpus->next(raw);) pieces.push_back(raw.id + raw.text);
      }
      EXPECT_EQ(pieces, whole) << name << " in pieces of " << step;
    }
  }
}

/// Each document of a preparation as its side and the lengths of its sentences.
std::multiset<std::vector<std::int64_t>> documents_of(const PrepareOptions& options) {
  std::multiset<std::vector<std::int64_t>> all;
  for (const auto* split : {"train", "validation", "test"}) {
    const auto path = fs::path(options.directory) / split / "00000.h5";
    if (!fs::exists(path)) continue;
    const ShardReader reader(path.string());
    std::vector<std::int64_t> document(1, split[0]);
    std::uint64_t now = 0;
    reader.scan_sentences([&](std::uint64_t d, std::uint64_t, std::uint64_t first, std::uint64_t end) {
      if (d != now) all.insert(std::exchange(document, {split[0]}));
      now = d;
      document.push_back(static_cast<std::int64_t>(end - first));
    });
    all.insert(document);
  }
  return all;
}

TEST(Pieces, two_sources_prepared_separately_equal_both_prepared_together) {
  const auto folder = made_folder("alone");
  auto options = small_options(folder);
  (void)prepare(options);
  options.tokenizer.path =
      write_file(folder / "given.model", testing::read_file(fs::path(options.directory) / "tokenizer.model"));
  options.shard_tokens = 1 << 20;
  const auto documents = [&](const std::string& name, std::vector<CorpusSpec> corpora) {
    auto mine = options;
    mine.corpora = std::move(corpora);
    mine.directory = (folder / name).string();
    (void)prepare(mine);
    return documents_of(mine);
  };
  const CorpusSpec first = options.corpora[0],
                   second{.kind = "lines", .path = write_file(folder / "other.txt", made_up_lines(500, 77))};
  auto alone = documents("a", {first});
  alone.merge(documents("b", {second}));
  EXPECT_EQ(alone.size(), 1100U);
  EXPECT_EQ(documents("both", {first, second}), alone);
}

}  // namespace
}  // namespace nystrom
