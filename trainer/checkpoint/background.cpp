#include "trainer/checkpoint/background.h"

#include <filesystem>
#include <memory>

#include "kernels/core/check.h"
#include "trainer/metrics/step_clock.h"

namespace nystrom {

CheckpointWriter::CheckpointWriter(const Network& network, const Optimizer& optimizer,
                                   const RunIdentity& identity, std::string folder, KeepPolicy keep)
    : snapshot_(network, optimizer, identity), folder_(std::move(folder)), keep_(keep) {}

void CheckpointWriter::start(Context& context, const RunState& state, std::optional<double> validation,
                             std::function<void()> before_publishing, Trace* trace) {
  NYSTROM_CHECK(!under_way_.valid(), "the checkpoint before step {} is still under way", state.step);
  snapshot_.take(context, state, validation);
  // Opened here: on a busy machine the thread may begin steps later.
  auto span = std::make_unique<TraceSpan>(trace, Trace::Kind::kCheckpoint, "checkpoint", state.step);
  under_way_ = std::async(
      std::launch::async, [this, opened = std::move(span), before = std::move(before_publishing)]() mutable {
        const auto until_written = std::move(opened);  // the closure itself lives as long as the future
        return write(before);
      });
}

bool CheckpointWriter::ready(std::chrono::milliseconds wait) const {
  return !under_way_.valid() || under_way_.wait_for(wait) == std::future_status::ready;
}

std::optional<CheckpointResult> CheckpointWriter::take_result() {
  if (!under_way_.valid() || !ready()) return std::nullopt;
  return under_way_.get();
}

void CheckpointWriter::abandon(std::unique_ptr<CheckpointWriter> writer) {
  writer->abandoned_ = true;
  (void)writer.release();
}

CheckpointResult CheckpointWriter::write(const std::function<void()>& before_publishing) {
  const auto check_wanted = [this] {
    if (abandoned_) fail("the run no longer waits for it.");
  };
  CheckpointContent content = snapshot_.content();
  content.moved_on = [this, check_wanted] {
    check_wanted();
    ++progress_;
  };
  CheckpointResult result;
  result.step = content.state.step;
  result.path = checkpoint_path(folder_, result.step);
  StepClock clock;
  try {
    write_checkpoint(result.path, content, [&] {
      before_publishing();
      check_wanted();
    });
    std::error_code unknown;
    result.bytes = std::filesystem::file_size(result.path, unknown);
    prune_checkpoints(folder_, keep_, content.state.step);
  } catch (const std::exception& error) {
    result.problem = error.what();
  }
  result.seconds = clock.take_elapsed();
  return result;
}

}  // namespace nystrom
