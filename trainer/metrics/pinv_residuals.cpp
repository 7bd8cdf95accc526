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

}  // namespace nystrom
