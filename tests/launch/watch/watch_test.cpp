// `nystrom watch`: what paths are answered with, and what a terminal shows.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "file_bytes.h"
#include "kernels/core/check.h"
#include "launch/watch/live_pages.h"
#include "launch/watch/terminal_view.h"
#include "temporary_folder.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::TemporaryFolder;
using testing::write_bytes;

class Watch : public ::testing::Test {
 protected:
  void make_run(const std::string& name, int steps = 40) const {
    fs::create_directories(folder_ / name);
    std::string metrics;
    for (int step = 1; step <= steps; ++step)
      metrics +=
          fmt::format("{{\"step\": {}, \"loss\": {}, \"tokens_per_second\": 1000.0, \"seconds\": {}}}\n",
                      step, 9.0 - step / 10.0, step);
    write_bytes(folder_ / (name + "/metrics.jsonl"), metrics);
    write_bytes(folder_ / (name + "/config.yaml"), "training: {steps: 80}\n");
  }
  static LiveAnswer get(LivePages& pages, const std::string& path, const std::string& tag = "") {
    return pages.answer({.path = path, .host = "localhost:8501", .tag = tag});
  }

  TemporaryFolder folder_;
};

TEST_F(Watch, a_run_is_the_page_itself) {
  make_run("a");
  WatchedRuns runs(folder_ / "a");
  LivePages pages(runs, true);
  const LiveAnswer page = get(pages, "/");
  EXPECT_EQ(page.status, 200);
  EXPECT_THAT(page.body, HasSubstr("data-source=\"/content\""));
  EXPECT_THAT(page.body, Not(HasSubstr("<style")));  // the policy allows only those of this server
  const LiveAnswer content = get(pages, "/content");
  EXPECT_THAT(content.body, HasSubstr("<figure id=\"curve-loss\">"));
  EXPECT_THAT(content.body, HasSubstr("40 of 80"));
  EXPECT_THAT(get(pages, "/watch.js").type, HasSubstr("javascript"));
  EXPECT_THAT(get(pages, "/watch.css").body, HasSubstr("prefers-color-scheme"));
}

TEST_F(Watch, content_follows_the_files_and_is_not_sent_twice) {
  make_run("a");
  WatchedRuns runs(folder_ / "a");
  LivePages pages(runs, true);
  const LiveAnswer first = get(pages, "/content");
  ASSERT_FALSE(first.tag.empty());
  const LiveAnswer same = get(pages, "/content", first.tag);
  EXPECT_EQ(same.status, 304);
  EXPECT_EQ(same.body, "");
  std::ofstream(folder_ / "a/metrics.jsonl", std::ios::app) << "{\"step\": 41, \"loss\": 1}\n";
  const LiveAnswer later = get(pages, "/content", first.tag);
  EXPECT_EQ(later.status, 200);
  EXPECT_THAT(later.body, HasSubstr("41 of 80"));
}

TEST_F(Watch, a_directory_of_runs_is_a_list) {
  make_run("runs/a");
  make_run("runs/b <i>");
  fs::create_directories(folder_ / "runs/no run");
  WatchedRuns runs(folder_ / "runs");
  EXPECT_THAT(runs.names(), ElementsAre("a", "b <i>"));
  LivePages pages(runs, true);
  const LiveAnswer list = get(pages, "/content");
  EXPECT_THAT(list.body, HasSubstr("<a href=\"/run/a\">a</a>"));
  EXPECT_THAT(list.body, HasSubstr("<a href=\"/run/b%20%3Ci%3E\">b &lt;i&gt;</a>"));
  EXPECT_THAT(list.body, HasSubstr("40 of 80"));
  EXPECT_THAT(get(pages, "/run/b <i>").body, HasSubstr("data-source=\"/run/b%20%3Ci%3E/content\""));
  EXPECT_THAT(get(pages, "/run/a/content").body, HasSubstr("curve-loss"));
}

TEST_F(Watch, the_list_has_the_best_score_of_a_task_or_the_latest_loss) {
  make_run("runs/a");
  std::ofstream(folder_ / "runs/a/metrics.jsonl", std::ios::app)
      << "{\"step\": 40, \"validation_loss\": 1.5}\n{\"step\": 41, \"validation_loss\": 2.5}\n";
  make_run("runs/b");
  write_bytes(
      folder_ / "runs/b/evaluations.json",
      R"([{"step": 4, "epoch": 1, "training_loss": 1.0, "validation_loss": null, "scores": {"validation": {"accuracy": 0.875}}},)"
      R"( {"step": 8, "epoch": 2, "training_loss": 1.0, "validation_loss": null, "scores": {"validation": {"accuracy": 0.5}}}])");
  WatchedRuns runs(folder_ / "runs");
  LivePages pages(runs, true);
  const std::string list = get(pages, "/content").body;
  EXPECT_THAT(list, HasSubstr(">2.5</td>"));
  EXPECT_THAT(list, HasSubstr(">accuracy 0.875</td>"));
}

TEST_F(Watch, nothing_outside_of_the_directory_is_shown) {
  make_run("runs/a");
  make_run("secret");
  fs::create_directory_symlink(folder_ / "secret", folder_ / "runs/link");
  WatchedRuns runs(folder_ / "runs");
  LivePages pages(runs, true);
  for (const char* path :
       {"/run/../secret", "/run/..", "/run/../secret/content", "/run/link", "/run/link/content", "/run/a/..",
        "/run/", "/run/.", "/run//", "//", "/../secret", "/metrics.jsonl", "/run/a/metrics.jsonl",
        "/run/a/config.yaml", "/etc/passwd", "/run/a\0"})
    EXPECT_EQ(get(pages, path).status, std::string(path) == "/run/a" ? 200 : 404) << path;
  EXPECT_EQ(get(pages, std::string("/run/a\0b", 8)).status, 404);
}

TEST_F(Watch, on_loopback_other_names_of_this_machine_are_refused) {
  make_run("a");
  WatchedRuns runs(folder_ / "a");
  LivePages local(runs, true), open(runs, false);
  for (const char* host :
       {"evil.example", "evil.example:8501", "localhost.evil.example", "", "127.0.0.1.evil.example:8501"}) {
    EXPECT_EQ(local.answer({.path = "/content", .host = host, .tag = ""}).status, 403) << host;
    EXPECT_EQ(open.answer({.path = "/content", .host = host, .tag = ""}).status, 200) << host;
  }
  for (const char* host : {"localhost", "localhost:1", "127.0.0.1:8501", "[::1]:8501", "[::1]"})
    EXPECT_EQ(local.answer({.path = "/content", .host = host, .tag = ""}).status, 200) << host;
  EXPECT_TRUE(is_loopback("127.0.0.1"));
  EXPECT_FALSE(is_loopback("0.0.0.0"));
  EXPECT_FALSE(is_loopback("192.168.1.2"));
}

TEST_F(Watch, a_directory_that_does_not_exist_is_refused) {
  EXPECT_THROW(WatchedRuns(folder_ / "absent"), InputError);
}

TEST(Sparkline, shows_the_course) {
  Series series;
  EXPECT_EQ(sparkline(series, 10), "");
  for (int step = 1; step <= 8; ++step) series.add(step, step);
  EXPECT_EQ(sparkline(series, 8), "▁▂▃▄▅▆▇█");
  EXPECT_EQ(sparkline(series, 80), "▁▂▃▄▅▆▇█");
  EXPECT_EQ(sparkline(series, 2), "▁█");
}

TEST_F(Watch, the_terminal_shows_state_steps_and_losses) {
  make_run("a");
  write_bytes(folder_ / "a/lock", "");
  WatchedRun run(folder_ / "a");
  const std::string view = terminal_view(run.look(), "rank 0 works\n", 80);
  EXPECT_THAT(view, HasSubstr("state        running\n"));
  EXPECT_THAT(view, HasSubstr("40 of 80 (50\u00a0%)   0:40   0:40 left   1,000 tokens/s\n"));
  EXPECT_THAT(view, HasSubstr("loss         5         █"));
  EXPECT_THAT(view, HasSubstr("\nrank 0 works\n"));
  EXPECT_THAT(view, Not(HasSubstr("\x1b")));
}

TEST_F(Watch, the_terminal_lists_runs) {
  make_run("runs/a");
  make_run("runs/longer", 80);
  std::vector<ReportedRun> runs;
  for (const char* name : {"a", "longer"}) {
    runs.push_back(read_end_of_run(folder_ / (std::string("runs/") + name)));
    runs.back().label = name;
  }
  const std::string list = terminal_list(runs);
  EXPECT_THAT(list, HasSubstr("a       stopped  40 of 80 (50\u00a0%)"));
  EXPECT_THAT(list, HasSubstr("longer  done     80 of 80 (100\u00a0%)"));
}

}  // namespace
}  // namespace nystrom
