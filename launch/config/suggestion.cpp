#include "launch/config/suggestion.h"

#include <algorithm>
#include <vector>

namespace nystrom {

int edit_distance(std::string_view a, std::string_view b) {
  // Three rows of the table: the one being filled and the two before it (a swap looks back two).
  std::vector<int> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = static_cast<int>(j);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = static_cast<int>(i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const int change = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, change});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before.swap(last);
    last.swap(row);
  }
  return last[b.size()];
}

bool is_near(std::string_view word, std::string_view candidate) {
  return edit_distance(word, candidate) <= static_cast<int>(std::min(word.size(), candidate.size()) / 3);
}

std::optional<std::string> suggestion(std::string_view word, std::span<const std::string> candidates) {
  const auto best = std::ranges::min_element(
      candidates, {}, [&](const std::string& candidate) { return edit_distance(word, candidate); });
  if (best == candidates.end() || !is_near(word, *best)) return std::nullopt;
  return *best;
}

}  // namespace nystrom
