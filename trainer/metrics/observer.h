#pragma once
// Training callbacks, invoked on rank 0 only, from one thread except for saving(). Metrics file, TensorBoard,
// progress bar and log are observers.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nystrom {

/// One of a head's losses: mean over the labels of a global batch (or of all evaluated batches).
struct LossTerm {
  std::string_view name;  ///< the head's name for it: "mlm", "sop"
  double loss = 0, accuracy = 0;
  std::int64_t labels = 0;
};

struct Losses {
  double loss = 0;              ///< weighted sum of the terms
  std::vector<LossTerm> terms;  ///< of those with labels; empty where the head has a single loss
};

/// What a run trains on, and how much of it.
struct RunCorpus {
  std::string name;
  double share = 0;            ///< of the run's sequences
  std::int64_t sequences = 0;  ///< in an epoch of the corpus
};

struct RunInfo {
  std::int64_t first_step = 1, steps = 0;
  std::int64_t parameters = 0;
  std::int64_t global_batch = 0, micro_batch = 0;
  int ranks = 1, threads = 1;
  std::string precision;                ///< "fp32", "bf16"
  std::size_t activation_bytes = 0;     ///< planned memory per rank
  std::size_t state_bytes = 0;          ///< weights, gradients, optimizer state per rank
  std::string resumed_from;             ///< path of the checkpoint, or empty
  std::string departure;                ///< how it departs from that checkpoint's run: a fork, other data
  std::string over;                     ///< why nothing is left to do, a sentence; empty: there is
  std::vector<RunCorpus> corpora = {};  ///< empty where unknown
};

/// Of a step that measured it (trainer/metrics/gradient_noise.h).
struct NoiseReport {
  double trace = 0, square = 0;  ///< estimates of tr(S) and |G|^2
  double scale = 0;              ///< in sequences, of the latest measurements
};

/// Of a profiled step, on rank 0: shares of what the machine was measured to be able to.
struct UseReport {
  double mfu = 0;             ///< of the operations of a large matrix product in the same time
  double share_of_bound = 0;  ///< time that every op needs at least / time of the step
};

struct StepReport {
  std::int64_t step = 0, steps = 0;
  Losses losses;
  double learning_rate = 0;
  std::optional<double> adamw_learning_rate = {};  ///< where some tensors have their own rate (`muon`)
  std::optional<double> beta1 = {};                ///< where the schedule moves it
  double gradient_norm = 0;                        ///< before clipping
  std::optional<std::int64_t> global_batch = {};   ///< where it changes in the run
  std::optional<NoiseReport> gradient_noise = {};
  std::optional<UseReport> use = {};
  double tokens_per_second = 0;  ///< real tokens of all ranks, since the last report
  std::int64_t samples = 0;      ///< so far, in the whole run
  double seconds = 0;            ///< so far, in the whole run
  double seconds_left = 0;       ///< estimated
  bool skipped = false;          ///< the weights were not updated
  std::vector<double> pinv_residual_mean, pinv_residual_max;  ///< by layer, where measured
  /// By corpus: BatchSource::epochs_of.
  std::vector<std::pair<std::string, double>> epochs_of;
};

struct ValidationReport {
  std::int64_t step = 0;
  Losses losses;
  double seconds = 0;                                       ///< duration
  std::vector<std::pair<std::string, double>> scores = {};  ///< a task's metrics
};

/// A checkpoint that was written, verified and published.
struct SavedReport {
  std::int64_t step = 0;
  std::string path;
  std::uint64_t bytes = 0;
  double pause_seconds = 0;  ///< training paused: the copy, and the wait for the previous one
  double seconds = 0;        ///< duration
};

enum class StopReason {
  kDone,     ///< all steps are done
  kStopped,  ///< on request (a signal); to be resumed: exit status 3
};

class Observer {
 public:
  virtual ~Observer() = default;
  virtual void started(const RunInfo&) {}
  virtual void step(const StepReport&) {}  ///< every `log_every` steps, the last one, and skipped ones
  virtual void validated(const ValidationReport&) {}
  /// A checkpoint of this step is about to be published: everything reported up to that step must be on the
  /// disk. Called by the thread that writes it, concurrently with other callbacks; a throw fails the
  /// checkpoint.
  virtual void saving(std::int64_t /*step*/) {}
  virtual void saved(const SavedReport&) {}
  virtual void warning(const std::string& /*sentence*/) {}
  virtual void note(const std::string& /*sentence*/) {}
  /// The run continues from this step: reports of later steps are void.
  virtual void rolled_back(std::int64_t /*step*/) {}
  virtual void finished(StopReason) {}
};

/// Forwards every callback to several observers, in order. Those that it does not own must outlive it.
class Observers final : public Observer {
 public:
  void add(Observer& observer) { all_.push_back(&observer); }
  void add(std::unique_ptr<Observer> observer) {
    add(*observer);
    own_.push_back(std::move(observer));
  }
  void started(const RunInfo& info) override {
    for (auto* o : all_) o->started(info);
  }
  void step(const StepReport& report) override {
    for (auto* o : all_) o->step(report);
  }
  void validated(const ValidationReport& report) override {
    for (auto* o : all_) o->validated(report);
  }
  void saving(std::int64_t step) override {
    for (auto* o : all_) o->saving(step);
  }
  void saved(const SavedReport& report) override {
    for (auto* o : all_) o->saved(report);
  }
  void warning(const std::string& sentence) override {
    for (auto* o : all_) o->warning(sentence);
  }
  void note(const std::string& sentence) override {
    for (auto* o : all_) o->note(sentence);
  }
  void rolled_back(std::int64_t step) override {
    for (auto* o : all_) o->rolled_back(step);
  }
  void finished(StopReason reason) override {
    for (auto* o : all_) o->finished(reason);
  }

 private:
  std::vector<Observer*> all_;
  std::vector<std::unique_ptr<Observer>> own_;
};

}  // namespace nystrom
