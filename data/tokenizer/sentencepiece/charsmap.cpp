#include "data/tokenizer/sentencepiece/charsmap.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <optional>

#include "kernels/core/check.h"

namespace nystrom {
namespace {

/// One character of UTF-8 at `at`, which moves past it.
char32_t next_character(const std::string& text, std::size_t& at) {
  const auto byte = [&](std::size_t i) {
    if (i >= text.size())
      refuse("The tokenizer's normalization rules are corrupt: a key is not valid UTF-8.");
    return static_cast<std::uint32_t>(static_cast<unsigned char>(text[i]));
  };
  const std::uint32_t first = byte(at);
  const std::size_t length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  std::uint32_t value = length == 1 ? first : first & (0xffU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) value = value << 6U | (byte(at + i) & 0x3fU);
  at += length;
  return value;
}

std::u32string characters_of(const std::string& text) {
  std::u32string characters;
  for (std::size_t at = 0; at < text.size();) characters += next_character(text, at);
  return characters;
}

/// darts-clone: unit i has a label, an offset to its children, and whether a value hangs on it.
class CharsmapTrie {
 public:
  explicit CharsmapTrie(const std::string& charsmap) {
    std::uint32_t bytes = 0;
    if (charsmap.size() < sizeof bytes) damaged();
    std::memcpy(&bytes, charsmap.data(), sizeof bytes);
    if (bytes % 4 != 0 || bytes > charsmap.size() - sizeof bytes) damaged();
    units_.resize(bytes / 4);
    std::memcpy(units_.data(), charsmap.data() + sizeof bytes, bytes);
    texts_ = charsmap.substr(sizeof bytes + bytes);
  }

  [[nodiscard]] const std::string& texts() const { return texts_; }

  /// Calls use(key, text) for every rule.
  template <class Use>
  void each(const Use& use) const {
    if (units_.empty()) return;
    std::string key;
    std::size_t visits = 0;
    visit(offset_of(0, units_[0]), key, visits, use);
  }

 private:
  [[noreturn]] static void damaged() { refuse("The tokenizer's normalization rules are corrupt."); }
  [[nodiscard]] static std::uint32_t offset_of(std::uint32_t position, std::uint32_t unit) {
    return position ^ ((unit >> 10U) << ((unit & (1U << 9U)) >> 6U));
  }

  /// Rules share the units of equal tails (NFKC's 44,288 units are met 262,093 times), so a few units can
  /// encode endless rules.
  template <class Use>
  void visit(std::uint32_t base, std::string& key, std::size_t& visits, const Use& use) const {
    constexpr std::size_t kLongest = 64, kMaxVisits = 4'000'000;
    if (key.size() > kLongest || ++visits > kMaxVisits) damaged();
    for (std::uint32_t label = 1; label < 256; ++label) {
      const std::uint32_t child = base ^ label;
      if (child >= units_.size() || (units_[child] & (1U << 31U | 0xffU)) != label) continue;
      key.push_back(static_cast<char>(label));
      const std::uint32_t next = offset_of(child, units_[child]);
      if ((units_[child] >> 8U & 1U) != 0) {
        if (next >= units_.size()) damaged();
        const std::uint32_t at = units_[next] & 0x7fffffffU;
        if (at >= texts_.size()) damaged();
        use(key, std::string(texts_.c_str() + at));
      }
      visit(next, key, visits, use);
      key.pop_back();
    }
  }

  std::vector<std::uint32_t> units_;
  std::string texts_;  // zero-terminated, one after another
};

/// A state of the smallest automaton of the keys; equal states are one.
class Automaton {
 public:
  explicit Automaton(const std::vector<std::u32string>& keys) {
    for (const auto& key : keys) insert(key);
    start_ = canonical(root_);
  }
  [[nodiscard]] std::string pattern() const { return pattern_of(start_); }

 private:
  struct Node {
    bool final = false;
    std::map<char32_t, std::unique_ptr<Node>> next;
  };
  struct State {
    bool final = false;
    std::map<char32_t, std::size_t> next;
    auto operator<=>(const State&) const = default;
  };

  void insert(const std::u32string& key) {
    Node* node = &root_;
    for (const char32_t c : key) {
      auto& child = node->next[c];
      if (!child) child = std::make_unique<Node>();
      node = child.get();
    }
    node->final = true;
  }
  std::size_t canonical(const Node& node) {
    State state{node.final, {}};
    for (const auto& [c, child] : node.next) state.next[c] = canonical(*child);
    const auto [found, fresh] = numbers_.try_emplace(state, states_.size());
    if (fresh) states_.push_back(state);
    return found->second;
  }

  /// Characters as a class: ranges by code points.
  static std::string class_of(const std::vector<char32_t>& characters) {
    std::string text = "[";
    for (std::size_t i = 0; i < characters.size();) {
      std::size_t end = i;
      while (end + 1 < characters.size() && characters[end + 1] == characters[end] + 1) ++end;
      text += fmt::format("\\x{{{:x}}}", static_cast<std::uint32_t>(characters[i]));
      if (end > i) text += fmt::format("-\\x{{{:x}}}", static_cast<std::uint32_t>(characters[end]));
      i = end + 1;
    }
    text += "]";
    return text;
  }

  [[nodiscard]] std::string pattern_of(std::size_t number) const {
    const State& state = states_[number];
    std::map<std::size_t, std::vector<char32_t>> by_target;
    for (const auto& [c, target] : state.next) by_target[target].push_back(c);
    std::string text;
    for (const auto& [target, characters] : by_target) {
      if (!text.empty()) text += '|';
      text += class_of(characters);
      text += pattern_of(target);
    }
    if (text.empty()) return text;
    text = fmt::format("(?:{})", text);
    if (state.final) text += '?';
    return text;
  }

  Node root_;
  std::map<State, std::size_t> numbers_;
  std::vector<State> states_;
  std::size_t start_ = 0;
};

}  // namespace

std::vector<std::pair<std::u32string, std::string>> charsmap_rules(const std::string& charsmap) {
  std::vector<std::pair<std::u32string, std::string>> rules;
  if (charsmap.empty()) return rules;
  const CharsmapTrie trie(charsmap);
  check_replacements(trie.texts(), "The tokenizer's normalization rules");
  trie.each([&rules](const std::string& key, std::string text) {
    rules.emplace_back(characters_of(key), std::move(text));
  });
  return rules;
}

void check_replacements(std::string_view texts, const std::string& origin) {
  constexpr std::size_t kLongest = 1024;  // bytes; the longest of NFKC is 33
  for (std::size_t begin = 0; begin < texts.size();) {
    const std::size_t end = std::min(texts.find('\0', begin), texts.size());
    if (end - begin > kLongest)
      refuse("{}: a replacement has {} bytes, more than {}; it is corrupt or malicious.", origin, end - begin,
             kLongest);
    begin = end + 1;
  }
}

std::string longest_match_pattern(const std::vector<std::u32string>& keys) {
  return keys.empty() ? std::string() : Automaton(keys).pattern();
}

}  // namespace nystrom
