#pragma once
// `run.on_report`: a command that reads the reports of a run on its standard input, one JSON object a line.
// It can neither stop nor slow the run: lines wait in a queue that a thread empties; what does not fit is
// dropped.
//
//   {"event": "start", "steps": 1000, ...}       once
//   {"event": "step", "step": 10, ...}           as in metrics.jsonl; "validation" too
//   {"event": "checkpoint", "step": 500, "path": ..., ...}
//   {"event": "warning", "text": ...}  {"event": "rollback", "step": 480}
//   {"event": "end", "reason": "done"}           or "stopped" (on request) or "failed"

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "trainer/metrics/observer.h"

namespace nystrom {

struct ReportCommandOptions {
  std::string command;  ///< of /bin/sh
  std::string about;    ///< members of the first line, as in `"run": "runs/my", "seed": 1`; may be empty
  /// Called, on the thread of the callbacks, with what went wrong: once of each kind.
  std::function<void(const std::string&)> warn;
  std::size_t lines = 10'000;                  ///< that wait at most
  std::chrono::milliseconds patience{60'000};  ///< for the command to end after its input has
  std::chrono::milliseconds hurry{10'000};     ///< the same of a run that was stopped or failed: at most this
};

class ReportCommand final : public Observer {
 public:
  explicit ReportCommand(ReportCommandOptions options) : options_(std::move(options)) {}
  /// Ends the command's input and waits for it to end; after the patience it is killed.
  ~ReportCommand() override;
  ReportCommand(const ReportCommand&) = delete;
  ReportCommand& operator=(const ReportCommand&) = delete;

  /// Starts the command, unless nothing is left to train. A command that cannot be started is a warning.
  void started(const RunInfo& info) override;
  void step(const StepReport& report) override;
  void validated(const ValidationReport& report) override;
  void saved(const SavedReport& report) override;
  void warning(const std::string& sentence) override;
  void rolled_back(std::int64_t step) override;
  void finished(StopReason reason) override;

 private:
  enum class Ended { kNo, kYes };
  [[nodiscard]] bool start();
  void send(const std::string& line);
  void tell_problem();
  void write(const std::stop_token& stop);
  [[nodiscard]] bool write_all(const std::string& text);
  [[nodiscard]] Ended wait_until(std::chrono::steady_clock::time_point end);
  void close();

  ReportCommandOptions options_;
  pid_t child_ = -1;
  int pipe_ = -1;
  int status_ = 0;
  bool ended_ = false, dropped_ = false, over_ = false, done_ = false;
  std::mutex mutex_;  // of the members below
  std::condition_variable_any changed_;
  std::deque<std::string> queue_;
  std::string problem_;
  std::atomic<bool> broken_ = false;
  std::atomic<std::int64_t> deadline_ = 0;  // of the thread, in milliseconds of the steady clock; 0: none
  std::optional<std::jthread> thread_;
};

}  // namespace nystrom
