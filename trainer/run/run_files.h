#pragma once
// Metrics files of a run, written by rank 0: metrics.jsonl and TensorBoard events.

#include <functional>
#include <map>
#include <string>
#include <utility>

#include "trainer/metrics/metrics.h"
#include "trainer/metrics/tensorboard.h"
#include "trainer/run/run_directory.h"

namespace nystrom {

/// Observers of rank 0: the files of the run directory, then the caller's. `require_lock` is called before
/// anything is written, and throws where this job no longer owns the directory (RunSession::require_lock).
class RunFiles {
 public:
  RunFiles(
      const std::string& directory, std::int64_t step, Observer& observer,
      std::function<void()> require_lock = [] {})
      : fence_(std::move(require_lock)),
        metrics_(metrics_path(directory), step, warn(observer)),
        events_(directory, step, warn(observer)) {
    all_.add(fence_);
    all_.add(metrics_);
    all_.add(events_);
    all_.add(observer);
  }
  [[nodiscard]] Observer& all() { return all_; }
  /// Of TensorBoard: the configuration, and what of `settings` is not at its default.
  void describe(const std::string& configuration, const std::map<std::string, std::string>& settings,
                const std::map<std::string, std::string>& defaults) {
    std::map<std::string, std::string> changed;
    for (const auto& [key, value] : settings)
      if (const auto standard = defaults.find(key); standard != defaults.end() && standard->second != value)
        changed.emplace(key, value);
    events_.describe(configuration, changed);
  }

 private:
  /// Registered before the observers that write.
  class Fence final : public Observer {
   public:
    explicit Fence(std::function<void()> require_lock) : require_lock_(std::move(require_lock)) {
      require_lock_();
    }
    void started(const RunInfo&) override { require_lock_(); }
    void step(const StepReport&) override { require_lock_(); }
    void validated(const ValidationReport&) override { require_lock_(); }
    void saving(std::int64_t) override { require_lock_(); }
    void saved(const SavedReport&) override { require_lock_(); }
    void rolled_back(std::int64_t) override { require_lock_(); }

   private:
    std::function<void()> require_lock_;
  };

  static AppendFile::Warn warn(Observer& observer) {
    return [&observer](const std::string& sentence) { observer.warning(sentence); };
  }

  Fence fence_;
  MetricsFile metrics_;
  TensorBoardFile events_;
  Observers all_;
};

}  // namespace nystrom
