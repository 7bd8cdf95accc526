#pragma once
// SentencePiece's compiled rules of normalization: a double-array trie (darts-clone) from sequences of
// characters to texts. At each position the longest rule is applied; what no rule begins with stays.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nystrom {

/// All rules, sorted by their keys. Throws InputError if the bytes are not rules.
[[nodiscard]] std::vector<std::pair<std::u32string, std::string>> charsmap_rules(const std::string& charsmap);

/// Refuses texts (each ends with a zero) that rules put in the place of a few characters, if one is longer
/// than any rule's: a short text could take all memory. `origin` is named in messages.
void check_replacements(std::string_view texts, const std::string& origin);

/// A regular expression (Oniguruma) that matches the longest of `keys`: the trie of the keys with
/// equal suffixes shared, so that a hundred thousand keys become some kilobytes. Empty without keys.
[[nodiscard]] std::string longest_match_pattern(const std::vector<std::u32string>& keys);

}  // namespace nystrom
