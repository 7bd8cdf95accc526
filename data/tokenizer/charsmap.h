#pragma once
// SentencePiece's compiled rules of normalization: a double-array trie (darts-clone) from sequences of
// characters to texts. At each place of a text the longest rule is applied; what no rule begins with stays.

#include <string>
#include <utility>
#include <vector>

namespace nystrom {

/// All rules, sorted by their keys. Throws InputError where the bytes are none.
[[nodiscard]] std::vector<std::pair<std::u32string, std::string>> charsmap_rules(const std::string& charsmap);

/// A regular expression (Oniguruma) that matches the longest of `keys` at a place: the trie of the keys with
/// equal tails shared, so that a hundred thousand keys become some kilobytes. Empty without keys.
[[nodiscard]] std::string longest_match_pattern(const std::vector<std::u32string>& keys);

}  // namespace nystrom
