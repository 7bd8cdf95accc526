#pragma once
// Log of the program: sentences on stderr, and in log.txt of a run directory; from rank 0 only. Results go to
// stdout.

#include <memory>
#include <string>
#include <vector>

#include "launch/cli/log_file.h"

namespace spdlog {
class logger;
}

namespace nystrom {

class Log {
 public:
  /// Ranks other than 0 log nothing. `directory` empty: on stderr alone.
  explicit Log(int rank, const std::string& directory = {});
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  /// Sentences may name what files hold: they are made printable, each a line.
  void note(const std::string& sentence) const;
  void warning(const std::string& sentence) const;
  /// A note of several lines.
  void report(const std::string& lines) const;
  void warnings(const std::vector<std::string>& sentences) const {
    for (const auto& sentence : sentences) warning(sentence);
  }

  /// On stderr alone. `sentence` is printable.
  void print_note(const std::string& sentence) const;
  void print_warning(const std::string& sentence) const;
  /// log.txt, or nullptr.
  [[nodiscard]] LogFile* file() const { return file_.get(); }

 private:
  std::unique_ptr<spdlog::logger> logger_;
  std::unique_ptr<LogFile> file_;
};

}  // namespace nystrom
