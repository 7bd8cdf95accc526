#pragma once
// What the program says besides its results: sentences on stderr, from rank 0 alone.

#include <memory>
#include <string>
#include <vector>

namespace spdlog {
class logger;
}

namespace nystrom {

class Log {
 public:
  /// Ranks above 0 say nothing.
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
