#pragma once
// "Did you mean ...?": which known word is meant by one that is unknown.

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace nystrom {

/// Insertions, deletions, changes and swaps of neighbours that make `b` out of `a`.
int edit_distance(std::string_view a, std::string_view b);

/// The candidate with the smallest edit distance to `word` (the first of equals), however large that is;
/// none without candidates.
std::optional<std::string> suggestion(std::string_view word, std::span<const std::string> candidates);

}  // namespace nystrom
