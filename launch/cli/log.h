#pragma once
// Log of the program: sentences on stderr, from rank 0 only. Results go to stdout.

#include <memory>
#include <string>
#include <vector>

namespace spdlog {
class logger;
}

namespace nystrom {

class Log {
 public:
  /// Ranks other than 0 log nothing.
  explicit Log(int rank);
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  void note(const std::string& sentence) const;
  void warning(const std::string& sentence) const;
  void warnings(const std::vector<std::string>& sentences) const {
    for (const auto& sentence : sentences) warning(sentence);
  }

 private:
  std::unique_ptr<spdlog::logger> logger_;
};

}  // namespace nystrom
