#pragma once
// `run.metrics_file`: the latest figures of a run in Prometheus' text exposition format, for the textfile
// collector of its node exporter. Each writing replaces the file at once (a rename), so a reader sees all of
// it.

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>

#include "trainer/metrics/observer.h"

namespace nystrom {

class PrometheusFile final : public Observer {
 public:
  /// `run`: the label of all figures. `warn` is called, once, when the file cannot be written. Figures of
  /// steps are written at most once in `every`.
  PrometheusFile(std::string path, std::string run, std::function<void(const std::string&)> warn,
                 std::chrono::milliseconds every = std::chrono::seconds(1));
  /// Writes what is left, with nystrom_running 0.
  ~PrometheusFile() override;
  PrometheusFile(const PrometheusFile&) = delete;
  PrometheusFile& operator=(const PrometheusFile&) = delete;

  void started(const RunInfo& info) override;
  void step(const StepReport& report) override;
  void validated(const ValidationReport& report) override;
  void saved(const SavedReport& report) override;
  void warning(const std::string& sentence) override;

 private:
  void set(std::string_view name, double value, std::string_view part = {});
  void set_losses(const std::string& prefix, const Losses& losses);
  void publish(bool now);
  void write(const std::stop_token& stop);
  [[nodiscard]] std::string text() const;

  std::string path_, run_;
  std::function<void(const std::string&)> warn_;
  std::chrono::milliseconds every_;
  std::chrono::steady_clock::time_point last_{};
  /// By name, then by the label `part`, which may be empty.
  std::map<std::string, std::map<std::string, double>, std::less<>> values_;
  double warnings_ = 0;
  bool warned_ = false;
  std::mutex mutex_;  // of the members below
  std::condition_variable_any changed_;
  std::string pending_, problem_;
  std::jthread thread_;  // the last member: it ends first
};

}  // namespace nystrom
