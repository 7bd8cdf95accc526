#include "data/corpus/wikipedia/templates.h"

#include <algorithm>

#include "data/corpus/paragraphs.h"
#include "data/corpus/wikipedia/languages.h"
#include "data/corpus/wikipedia/site.h"
#include "data/corpus/wikipedia/template_table.h"
#include "data/text/ascii.h"

namespace nystrom {
namespace {

using std::string_view;

/// "Template:Some_Name" to "some name".
std::string folded_name(string_view name) {
  std::string folded = wiki_folded(name);
  for (const string_view prefix : {"safesubst:", "subst:", "template:"}) {
    if (folded.starts_with(prefix)) folded.erase(0, prefix.size());
  }
  return folded;
}

std::string joined(const TemplateCall& call, string_view between) {
  std::string text;
  for (std::size_t i = 1; i <= call.count(); ++i) {
    const auto part = call.at(i);
    if (part.empty()) continue;
    if (!text.empty()) text += between;
    text += part;
  }
  return text;
}

std::string chemical(const TemplateCall& call) {
  std::string text;
  for (std::size_t i = 1; i <= call.count(); ++i) {
    const auto part = call.at(i);
    if (!text.empty() && !part.empty() && is_ascii_digit(text.back()) && is_ascii_digit(part.front()))
      text += '^';
    text += part;
  }
  return text;
}

std::string fraction(const TemplateCall& call) {
  switch (call.count()) {
    case 1:
      return "1/" + std::string(call.at(1));
    case 2:
      return std::string(call.at(1)).append("/").append(call.at(2));
    case 3:
      return std::string(call.at(1)).append(" ").append(call.at(2)).append("/").append(call.at(3));
    default:
      return {};
  }
}

std::string ship(string_view prefix, const TemplateCall& call) {
  std::string text(prefix);
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
  return text.append(" ").append(call.at(1));
}

std::string value(const TemplateCall& call) {
  std::string text(call.at(1));
  if (!call.at(2).empty()) text.append("\u00B1").append(call.at(2));
  if (!call.named("e").empty()) text.append("\u00D710^").append(call.named("e"));
  for (const string_view key : {"u", "ul"}) {
    if (!call.named(key).empty()) text.append(" ").append(call.named(key));
  }
  return text;
}

std::string height(const TemplateCall& call) {
  std::string text;
  for (const string_view unit : {"ft", "in", "m", "cm"}) {
    if (call.named(unit).empty()) continue;
    text.append(text.empty() ? "" : " ").append(call.named(unit)).append(" ").append(unit);
  }
  return text;
}

std::string harvard(const TemplateCall& call) {
  if (call.count() < 2) return joined(call, "");
  std::string authors;
  for (std::size_t i = 1; i < call.count(); ++i) authors.append(i == 1 ? "" : ", ").append(call.at(i));
  return authors.append(" (").append(call.at(call.count())).append(")");
}

/// Of the first `count` arguments that are not empty.
std::string first_of(int count, const TemplateCall& call) {
  std::string text;
  int parts = 0;
  for (std::size_t i = 1; i <= call.count() && parts < count; ++i) {
    if (call.at(i).empty()) continue;
    text.append(parts++ == 0 ? "" : " ").append(call.at(i));
  }
  return text;
}

std::string music(const TemplateCall& call) {
  const auto name = call.at(1);
  if (name == "flat" || name == "b") return "\u266D";
  if (name == "sharp" || name == "#") return "\u266F";
  if (name == "natural") return "\u266E";
  return std::string(call.at(call.count()));
}

/// `marks`: what is printed before and after the text, separated by a blank.
std::string marked(string_view marks, string_view text) {
  const std::size_t blank = marks.find(' ');
  return text.empty() ? std::string()
                      : std::string(marks.substr(0, blank)).append(text).append(marks.substr(blank + 1));
}

std::string hour(const TemplateCall& call) {
  if (call.at(1).empty()) return {};
  const std::string blank = call.at(2).empty() ? "" : " ";
  return std::string(call.at(1)).append(" h").append(blank).append(call.at(2));
}

/// Year and day of birth, then of death.
std::string life(const TemplateCall& call) {
  std::string text = std::string(call.at(1)).append(call.at(2));
  if (!call.at(3).empty()) text.append("\uFF0D").append(call.at(3)).append(call.at(4));
  return text;
}

std::string block(const TemplateCall& call) {
  string_view text = call.at(1);
  for (const string_view key : {"text", "quote"}) {
    if (!call.named(key).empty()) text = call.named(key);
  }
  return text.empty() ? std::string() : "\n\n" + std::string(text) + "\n\n";
}

std::string expand(const Shown& entry, const TemplateCall& call) {
  switch (entry.show) {
    case Show::kFirst:
      return std::string(call.at(1));
    case Show::kSecond:
      return std::string(call.at(2));
    case Show::kLast:
      return std::string(call.at(call.count()));
    case Show::kChemical:
      return chemical(call);
    case Show::kJoined:
      return joined(call, entry.text);
    case Show::kText:
      return std::string(entry.text);
    case Show::kPrefixed:
      return std::string(entry.text).append(call.at(1));
    case Show::kBlock:
      return block(call);
    case Show::kNamed:
      return std::string(call.named(entry.text).empty() ? call.at(1) : call.named(entry.text));
    case Show::kConvert:
      return expand_convert(call);
    case Show::kDate:
      return expand_date(call, 1);
    case Show::kDeath:
      return expand_date(call, 1);
    case Show::kAsOf:
      return expand_as_of(call);
    case Show::kFraction:
      return fraction(call);
    case Show::kShip:
      return ship(entry.name, call);
    case Show::kHarvard:
      return harvard(call);
    case Show::kValue:
      return value(call);
    case Show::kHeight:
      return height(call);
    case Show::kNuclide:
      return joined(call, "-");
    case Show::kFirstTwo:
      return first_of(2, call);
    case Show::kMarked:
      return marked(entry.text, call.at(1));
    case Show::kMusic:
      return music(call);
    case Show::kCoordinates:
      return expand_coordinates(call);
    case Show::kOldStyle:
      return std::string(call.at(1)).append(" [O.S. ").append(call.at(3)).append("] ").append(call.at(2));
    case Show::kSuffixed:
      return call.at(1).empty() ? std::string() : std::string(call.at(1)).append(entry.text);
    case Show::kFirstThree:
      return first_of(3, call);
    case Show::kHour:
      return hour(call);
    case Show::kDisplay:
      return std::string(call.at(2).empty() ? call.at(1) : call.at(2));
    case Show::kReading:
      return std::string(call.at(1)).append("\uFF08").append(call.at(2)).append("\uFF09");
    case Show::kLife:
      return life(call);
  }
  return {};
}

/// Names that are a pattern: {{lang-de|Wort}}, and in German {{frS|mot}}, in Hungarian {{ny-en|word}}, in
/// Finnish {{k-en|word}}, in Chinese {{link-en|...}}.
bool shows_first(string_view name, string_view language) {
  if (name.starts_with("lang-")) return true;
  if (language == "de") return name.size() == 3 && name.ends_with('s') && is_wiki_code(name.substr(0, 2));
  if (language == "hu") return name.starts_with("ny-");
  if (language == "fi") return name.starts_with("k-");
  return language == "zh" && (name.starts_with("link-") || name.starts_with("internal link helper/"));
}

}  // namespace

string_view TemplateCall::at(std::size_t n) const {
  std::size_t position = 0;
  for (const auto& argument : arguments) {
    if (argument.key.empty() ? ++position == n : argument.key == std::to_string(n))
      return trimmed(argument.value);
  }
  return {};
}

string_view TemplateCall::named(string_view key) const {
  for (const auto& argument : arguments) {
    if (argument.key == key) return trimmed(argument.value);
  }
  return {};
}

std::size_t TemplateCall::count() const {
  std::size_t position = 0, largest = 0;
  for (const auto& argument : arguments) {
    if (argument.key.empty())
      ++position;
    else if (argument.key.size() == 1 && argument.key[0] >= '1' && argument.key[0] <= '9')
      largest = std::max(largest, static_cast<std::size_t>(argument.key[0] - '0'));
  }
  return std::max(position, largest);
}

std::string expand_template(const TemplateCall& call, string_view language) {
  const std::string name = folded_name(call.name);
  if (const auto* entry = find_shown(name, language)) return expand(*entry, call);
  if (shows_first(name, language)) return std::string(call.at(1));
  // {{formatnum:1234}}: the first argument comes after the colon.
  const std::size_t colon = name.find(':');
  if (colon == std::string::npos) return {};
  const auto function = string_view(name).substr(0, colon);
  if (function != "formatnum" && function != "lc" && function != "uc" && function != "lcfirst" &&
      function != "ucfirst")
    return {};
  return std::string(trimmed(call.name.substr(call.name.find(':') + 1)));
}

}  // namespace nystrom
