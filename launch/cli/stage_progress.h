#pragma once
// Progress of stages that take long (kernels/core/stage.h): nothing for two seconds, then the share with the
// time left: on a terminal a line that is drawn over itself, else a line every ten seconds.

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

#include "kernels/core/stage.h"

namespace nystrom {

struct StageState {
  std::string stage = {};    ///< "predict"
  double share = -1;         ///< that is done, in [0, 1]; negative: unknown
  std::string counted = {};  ///< "1234 examples"; may be empty
  double seconds = 0;        ///< so far
  double resumed = 0;        ///< share that was done when it began
};

/// "predict: 45 %, 1234 examples, 0:12 left"; of a stage whose share is unknown its time so far, "training
/// the tokenizer: 0:12".
[[nodiscard]] std::string stage_text(const StageState& state);

/// A separate thread shows a stage: the working thread may be in one long call.
class StageProgress final : public StageView {
 public:
  ~StageProgress() override { end(); }
  void begin(const Stage& stage) override;
  void end() override;

 private:
  void follow(const Stage& stage);

  std::thread thread_;
  std::mutex mutex_;
  std::condition_variable ends_;
  bool ended_ = false;
};

}  // namespace nystrom
