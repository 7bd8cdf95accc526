#include "trainer/metrics/pinv_residuals.h"

#include <algorithm>

namespace nystrom {

void PinvResiduals::add(const Context& context, std::size_t layer, const Tensor& residuals) {
  if (residuals.empty()) return;
  const HostValues host(residuals, context.memory());
  Layer& to = layers_.at(layer);
  const auto each = [&to](auto values) {
    for (const double value : values) {
      if (value == 0) continue;
      to.sum += value;
      to.count += 1;
      to.max = std::max(to.max, value);
    }
  };
  if (residuals.dtype == DType::kF64)
    each(host.view().span<double>());
  else
    each(host.view().span<float>());
}

void PinvResiduals::share(Comm& comm) {
  std::vector<Layer> all(layers_.size() * static_cast<std::size_t>(comm.ranks()));
  comm.all_gather(std::as_bytes(std::span(layers_)), std::as_writable_bytes(std::span(all)),
                  "the residuals of the pseudo-inverses");
  std::ranges::fill(layers_, Layer{});
  for (std::size_t i = 0; i < all.size(); ++i) {
    Layer& to = layers_[i % layers_.size()];
    to.sum += all[i].sum;
    to.count += all[i].count;
    to.max = std::max(to.max, all[i].max);
  }
}

std::vector<double> PinvResiduals::means() const {
  std::vector<double> values;
  for (const Layer& layer : layers_) values.push_back(layer.count > 0 ? layer.sum / layer.count : 0);
  return values;
}

std::vector<double> PinvResiduals::maxima() const {
  std::vector<double> values;
  for (const Layer& layer : layers_) values.push_back(layer.max);
  return values;
}

void PinvResidualMonitor::begin_step(std::int64_t step) {
  residuals_.reset();
  if (options_.every > 0 && step % options_.every == 0)
    residuals_.emplace(network_.encoder().blocks().size());
}

void PinvResidualMonitor::collect(const Context& context, std::int64_t offset, std::int64_t sequences) {
  const auto& blocks = network_.encoder().blocks();
  for (std::size_t layer = 0; layer < blocks.size(); ++layer)
    if (network_.parameters()[blocks[layer].first_parameter()].offset == offset)
      residuals_->add(context, layer, blocks[layer].residuals(sequences));
}

void PinvResidualMonitor::report(StepReport& report) {
  if (!residuals_) return;
  residuals_->share(comm_);
  report.pinv_residual_mean = residuals_->means();
  report.pinv_residual_max = residuals_->maxima();
  residuals_.reset();
  warn_above_limit(report);
}

// Once when a layer exceeds the limit, and again when it does so after having been below.
void PinvResidualMonitor::warn_above_limit(const StepReport& report) {
  if (options_.limit <= 0 || comm_.rank() != 0) return;
  above_limit_.resize(report.pinv_residual_max.size());
  for (std::size_t layer = 0; layer < above_limit_.size(); ++layer) {
    const double residual = report.pinv_residual_max[layer];
    const bool above = !(residual <= options_.limit);  // NaN too
    if (above && !above_limit_[layer])
      observer_.warning(fmt::format(
          "At step {} the pseudo-inverse residual of layer {} is {:.3g}, above `run.pinv_residual_limit` "
          "({:.3g}): its attention is no longer the Nystrom approximation. Raise "
          "`model.attention.pinv_iterations`, or lower `optimizer.learning_rate`.",
          report.step, layer, residual, options_.limit));
    above_limit_[layer] = above;
  }
}

}  // namespace nystrom
