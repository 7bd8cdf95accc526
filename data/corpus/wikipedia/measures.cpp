// {{convert|5|km|mi}} and the templates of dates.

#include <algorithm>
#include <array>
#include <charconv>

#include "data/corpus/wikipedia/templates.h"

namespace nystrom {
namespace {

using std::string_view;

struct Word {
  string_view from, to;
};

/// Separators between the numbers of a range.
constexpr auto kBetween = std::to_array<Word>({{"to", " to "},
                                               {"-", "\u2013"},
                                               {"\u2013", "\u2013"},
                                               {"and", " and "},
                                               {"x", " x "},
                                               {"by", " by "},
                                               {"or", " or "},
                                               {"+/-", " \u00B1 "},
                                               {"to(-)", " to "},
                                               {"and(-)", " and "},
                                               {"*", " \u00D7 "},
                                               {"\u00D7", " \u00D7 "}});

/// Units that are not written as they are named in the template.
constexpr auto kUnits = std::to_array<Word>({{"C", "\u00B0C"},
                                             {"F", "\u00B0F"},
                                             {"sqmi", "square miles"},
                                             {"sqkm", "km\u00B2"},
                                             {"km2", "km\u00B2"},
                                             {"m2", "m\u00B2"},
                                             {"cm2", "cm\u00B2"},
                                             {"sqft", "square feet"},
                                             {"m3", "m\u00B3"},
                                             {"km3", "km\u00B3"},
                                             {"cuft", "cubic feet"},
                                             {"cumi", "cubic miles"},
                                             {"acre", "acres"},
                                             {"mi", "miles"},
                                             {"ft", "feet"},
                                             {"in", "inches"},
                                             {"yd", "yards"},
                                             {"lb", "pounds"},
                                             {"oz", "ounces"},
                                             {"nmi", "nautical miles"},
                                             {"foot", "foot"},
                                             {"km/h", "km/h"},
                                             {"PD/sqmi", "per square mile"},
                                             {"/sqmi", "per square mile"},
                                             {"PD/km2", "per km\u00B2"},
                                             {"/km2", "per km\u00B2"}});

constexpr std::array<string_view, 12> kMonths{"January",   "February", "March",    "April",
                                              "May",       "June",     "July",     "August",
                                              "September", "October",  "November", "December"};

template <std::size_t N>
string_view look_up(const std::array<Word, N>& words, string_view word) {
  for (const auto& entry : words) {
    if (entry.from == word) return entry.to;
  }
  return {};
}

bool is_number(string_view text) {
  return !text.empty() && text.find_first_of("0123456789") != string_view::npos &&
         text.find_first_not_of("0123456789.,+-/ e\xE2\x88\x92") == string_view::npos;
}

int to_int(string_view digits) {
  int value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return error == std::errc() && end == digits.data() + digits.size() ? value : 0;
}

std::string date_text(string_view year, string_view month, string_view day, bool day_first) {
  const int number = to_int(month);
  const auto name = number >= 1 && number <= 12 ? kMonths.at(static_cast<std::size_t>(number - 1))
                    : number == 0               ? month
                                                : string_view();
  std::string text;
  if (!name.empty() && !day.empty()) {
    text = day_first ? std::string(day) + " " + std::string(name) + " "
                     : std::string(name) + " " + std::string(day) + ", ";
  } else if (!name.empty()) {
    text = std::string(name) + " ";
  }
  return text.append(year);
}

bool day_first(const TemplateCall& call) {
  return !call.named("df").empty() && call.named("df") != "no";
}

}  // namespace

std::string expand_convert(const TemplateCall& call) {
  std::string text(call.at(1));
  std::size_t i = 2;
  for (; is_number(call.at(i + 1)); i += 2) {
    const auto between = look_up(kBetween, call.at(i));
    if (between.empty()) break;
    text.append(between).append(call.at(i + 1));
  }
  const auto unit = call.at(i);
  const auto shown = look_up(kUnits, unit);
  if (!unit.empty()) text.append(" ").append(shown.empty() ? unit : shown);
  // 6 ft 2 in
  const bool compound = unit == "ft" || unit == "lb" || unit == "st" || unit == "yd" || unit == "mi";
  if (compound && is_number(call.at(i + 1)) && !call.at(i + 2).empty()) {
    const auto second = look_up(kUnits, call.at(i + 2));
    text.append(" ").append(call.at(i + 1)).append(" ").append(second.empty() ? call.at(i + 2) : second);
  }
  return text;
}

std::string expand_date(const TemplateCall& call, std::size_t first) {
  if (to_int(call.at(first)) == 0) return std::string(call.at(first));
  return date_text(call.at(first), call.at(first + 1), call.at(first + 2), day_first(call));
}

std::string expand_coordinates(const TemplateCall& call) {
  if (call.named("display") == "title" || call.named("display") == "t") return {};
  constexpr std::array<string_view, 3> kMarks{"\u00B0", "\u2032", "\u2033"};
  std::string text;
  std::size_t numbers = 0, halves = 0;
  for (std::size_t i = 1; i <= call.count() && halves < 2; ++i) {
    const auto part = call.at(i);
    if (is_number(part) && numbers < kMarks.size()) {
      text.append(part).append(kMarks.at(numbers++));
    } else if (numbers > 0 && part.size() == 1 && string_view("NSEW").find(part[0]) != string_view::npos) {
      text.append(part).append(++halves == 1 ? " " : "");
      numbers = 0;
    } else {
      break;
    }
  }
  if (halves == 2) return text;
  if (is_number(call.at(1)) && is_number(call.at(2)) && call.at(3).find_first_of("0123456789") != 0)
    return std::string(call.at(1)).append(", ").append(call.at(2));
  return {};
}

std::string expand_as_of(const TemplateCall& call) {
  if (const auto alternative = call.named("alt"); !alternative.empty()) return std::string(alternative);
  const bool lower = !call.named("lc").empty();
  const bool since = !call.named("since").empty();
  return (since ? (lower ? "since " : "Since ") : (lower ? "as of " : "As of ")) +
         date_text(call.at(1), call.at(2), call.at(3), true);
}

}  // namespace nystrom
