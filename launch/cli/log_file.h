#pragma once
// log.txt of a run directory: the log's lines with dates, kept when the terminal is gone.

#include <mutex>
#include <string>

namespace nystrom {

/// Appends to `directory`/log.txt. Lines wait in memory until the run has made the directory, so that a
/// refused start makes none. A file that cannot be written never ends the run: its lines are dropped, with
/// one warning on stderr. Thread-safe.
class LogFile {
 public:
  explicit LogFile(std::string directory);
  ~LogFile();
  LogFile(const LogFile&) = delete;
  LogFile& operator=(const LogFile&) = delete;

  void add(const std::string& sentence);

 private:
  [[nodiscard]] bool opened();
  void give_up_line();

  std::mutex mutex_;
  std::string directory_, waiting_;
  int file_ = -1;
  bool warned_ = false;
};

/// "2026-01-31T14:05:09+0100": the local time.
[[nodiscard]] std::string date_text();

}  // namespace nystrom
