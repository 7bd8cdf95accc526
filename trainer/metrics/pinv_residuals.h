#pragma once
// Pseudo-inverse residuals: |A Z - I|_F / sqrt(M) by layer, over heads, sequences and ranks; how well the
// iteration inverted the landmark matrices of a step (`run.pinv_residual_every`). Sequences short enough for
// exact attention have none and do not count.

#include <cstdint>
#include <optional>
#include <vector>

#include "kernels/tensor/context.h"
#include "model/network.h"
#include "trainer/comm/comm.h"
#include "trainer/metrics/observer.h"

namespace nystrom {

/// Sum, count and maximum by layer.
class PinvResiduals {
 public:
  explicit PinvResiduals(std::size_t layers) : layers_(layers) {}

  /// residuals [B, H] fp32 or fp64 of a layer in one micro-batch; empty: nothing.
  void add(const Context& context, std::size_t layer, const Tensor& residuals);
  /// Combines those of all ranks. Collective.
  void share(Comm& comm);

  [[nodiscard]] std::vector<double> means() const;
  [[nodiscard]] std::vector<double> maxima() const;

 private:
  struct Layer {
    double sum = 0, count = 0, max = 0;
  };
  std::vector<Layer> layers_;
};

struct PinvResidualOptions {
  std::int64_t every = 0;  ///< steps between measurements; 0: never
  double limit = 0;        ///< warn when a layer's largest residual exceeds it; 0: never
};

/// Measures the residuals in the steps that are due, and warns of layers above the limit.
///
///   monitor.begin_step(step);
///   network.backward(..., [&](std::int64_t offset) { if (monitor.active()) monitor.collect(...); });
///   monitor.report(step_report);
class PinvResidualMonitor {
 public:
  /// `observer` is called on rank 0 only. All must outlive it.
  PinvResidualMonitor(const PinvResidualOptions& options, Network& network, Comm& comm, Observer& observer)
      : options_(options), network_(network), comm_(comm), observer_(observer) {}

  void begin_step(std::int64_t step);
  /// This step is measured.
  [[nodiscard]] bool active() const { return residuals_.has_value(); }
  /// In backward, when the gradients from `offset` on are final: adds the residuals of the layer that begins
  /// there, if one does. The host waits for the device.
  void collect(const Context& context, std::int64_t offset, std::int64_t sequences);
  /// Fills the report with means and maxima of all ranks, if the step was measured, and ends the measurement.
  /// Collective.
  void report(StepReport& report);

 private:
  void warn_above_limit(const StepReport& report);

  PinvResidualOptions options_;
  Network& network_;
  Comm& comm_;
  Observer& observer_;
  std::optional<PinvResiduals> residuals_;  // of the step that is being measured
  std::vector<bool> above_limit_;           // by layer, at the last measurement
};

}  // namespace nystrom
