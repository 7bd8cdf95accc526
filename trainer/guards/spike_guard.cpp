#include "trainer/guards/spike_guard.h"

#include <algorithm>
#include <cmath>

namespace nystrom {

double judge_loss(double loss, const SpikeOptions& options, LossStatistics& s) {
  const double difference = loss - s.mean;
  const double minimum = 1e-6 * std::abs(s.mean);
  const double spread = std::max(std::sqrt(s.variance), minimum);
  const double z = s.count >= options.window && spread > 0 ? difference / spread : 0;
  if (z > options.z_score) {
    ++s.spikes_in_a_row;
    return z;
  }
  s.spikes_in_a_row = 0;
  ++s.count;
  const double share = std::max(1 / static_cast<double>(s.count), 1 / static_cast<double>(options.window));
  s.mean += share * difference;
  s.variance = (1 - share) * (s.variance + share * difference * difference);
  return z;
}

}  // namespace nystrom
