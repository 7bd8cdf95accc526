#include "data/tasks/outputs.h"

#include <algorithm>
#include <cmath>

namespace nystrom {

std::size_t argmax(std::span<const float> values) {
  return static_cast<std::size_t>(std::ranges::max_element(values) - values.begin());
}

std::vector<double> softmax(std::span<const float> logits) {
  std::vector<double> p(logits.begin(), logits.end());
  if (p.empty()) return p;
  const double largest = *std::ranges::max_element(p);
  double sum = 0;
  for (double& x : p) sum += x = std::exp(x - largest);
  for (double& x : p) x /= sum;
  return p;
}

double sigmoid(double x) {
  return 1 / (1 + std::exp(-x));
}

}  // namespace nystrom
