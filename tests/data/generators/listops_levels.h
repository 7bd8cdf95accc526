#pragma once
// How often the best guess from the first levels of a ListOps expression is right: below what is read, a
// list's value is distributed as in other expressions, given its operator and level, and independent of its
// siblings.

#include <algorithm>
#include <array>
#include <map>
#include <utility>
#include <vector>

#include "data/generators/listops.h"

namespace nystrom::testing {

using Distribution = std::array<double, 10>;

/// An expression as a tree.
struct ListOpsTree {
  std::uint8_t token = 0;
  int value = 0;
  std::vector<ListOpsTree> arguments = {};
};

inline ListOpsTree listops_tree(const ListOpsExpression& tokens, std::size_t& at) {
  ListOpsTree tree{.token = tokens[at]};
  const std::size_t begin = at++;
  if (tree.token >= kListMin) {
    while (tokens[at] != kListEnd) tree.arguments.push_back(listops_tree(tokens, at));
    ++at;
  }
  tree.value = *listops_value(std::span(tokens).subspan(begin, at - begin));
  return tree;
}

inline Distribution point(int value) {
  Distribution d{};
  d[static_cast<std::size_t>(value)] = 1;
  return d;
}

inline Distribution sum_modulo_10(const std::vector<Distribution>& parts) {
  Distribution total = point(0);
  for (const Distribution& part : parts) {
    Distribution next{};
    for (std::size_t a = 0; a < 10; ++a)
      for (std::size_t b = 0; b < 10; ++b) next[(a + b) % 10] += total[a] * part[b];
    total = next;
  }
  return total;
}

/// P(the low-th smallest value is at most a, and the high-th at most b), low <= high, a <= b.
inline double both_at_most(const std::vector<Distribution>& parts, std::size_t low, std::size_t high, int a,
                           int b) {
  if (a < 0) return 0;
  const std::size_t n = parts.size();
  std::vector<std::vector<double>> ways(n + 1, std::vector<double>(n + 1));  // x values <= a, y values <= b
  ways[0][0] = 1;
  for (const Distribution& part : parts) {
    double to_a = 0, to_b = 0;
    for (int v = 0; v <= b; ++v) (v <= a ? to_a : to_b) += part[static_cast<std::size_t>(v)];
    for (std::size_t x = n + 1; x-- > 0;)
      for (std::size_t y = n + 1; y-- > 0;)
        ways[x][y] = ways[x][y] * (1 - to_a - to_b) + (y > 0 ? ways[x][y - 1] * to_b : 0) +
                     (x > 0 && y > 0 ? ways[x - 1][y - 1] * to_a : 0);
  }
  double sum = 0;
  for (std::size_t x = low; x <= n; ++x)
    for (std::size_t y = high; y <= n; ++y) sum += ways[x][y];
  return sum;
}

/// Of the mean of the low-th and the high-th smallest value, rounded down.
inline Distribution middle(const std::vector<Distribution>& parts, std::size_t low, std::size_t high) {
  const auto below = [&](int a, int b) { return both_at_most(parts, low, high, a, b); };
  Distribution result{};
  for (int a = 0; a < 10; ++a)
    for (int b = a; b < 10; ++b) {
      double chance = below(a, b) - below(a - 1, b);
      if (a < b) chance -= below(a, b - 1) - below(a - 1, b - 1);
      result[static_cast<std::size_t>((a + b) / 2)] += chance;
    }
  return result;
}

inline Distribution distribution_of(std::uint8_t operation, const std::vector<Distribution>& parts) {
  const std::size_t n = parts.size();
  switch (operation) {
    case kListMin:
      return middle(parts, 1, 1);
    case kListMax:
      return middle(parts, n, n);
    case kListMedian:
      return middle(parts, (n + 1) / 2, n / 2 + 1);
    default:
      return sum_modulo_10(parts);
  }
}

/// Values by operator and level.
class ListOpsPrior {
 public:
  void add(const ListOpsTree& tree, int level = 1) {
    if (tree.arguments.empty()) return;
    ++counts_[{tree.token, level}][static_cast<std::size_t>(tree.value)];
    for (const ListOpsTree& argument : tree.arguments) add(argument, level + 1);
  }
  [[nodiscard]] Distribution of(std::uint8_t operation, int level) const {
    Distribution d{};
    double sum = 0;
    const auto found = counts_.find({operation, level});
    for (std::size_t v = 0; v < 10; ++v) {
      d[v] = 1e-3 + (found == counts_.end() ? 0 : found->second[v]);
      sum += d[v];
    }
    for (double& p : d) p /= sum;
    return d;
  }
  [[nodiscard]] Distribution guess(const ListOpsTree& tree, int levels, int level = 1) const {
    if (tree.arguments.empty()) return point(tree.value);
    if (levels == 1) return of(tree.token, level);
    std::vector<Distribution> parts;
    for (const ListOpsTree& argument : tree.arguments)
      parts.push_back(guess(argument, levels - 1, level + 1));
    return distribution_of(tree.token, parts);
  }

 private:
  std::map<std::pair<std::uint8_t, int>, Distribution> counts_;
};

}  // namespace nystrom::testing
