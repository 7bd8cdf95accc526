#pragma once
// ListOps (Nangia and Bowman, arXiv 1804.06028): nested lists of operators and digits, [MAX 2 9 [MIN 4 7 ] 0
// ], whose value is a digit; sampled as the Long Range Arena samples them (arXiv 2011.04006).
//
//   const ListOpsGenerator generator({}, 1);
//   generator.draw(0, expression);                       // a pure function of the rule, the seed and 0
//   const std::optional<int> value = listops_value(expression);

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/core/philox.h"

namespace nystrom {

/// The 15 tokens: 0 to 9 are the digits.
enum ListOpsToken : std::uint8_t { kListMin = 10, kListMax, kListMedian, kListSum, kListEnd };
inline constexpr int kListOpsTokens = 15;

/// An expression in the order of reading, one token a byte: a list is its operator, its arguments and
/// kListEnd.
using ListOpsExpression = std::vector<std::uint8_t>;

/// "7", "[MAX", "]"
[[nodiscard]] std::string_view listops_word(std::uint8_t token);
/// The token of a word; `X` is `]` too, as some write it.
[[nodiscard]] std::optional<std::uint8_t> listops_token(std::string_view word);

/// MIN, MAX; MED: the middle argument, or the mean of the two middle ones rounded down; SM: the sum
/// modulo 10. Empty if the tokens are not one expression.
[[nodiscard]] std::optional<int> listops_value(std::span<const std::uint8_t> tokens);

/// The level of the deepest token, where the root is on the first. Precondition: an expression.
[[nodiscard]] int listops_depth(std::span<const std::uint8_t> tokens);

/// The official files' form: pairs nested to the left, each token between blanks, `( ( ( [MAX 3 ) 4 ) ] )`.
/// Precondition: an expression.
[[nodiscard]] std::string listops_text(std::span<const std::uint8_t> tokens);

/// Reads that form, or one without round brackets, which carry nothing. Returns the first word that is not
/// a token; empty: there is none. The tokens need not form an expression.
[[nodiscard]] std::string_view read_listops_text(std::string_view text, ListOpsExpression& tokens);

/// The distribution of expressions. Lengths count tokens.
struct ListOpsRule {
  std::int64_t depth = 10;      ///< lists are above this level
  std::int64_t arguments = 10;  ///< of a list: 2 to this many
  double lists = 0.25;          ///< probability that an argument above the deepest level is a list
  std::int64_t longer_than = 500, shorter_than = 2000;
};

/// Draws expressions that follow a rule: trees of the branching process until one has the right length.
class ListOpsGenerator {
 public:
  /// Refuses a rule that no expression follows.
  ListOpsGenerator(const ListOpsRule& rule, std::uint64_t seed);

  [[nodiscard]] const ListOpsRule& rule() const { return rule_; }

  /// Expression `index`. Refuses a rule that a million trees do not meet. Any threads may call it.
  void draw(std::uint64_t index, ListOpsExpression& expression) const;

 private:
  /// Appends a digit or list of this level; false if the expression has become too long.
  bool grow(Random& random, std::int64_t level, ListOpsExpression& expression) const;

  ListOpsRule rule_;
  std::uint64_t seed_;
};

}  // namespace nystrom
