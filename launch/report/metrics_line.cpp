#include "launch/report/metrics_line.h"

#include <charconv>
#include <cmath>
#include <limits>

namespace nystrom {
namespace {

constexpr double kAbsent = std::numeric_limits<double>::quiet_NaN();

class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  void blanks() {
    while (!text_.empty() && (text_.front() == ' ' || text_.front() == '\t' || text_.front() == '\r'))
      text_.remove_prefix(1);
  }
  bool take(char c) {
    blanks();
    if (text_.empty() || text_.front() != c) return false;
    text_.remove_prefix(1);
    return true;
  }
  [[nodiscard]] bool next_is(char c) {
    blanks();
    return !text_.empty() && text_.front() == c;
  }
  bool at_end() {
    blanks();
    return text_.empty();
  }

  /// A text without escapes.
  bool text(std::string_view& found) {
    if (!take('"')) return false;
    const std::size_t end = text_.find_first_of("\"\\");
    if (end == std::string_view::npos || text_[end] == '\\') return false;
    found = text_.substr(0, end);
    text_.remove_prefix(end + 1);
    return true;
  }

  bool number(double& value) {
    blanks();
    if (word("null", kAbsent, value) || word("true", 1, value) || word("false", 0, value)) return true;
    const auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), value);
    if (error == std::errc::result_out_of_range)
      value = kAbsent;
    else if (error != std::errc())
      return false;
    text_.remove_prefix(static_cast<std::size_t>(end - text_.data()));
    return true;
  }

  /// `"name": VALUE` members between braces, each value read by `value(name)`.
  template <class Value>
  bool members(const Value& value) {
    if (!take('{')) return false;
    if (take('}')) return true;
    do {
      std::string_view name;
      if (!text(name) || !take(':') || !value(name)) return false;
    } while (take(','));
    return take('}');
  }

  bool array(std::vector<double>& values) {
    if (!take('[')) return false;
    if (take(']')) return true;
    do {
      if (double value = 0; number(value))
        values.push_back(value);
      else
        return false;
    } while (take(','));
    return take(']');
  }

 private:
  bool word(std::string_view name, double meaning, double& value) {
    if (!text_.starts_with(name)) return false;
    text_.remove_prefix(name.size());
    value = meaning;
    return true;
  }

  std::string_view text_;
};

bool read_member(Scanner& scanner, std::string_view name, MetricsLine& line) {
  if (scanner.next_is('[')) {
    line.arrays.push_back({name, {}});
    return scanner.array(line.arrays.back().values);
  }
  if (scanner.next_is('{')) {
    line.objects.push_back({name, {}});
    return scanner.members([&](std::string_view key) {
      double value = 0;
      if (!scanner.number(value)) return false;
      line.objects.back().values.emplace_back(key, value);
      return true;
    });
  }
  if (std::string_view ignored; scanner.next_is('"')) return scanner.text(ignored);
  double value = 0;
  if (!scanner.number(value)) return false;
  line.numbers.emplace_back(name, value);
  return true;
}

}  // namespace

bool read_metrics_line(std::string_view text, MetricsLine& line) {
  line.numbers.clear();
  line.arrays.clear();
  line.objects.clear();
  line.step = -1;
  Scanner scanner(text);
  const bool whole = scanner.members([&](std::string_view name) {
    if (name != "step") return read_member(scanner, name, line);
    double step = 0;
    constexpr double kMaxStep = 9e15;  // a whole number exactly
    if (!scanner.number(step) || !(step >= 0 && step <= kMaxStep) || step != std::floor(step)) return false;
    line.step = static_cast<std::int64_t>(step);
    return true;
  });
  return whole && scanner.at_end() && line.step >= 0;
}

}  // namespace nystrom
