#include "launch/report/classes.h"

#include <algorithm>
#include <limits>

namespace nystrom {
namespace {

double ratio(std::int64_t part, std::int64_t whole) {
  if (whole == 0) return std::numeric_limits<double>::quiet_NaN();
  return static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

std::vector<ClassScores> class_scores(const Confusion& confusion) {
  std::vector<ClassScores> scores;
  for (std::size_t c = 0; c < confusion.labels.size(); ++c) {
    ClassScores one{.label = confusion.labels[c]};
    for (const std::int64_t count : confusion.counts[c]) one.support += count;
    for (const auto& row : confusion.counts) one.predicted += row[c];
    const std::int64_t right = confusion.counts[c][c];
    one.precision = ratio(right, one.predicted);
    one.recall = ratio(right, one.support);
    one.f1 = ratio(2 * right, one.predicted + one.support);
    scores.push_back(std::move(one));
  }
  return scores;
}

std::vector<Mistake> frequent_mistakes(const Confusion& confusion, std::size_t most) {
  std::vector<Mistake> mistakes;
  for (std::size_t t = 0; t < confusion.labels.size(); ++t)
    for (std::size_t p = 0; p < confusion.labels.size(); ++p)
      if (t != p && confusion.counts[t][p] > 0) mistakes.push_back({t, p, confusion.counts[t][p]});
  std::ranges::stable_sort(mistakes, std::ranges::greater(), &Mistake::count);
  if (mistakes.size() > most) mistakes.resize(most);
  return mistakes;
}

}  // namespace nystrom
