#include "trainer/checkpoint/saver.h"

#include <algorithm>

#include "kernels/core/check.h"
#include "kernels/core/stage.h"
#include "trainer/metrics/step_clock.h"

namespace nystrom {
namespace {

constexpr double kMaxSilence = 2;  // seconds between status broadcasts to the waiting ranks
constexpr std::string_view kMoves = "it is being written", kHangs = "it hangs";

}  // namespace

CheckpointSaver::CheckpointSaver(const SaverOptions& options, Comm& comm, const Network& network,
                                 const Optimizer& optimizer, const RunIdentity& identity, Observer& observer)
    : options_(options), comm_(comm), network_(network), optimizer_(optimizer), observer_(observer) {
  if (!options_.folder.empty() && comm.rank() == 0)
    writer_ =
        std::make_unique<CheckpointWriter>(network, optimizer, identity, options_.folder, options_.keep);
}

CheckpointSaver::~CheckpointSaver() {
  Writing state = Writing::kDone;
  while ((state = wait_a_little()) == Writing::kMoves) {
  }
  if (state == Writing::kHangs) CheckpointWriter::abandon(std::move(writer_));
}

void CheckpointSaver::save(Context& context, const RunState& state, std::optional<double> validation,
                           bool must) {
  if (options_.folder.empty()) return;
  StepClock clock;
  require_same_state(state);
  wait_together();
  if (optimizer_.partition().sharded()) gather_states();
  must_ = must;
  if (writer_ &&
      (must || !too_many_failures())) {  // the other ranks learn of it in the next all-reduce of losses
    begin(context, state, validation);
    pause_ = clock.take_elapsed();
  }
  if (!must) return;
  wait_together();
  const std::string problem =
      comm_.broadcast_text(writer_ ? problem_ : std::string(), 0, "the end of the checkpoint's writing");
  if (problem.empty()) return;
  fail("{} The steps since the previous checkpoint are lost. Free disk space and resume.", problem);
}

void CheckpointSaver::finish() {
  if (options_.folder.empty()) return;
  wait_together();
  const bool over = comm_.broadcast_text(too_many_failures() ? "over" : "", 0, "the end of saving") == "over";
  if (over) give_up();
}

void CheckpointSaver::require_same_state(const RunState& state) {
  const auto all = comm_.all_gather_text(
      fmt::format("step {} with {} samples and {} updates", state.step, state.samples, state.updates),
      "the agreement on a checkpoint");
  for (std::size_t rank = 1; rank < all.size(); ++rank)
    if (all[rank] != all[0])
      fail(
          "Rank {} is at {}, rank 0 at {}: the ranks disagree, so no checkpoint was written. Resume from "
          "the previous one.",
          rank, all[rank], all[0]);
}

// Counts only the time spent waiting here, since the job may be suspended meanwhile.
CheckpointSaver::Writing CheckpointSaver::wait_a_little() {
  const double seconds = std::min(kMaxSilence, options_.timeout_seconds / 4);
  const auto patience =
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::duration<double>(seconds));
  if (!writer_ || writer_->ready(patience)) {
    still_seconds_ = 0;
    return Writing::kDone;
  }
  const std::uint64_t progress = writer_->progress();
  still_seconds_ = progress == progress_ ? still_seconds_ + seconds : 0;
  progress_ = progress;
  return still_seconds_ < options_.timeout_seconds ? Writing::kMoves : Writing::kHangs;
}

// A long write must not look like a hang to the other ranks: rank 0 broadcasts that it makes progress.
void CheckpointSaver::wait_together() {
  const auto word = [this] {
    const Writing state = wait_a_little();
    return std::string(state == Writing::kMoves ? kMoves : state == Writing::kHangs ? kHangs : "");
  };
  const Stage stage("writing the checkpoint");
  std::string said;
  do said = comm_.broadcast_text(writer_ ? word() : "", 0, "the writing of the checkpoint");
  while (said == kMoves);
  if (said == kHangs)
    fail(
        "The checkpoint that {} is writing to {} has made no progress for {:.0f} s: the disk or its file "
        "server hangs. Inspect them and resume from the previous checkpoint, or raise "
        "`communication.timeout`.",
        comm_.rank_name(0), options_.folder, options_.timeout_seconds);
  poll();
}

// Gathers the sharded optimizer state into rank 0's snapshot: a checkpoint does not depend on the number of
// ranks.
void CheckpointSaver::gather_states() {
  const std::vector<Tensor> copies = writer_ ? writer_->state_copies() : std::vector<Tensor>();
  const auto states = optimizer_.states();
  for (std::size_t i = 0; i < states.size(); ++i) {
    const HostValues mine(states[i].values, network_.parameters().memory());
    comm_.gather_shards(mine, writer_ ? copies[i] : Tensor(), states[i].layout->partition().begins(),
                        "the gathering of the optimizer's state");
  }
}

void CheckpointSaver::begin(Context& context, const RunState& state, std::optional<double> validation) {
  const std::int64_t step = state.step;
  try {
    writer_->start(
        context, state, validation, [this, step] { observer_.saving(step); }, comm_.activity().trace());
  } catch (const std::exception& error) {  // no thread, no memory
    failed(checkpoint_path(options_.folder, step), error.what());
  }
}

void CheckpointSaver::poll() {
  if (!writer_) return;
  const auto result = writer_->take_result();
  if (!result) return;
  if (!result->problem.empty()) return failed(result->path, result->problem);
  failures_ = 0;
  problem_.clear();
  observer_.saved({.step = result->step,
                   .path = result->path,
                   .bytes = result->bytes,
                   .pause_seconds = pause_,
                   .seconds = result->seconds});
}

void CheckpointSaver::failed(const std::string& path, const std::string& problem) {
  ++failures_;
  problem_ = fmt::format("The checkpoint {} could not be written: {}{}", path, problem,
                         problem.ends_with('.') ? "" : ".");
  if (!must_ && !too_many_failures())
    observer_.warning(
        fmt::format("{} The run continues without it ({} in a row; `checkpoint.failures_allowed` is {}).",
                    problem_, failures_, options_.failures_allowed));
}

void CheckpointSaver::give_up() {
  const std::string what =
      comm_.broadcast_text(fmt::format("{} {} in a row failed", problem_, failures_), 0, "the end of saving");
  fail(
      "{}, and `checkpoint.failures_allowed` is {}: the steps since the last valid checkpoint are "
      "lost. Free disk space and resume.",
      what, options_.failures_allowed);
}

}  // namespace nystrom
