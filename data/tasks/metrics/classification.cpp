#include "data/tasks/metrics/classification.h"

#include <cmath>
#include <limits>
#include <map>

#include "kernels/core/check.h"

namespace nystrom {
namespace {

constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();

struct ClassCount {
  double right = 0, truths = 0, predictions = 0;
};

std::map<std::int32_t, ClassCount> count_classes(std::span<const std::int32_t> truth,
                                                 std::span<const std::int32_t> predicted) {
  NYSTROM_CHECK(truth.size() == predicted.size(), "{} truths, {} predictions", truth.size(),
                predicted.size());
  std::map<std::int32_t, ClassCount> counts;
  for (std::size_t i = 0; i < truth.size(); ++i) {
    counts[truth[i]].truths += 1;
    counts[predicted[i]].predictions += 1;
    if (truth[i] == predicted[i]) counts[truth[i]].right += 1;
  }
  return counts;
}

double f1(const ClassCount& count) {
  return 2 * count.right / (count.truths + count.predictions);
}

}  // namespace

double accuracy(std::span<const std::int32_t> truth, std::span<const std::int32_t> predicted) {
  if (truth.empty()) return kUndefined;
  double right = 0;
  for (const auto& [label, count] : count_classes(truth, predicted)) right += count.right;
  return right / static_cast<double>(truth.size());
}

double f1_of_class(std::span<const std::int32_t> truth, std::span<const std::int32_t> predicted,
                   std::int32_t positive) {
  const auto counts = count_classes(truth, predicted);
  const auto found = counts.find(positive);
  return found == counts.end() ? kUndefined : f1(found->second);
}

double f1_macro(std::span<const std::int32_t> truth, std::span<const std::int32_t> predicted) {
  const auto counts = count_classes(truth, predicted);
  double sum = 0;
  for (const auto& [label, count] : counts) sum += f1(count);
  return counts.empty() ? kUndefined : sum / static_cast<double>(counts.size());
}

double matthews_correlation(std::span<const std::int32_t> truth, std::span<const std::int32_t> predicted) {
  const auto n = static_cast<double>(truth.size());
  double right = 0, both = 0, truths = 0, predictions = 0;
  for (const auto& [label, count] : count_classes(truth, predicted)) {
    right += count.right;
    both += count.truths * count.predictions;
    truths += count.truths * count.truths;
    predictions += count.predictions * count.predictions;
  }
  const double spread = (n * n - truths) * (n * n - predictions);
  return spread > 0 ? (n * right - both) / std::sqrt(spread) : kUndefined;
}

}  // namespace nystrom
