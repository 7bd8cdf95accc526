#pragma once
// "Did you mean ...?": the known word nearest to an unknown one.

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace nystrom {

/// Insertions, deletions, changes and swaps of neighbours that make `b` out of `a`.
int edit_distance(std::string_view a, std::string_view b);

/// Is `word` a slip of `candidate`: at most a third of its letters differ?
bool is_near(std::string_view word, std::string_view candidate);

/// The nearest candidate (the first of equals), if it is near.
std::optional<std::string> suggestion(std::string_view word, std::span<const std::string> candidates);

}  // namespace nystrom
