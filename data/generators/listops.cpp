#include "data/generators/listops.h"

#include <algorithm>
#include <array>

#include "kernels/core/check.h"

namespace nystrom {
namespace {

constexpr std::array<std::string_view, kListOpsTokens> kWords{
    "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "[MIN", "[MAX", "[MED", "[SM", "]"};
constexpr std::int64_t kDeepest = 100;

bool is_operator(std::uint8_t token) {
  return token >= kListMin && token <= kListSum;
}

/// The argument at `rank` in ascending order, from 0.
int ranked(const std::array<int, 10>& counts, int rank) {
  std::size_t digit = 0;
  for (int through = counts[0]; through <= rank; through += counts[digit]) ++digit;
  return static_cast<int>(digit);
}

int applied(std::uint8_t operation, std::span<const std::uint8_t> arguments) {
  std::array<int, 10> counts{};
  int sum = 0;
  for (const std::uint8_t argument : arguments) {
    ++counts[argument];
    sum += argument;
  }
  const int last = static_cast<int>(arguments.size()) - 1;
  switch (operation) {
    case kListMin:
      return ranked(counts, 0);
    case kListMax:
      return ranked(counts, last);
    case kListMedian:
      return (ranked(counts, last / 2) + ranked(counts, (last + 1) / 2)) / 2;
    default:
      return sum % 10;
  }
}

/// For each operator in an expression, the number of arguments of its list; 0 at other tokens.
std::vector<int> arguments_of(std::span<const std::uint8_t> tokens) {
  std::vector<int> arguments(tokens.size());
  std::vector<std::size_t> open;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i] == kListEnd) {
      open.pop_back();
      continue;
    }
    if (!open.empty()) ++arguments[open.back()];
    if (is_operator(tokens[i])) open.push_back(i);
  }
  return arguments;
}

/// Tokens of the longest expression of the rule's depth and arguments; at most `enough`.
std::int64_t longest(const ListOpsRule& rule, std::int64_t enough) {
  std::int64_t length = 1;
  for (std::int64_t level = rule.depth; level > 1 && length < enough; --level)
    length = 2 + rule.arguments * length;
  return std::min(length, enough);
}

}  // namespace

std::string_view listops_word(std::uint8_t token) {
  return kWords.at(token);
}

std::optional<std::uint8_t> listops_token(std::string_view word) {
  if (word == "X") return kListEnd;
  const auto found = std::ranges::find(kWords, word);
  if (found == kWords.end()) return std::nullopt;
  return static_cast<std::uint8_t>(found - kWords.begin());
}

std::optional<int> listops_value(std::span<const std::uint8_t> tokens) {
  std::vector<std::uint8_t> values;  // arguments of the open lists
  struct List {
    std::uint8_t operation;
    std::size_t first;  // of its arguments
  };
  std::vector<List> open;
  for (const std::uint8_t token : tokens) {
    if (open.empty() && !values.empty()) return std::nullopt;  // something follows the end
    if (is_operator(token)) {
      open.push_back({token, values.size()});
    } else if (token < kListMin) {
      values.push_back(token);
    } else {
      if (token != kListEnd || open.empty() || values.size() == open.back().first) return std::nullopt;
      const auto [operation, first] = open.back();
      const int value = applied(operation, std::span<const std::uint8_t>(values).subspan(first));
      open.pop_back();
      values.resize(first);
      values.push_back(static_cast<std::uint8_t>(value));
    }
  }
  if (!open.empty() || values.size() != 1) return std::nullopt;
  return values[0];
}

int listops_depth(std::span<const std::uint8_t> tokens) {
  int level = 1, deepest = 1;
  for (const std::uint8_t token : tokens) {
    if (token == kListEnd) --level;
    if (token != kListEnd) deepest = std::max(deepest, level);
    if (is_operator(token)) ++level;
  }
  return deepest;
}

std::string listops_text(std::span<const std::uint8_t> tokens) {
  const std::vector<int> arguments = arguments_of(tokens);
  std::string text;
  std::int64_t open = 0;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (i > 0) text += ' ';
    for (int pair = 0; is_operator(tokens[i]) && pair <= arguments[i]; ++pair) text += "( ";
    text += listops_word(tokens[i]);
    if (is_operator(tokens[i])) {
      ++open;
      continue;
    }
    if (tokens[i] == kListEnd) {
      text += " )";
      --open;
    }
    if (open > 0) text += " )";  // the pair that an argument ends
  }
  return text;
}

std::string_view read_listops_text(std::string_view text, ListOpsExpression& tokens) {
  tokens.clear();
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (word.empty() || word == "(" || word == ")") continue;
    const std::optional<std::uint8_t> token = listops_token(word);
    if (!token) return word;
    tokens.push_back(*token);
  }
  return {};
}

ListOpsGenerator::ListOpsGenerator(const ListOpsRule& rule, std::uint64_t seed) : rule_(rule), seed_(seed) {
  if (rule.depth < 1 || rule.depth > kDeepest)
    refuse("ListOps' depth is {}; it must be between 1 and {}.", rule.depth, kDeepest);
  if (rule.arguments < 2 || rule.arguments > 1000)
    refuse("ListOps' lists have at most {} arguments; it must be a number between 2 and 1000.",
           rule.arguments);
  if (!(rule.lists > 0 && rule.lists <= 1))
    refuse("ListOps' share of lists is {}; it must be above 0 and at most 1.", rule.lists);
  const std::int64_t shortest = std::max<std::int64_t>(rule.longer_than + 1, 1);
  if (shortest >= rule.shorter_than)
    refuse("No ListOps expression has more than {} and fewer than {} tokens.", rule.longer_than,
           rule.shorter_than);
  if (longest(rule, shortest) < shortest)
    refuse(
        "ListOps expressions of depth {} with at most {} arguments a list have at most {} tokens, none more than {}; "
        "raise the depth or the number of arguments.",
        rule.depth, rule.arguments, longest(rule, shortest), rule.longer_than);
}

void ListOpsGenerator::draw(std::uint64_t index, ListOpsExpression& expression) const {
  constexpr int kTrees = 1'000'000;
  Random random(seed_, Purpose::kGeneration, index);
  for (int tree = 0; tree < kTrees; ++tree) {
    expression.clear();
    if (grow(random, 1, expression) && std::ssize(expression) > rule_.longer_than) return;
  }
  refuse(
      "Of {} ListOps expressions of depth {} none had more than {} and fewer than {} tokens; give other bounds.",
      kTrees, rule_.depth, rule_.longer_than, rule_.shorter_than);
}

bool ListOpsGenerator::grow(Random& random, std::int64_t level, ListOpsExpression& expression) const {
  if (level >= rule_.depth || random.uniform() >= rule_.lists) {
    expression.push_back(static_cast<std::uint8_t>(random.below(10)));
  } else {
    expression.push_back(static_cast<std::uint8_t>(kListMin + random.below(4)));
    const std::uint64_t arguments = 2 + random.below(static_cast<std::uint64_t>(rule_.arguments) - 1);
    for (std::uint64_t i = 0; i < arguments; ++i)
      if (!grow(random, level + 1, expression)) return false;
    expression.push_back(kListEnd);
  }
  return std::ssize(expression) < rule_.shorter_than;
}

}  // namespace nystrom
