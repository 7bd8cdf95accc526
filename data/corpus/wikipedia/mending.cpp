// Cleaning up after the removal of markup from a paragraph: empty parentheses, lone commas, doubled blanks.

#include <algorithm>
#include <array>
#include <cstdint>

#include "data/corpus/wikipedia/wikitext.h"
#include "data/text/utf8.h"

namespace nystrom {
namespace {

using std::string_view;

bool is_separator(char c) {
  return c == ' ' || c == ',' || c == ';' || c == ':' || c == '.' || c == '/' || c == '-' || c == '\t';
}

/// Commas and the like of other scripts.
constexpr auto kWideSeparators = std::to_array<string_view>(
    {"\u3001", "\uFF0C", "\uFF1B", "\uFF1A", "\u30FB", "\u3000", "\u060C", "\u061B"});

struct Pair {
  string_view open, close;
};
constexpr auto kPairs = std::to_array<Pair>({{"(", ")"},
                                             {"[", "]"},
                                             {"\"", "\""},
                                             {"\uFF08", "\uFF09"},
                                             {"\uFF3B", "\uFF3D"},
                                             {"\u3010", "\u3011"},
                                             {"\u3014", "\u3015"},
                                             {"\u300C", "\u300D"},
                                             {"\u300E", "\u300F"},
                                             {"\u3008", "\u3009"},
                                             {"\u300A", "\u300B"},
                                             {"\u00AB", "\u00BB"},
                                             {"\u201E", "\u201C"}});

/// Length of the separator of another script that `text` begins with, or 0.
std::size_t wide_separator(string_view text) {
  for (const string_view separator : kWideSeparators)
    if (text.starts_with(separator)) return separator.size();
  return 0;
}

std::size_t separator(string_view text) {
  return !text.empty() && is_separator(text.front()) ? 1 : wide_separator(text);
}

enum class Sign : std::uint8_t { kNone, kOpens, kCloses, kComma };

/// Of other scripts, as far as it is mended.
Sign sign_of(char32_t c) {
  switch (c) {
    case 0xAB:
    case 0x201E:
    case 0x3008:
    case 0x300A:
    case 0x300C:
    case 0x300E:
    case 0x3010:
    case 0x3014:
    case 0xFF08:
    case 0xFF3B:
      return Sign::kOpens;
    case 0xFF09:
      return Sign::kCloses;
    case 0x60C:
    case 0x3001:
    case 0xFF0C:
      return Sign::kComma;
    default:
      return Sign::kNone;
  }
}

/// ASCII that is mended, and the first bytes of other scripts' signs.
constexpr std::array<bool, 256> mended_bytes() {
  std::array<bool, 256> special{};
  for (const char c : string_view("([\") ,;.:\xC2\xD8\xE2\xE3\xEF"))
    special.at(static_cast<unsigned char>(c)) = true;
  return special;
}
constexpr auto kMendedBytes = mended_bytes();

/// A paragraph that is mended from its beginning to its end.
class Mending {
 public:
  explicit Mending(string_view text) : rest_(text) { out_.reserve(text.size()); }

  std::string run() {
    while (!rest_.empty()) {
      std::size_t plain = 0;
      while (plain < rest_.size() && !kMendedBytes.at(static_cast<unsigned char>(rest_[plain]))) ++plain;
      keep(plain);
      if (!rest_.empty()) step();
    }
    while (out_.ends_with(' ')) out_.pop_back();
    return std::move(out_);
  }

 private:
  void keep(std::size_t length) {
    out_ += rest_.substr(0, length);
    rest_.remove_prefix(length);
  }

  void step() {
    switch (rest_.front()) {
      case '(':
      case '[':
      case '"':
        return open();
      case ')':
        return close(1);
      case ' ':
        if (out_.empty() || out_.back() == ' ') return rest_.remove_prefix(1);
        return keep(1);
      case ',':
      case ';':
      case '.':
      case ':':
        return stop();
      default:
        return wide();
    }
  }

  /// A parenthesis, a pair of brackets or quotes that is empty is removed; "( , born 1900)" loses its comma.
  void open() {
    const auto pair = std::find_if(kPairs.begin(), kPairs.end(),
                                   [this](const Pair& each) { return rest_.starts_with(each.open); });
    if (pair == kPairs.end()) return keep(1);
    std::size_t end = pair->open.size();
    if (pair->open != "\"") {
      while (const std::size_t length = separator(rest_.substr(end))) end += length;
    }
    if (rest_.substr(end).starts_with(pair->close)) return rest_.remove_prefix(end + pair->close.size());
    keep(pair->open.size());
    if (pair->open == "(" || pair->open == "\uFF08") skip_separators();
  }
  void skip_separators() {
    const auto narrow = [](char c) { return c == ' ' || c == ',' || c == ';'; };
    while (!rest_.empty()) {
      const std::size_t length = narrow(rest_.front()) ? 1 : wide_separator(rest_);
      if (length == 0) return;
      rest_.remove_prefix(length);
    }
  }

  /// A parenthesis that closes, of `length` bytes.
  void close(std::size_t length) {
    for (bool more = true; more;) {
      more = false;
      for (const string_view mark : {" ", ",", ";"}) more = take_off(mark) || more;
      for (const string_view mark : kWideSeparators) more = take_off(mark) || more;
    }
    keep(length);
  }
  bool take_off(string_view mark) {
    if (!out_.ends_with(mark)) return false;
    out_.resize(out_.size() - mark.size());
    return true;
  }

  /// No blank before it, none doubled.
  void stop() {
    const char c = rest_.front();
    const bool ends_word = rest_.size() == 1 || rest_[1] == ' ';
    if (ends_word && out_.ends_with(' ')) out_.pop_back();
    if (c == ',' && (out_.ends_with(',') || out_.ends_with(':'))) return rest_.remove_prefix(1);
    if (c == '.' && out_.ends_with(':')) out_.pop_back();  // of "it is: <formula>."
    keep(1);
  }

  void wide() {
    const std::size_t length = std::max<std::size_t>(1, utf8_sequence(rest_));
    switch (sign_of(utf8_decode(rest_.data(), length))) {
      case Sign::kOpens:
        return open();
      case Sign::kCloses:
        return close(length);
      case Sign::kComma:
        if (out_.ends_with(rest_.substr(0, length))) return rest_.remove_prefix(length);
        return keep(length);
      case Sign::kNone:
        return keep(length);
    }
  }

  string_view rest_;
  std::string out_;
};

}  // namespace

std::string mended(string_view text) {
  return Mending(text).run();
}

}  // namespace nystrom
