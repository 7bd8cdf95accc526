#pragma once
// Progress of a stage that may take long: nothing for two seconds, then its share with the time left: on a
// terminal a line that is drawn over itself, else a line every ten seconds.

#include <chrono>
#include <string>

#include "launch/cli/terminal.h"

namespace nystrom {

/// "predict: 45 %, 1234 examples, 0:12 left". `share` of the stage that is done, in [0, 1]; negative: not
/// known.
[[nodiscard]] std::string stage_text(const std::string& stage, double share, const std::string& done,
                                     double seconds);

class StageProgress {
 public:
  explicit StageProgress(std::string stage);
  ~StageProgress() { clear(); }
  StageProgress(const StageProgress&) = delete;
  StageProgress& operator=(const StageProgress&) = delete;

  void show(double share, const std::string& done);
  /// Removes the line from a terminal.
  void clear();

 private:
  using Clock = std::chrono::steady_clock;
  std::string stage_;
  Terminal terminal_;
  Clock::time_point begin_ = Clock::now(), last_{};
  bool drawn_ = false;
};

}  // namespace nystrom
