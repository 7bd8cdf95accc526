#include "trainer/metrics/report_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <sstream>
#include <thread>

#include "file_bytes.h"
#include "kernels/core/json.h"
#include "temporary_folder.h"

namespace nystrom {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::read_bytes;
using testing::TemporaryFolder;

class ReportCommandTest : public ::testing::Test {
 protected:
  ReportCommandTest() { std::signal(SIGPIPE, SIG_IGN); }  // as main() does

  [[nodiscard]] ReportCommandOptions options(const std::string& command) {
    return {.command = "cd '" + folder_.path() + "' && " + command,
            .about = R"("run": "my \"run\"", "configuration": {"seed": 3})",
            .warn = [this](const std::string& sentence) { warnings_.push_back(sentence); }};
  }
  [[nodiscard]] std::vector<nlohmann::json> lines() const {
    std::vector<nlohmann::json> all;
    std::istringstream text(read_bytes(folder_ / "out"));
    for (std::string line; std::getline(text, line);) all.push_back(parse_json<nlohmann::json>(line));
    return all;
  }
  static RunInfo info(std::int64_t first_step) {
    RunInfo info;
    info.first_step = first_step, info.steps = 4, info.parameters = 99;
    return info;
  }
  static StepReport step(std::int64_t number) {
    StepReport report;
    report.step = number, report.steps = 4;
    report.losses = {.loss = 2.5, .terms = {{.name = "mlm", .loss = 2, .accuracy = 0.25, .labels = 8}}};
    return report;
  }

  TemporaryFolder folder_;
  std::vector<std::string> warnings_;
};

constexpr auto kSoon = 30s;  // of a machine with other work

TEST_F(ReportCommandTest, reads_every_report_as_a_line_of_json) {
  {
    ReportCommand sink(options("cat > out"));
    sink.started(info(1));
    sink.step(step(1));
    sink.validated({.step = 1, .losses = {.loss = 3, .terms = {}}, .seconds = 1, .scores = {{"f1", 0.5}}});
    sink.saved({.step = 1, .path = "a\"b.h5", .bytes = 7});
    sink.warning("a \\ and\na line");
    sink.rolled_back(0);
    sink.finished(StopReason::kStopped);
  }
  const auto all = lines();
  std::vector<std::string> events;
  for (const auto& line : all) events.push_back(line["event"]);
  ASSERT_THAT(events, ElementsAre("start", "step", "validation", "checkpoint", "warning", "rollback", "end"));
  EXPECT_EQ(all[0]["run"], "my \"run\"");
  EXPECT_EQ(all[0]["configuration"]["seed"], 3);
  EXPECT_EQ(all[0]["parameters"], 99);
  EXPECT_EQ(all[1]["mlm_loss"], 2);
  EXPECT_EQ(all[2]["validation_f1"], 0.5);
  EXPECT_EQ(all[3]["path"], "a\"b.h5");
  EXPECT_EQ(all[4]["text"], "a \\ and\na line");
  EXPECT_EQ(all[6]["reason"], "stopped");
  EXPECT_THAT(warnings_, IsEmpty());
}

TEST_F(ReportCommandTest, hears_of_a_run_that_failed) {
  {
    ReportCommand sink(options("cat > out"));
    sink.started(info(1));
  }
  ASSERT_EQ(lines().size(), 2U);
  EXPECT_EQ(lines()[1]["reason"], "failed");
}

TEST_F(ReportCommandTest, is_not_started_where_nothing_is_left_to_train) {
  ReportCommand sink(options("touch out"));
  sink.started(info(5));
  sink.step(step(4));
  sink.finished(StopReason::kDone);
  std::this_thread::sleep_for(50ms);
  EXPECT_EQ(read_bytes(folder_ / "out"), "");
}

TEST_F(ReportCommandTest, that_ends_early_is_reported_once_and_the_run_continues) {
  {
    ReportCommand sink(options("read line; exit 3"));
    sink.started(info(1));
    const auto end = std::chrono::steady_clock::now() + kSoon;
    while (warnings_.empty() && std::chrono::steady_clock::now() < end) {
      sink.step(step(1));
      std::this_thread::sleep_for(5ms);
    }
    for (int i = 0; i < 100; ++i) sink.step(step(2));
  }
  EXPECT_THAT(warnings_, ElementsAre(HasSubstr("closed its input"), HasSubstr("ended with status 3")));
}

TEST_F(ReportCommandTest, that_cannot_be_found_is_reported) {
  {
    ReportCommand sink(options("no-such-command 2>/dev/null"));
    sink.started(info(1));
    sink.finished(StopReason::kDone);
  }
  ASSERT_FALSE(warnings_.empty());
  EXPECT_THAT(warnings_.back(), HasSubstr("ended with status 127"));
}

// It reads nothing: the pipe is full after 64 KiB, the queue after its length; then it is killed.
TEST_F(ReportCommandTest, that_never_reads_neither_stops_nor_slows_the_run) {
  const auto begin = std::chrono::steady_clock::now();
  std::chrono::steady_clock::duration sending{};
  {
    auto given = options("sleep 1000");
    given.lines = 100;
    given.patience = 300ms;
    ReportCommand sink(given);
    sink.started(info(1));
    const auto from = std::chrono::steady_clock::now();
    for (int i = 0; i < 5000; ++i) sink.step(step(i));
    sending = std::chrono::steady_clock::now() - from;
    sink.finished(StopReason::kDone);
  }
  EXPECT_LT(sending, kSoon);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 2 * kSoon);
  EXPECT_THAT(warnings_, ElementsAre(HasSubstr("does not keep up; 100 reports wait"),
                                     HasSubstr("did not end within 0 s")));
}

TEST_F(ReportCommandTest, of_a_run_that_is_stopped_has_less_time_to_end) {
  {
    auto given = options("sleep 1000");
    given.hurry = 300ms;
    ReportCommand sink(given);
    sink.started(info(1));
    sink.finished(StopReason::kStopped);
  }
  EXPECT_THAT(warnings_, ElementsAre(HasSubstr("did not end within 0 s")));
}

TEST_F(ReportCommandTest, children_of_a_command_that_is_killed_are_killed_too) {
  {
    // The shell ends at SIGTERM, its child does not.
    auto given = options("{ (trap '' TERM; exec sleep 1000) & echo $! > pid; wait; }");
    given.patience = 500ms;
    ReportCommand sink(given);
    sink.started(info(1));
  }
  const std::string pid = read_bytes(folder_ / "pid");
  ASSERT_FALSE(pid.empty());
  const auto end = std::chrono::steady_clock::now() + kSoon;
  const auto state = [&] {  // gone, or a zombie until init takes it
    const std::string status = read_bytes("/proc/" + std::to_string(std::stol(pid)) + "/stat");
    return status.empty() ? 'X' : status[status.rfind(')') + 2];
  };
  while (state() != 'X' && state() != 'Z' && std::chrono::steady_clock::now() < end)
    std::this_thread::sleep_for(10ms);
  EXPECT_THAT(state(), ::testing::AnyOf('X', 'Z'));
}

// What a command inherits: neither files of the run nor blocked signals.
TEST_F(ReportCommandTest, inherits_no_open_file) {
  constexpr int kOurs = 77;
  ASSERT_EQ(::dup2(2, kOurs), kOurs);  // without FD_CLOEXEC
  {
    ReportCommand sink(options("ls /proc/self/fd > out; cat > /dev/null"));
    sink.started(info(1));
    sink.finished(StopReason::kDone);
  }
  ::close(kOurs);
  const std::string files = read_bytes(folder_ / "out");
  EXPECT_THAT(files, HasSubstr("0\n1\n2\n"));
  EXPECT_THAT(files, ::testing::Not(HasSubstr("77")));
}

}  // namespace
}  // namespace nystrom
