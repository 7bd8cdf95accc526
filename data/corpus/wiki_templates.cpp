#include "data/corpus/wiki_templates.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "data/corpus/paragraphs.h"

namespace nystrom {
namespace {

using std::string_view;

enum class Show : std::uint8_t {
  kFirst,     // its first argument
  kSecond,    // its second
  kLast,      // its last without key
  kChemical,  // all without key, "^" between digits: "SO4^2-"
  kJoined,    // all without key, `text` between
  kText,      // `text` itself
  kPrefixed,  // `text`, then the first argument
  kBlock,     // the first argument (or text=, quote=) as a paragraph
  kNamed,     // `text` is the key; else the first argument
  kConvert,
  kDate,   // year, month, day
  kDeath,  // the same, of the template that also tells the age
  kAsOf,
  kFraction,
  kShip,      // prefix (the name itself, in capitals) and ship
  kHarvard,   // "Smith (1999)"
  kValue,     // number, uncertainty, unit
  kHeight,    // "6 ft 2 in", "1.8 m"
  kNuclide,   // "uranium-235"
  kFirstTwo,  // "Mark 3:25"
  kMarked,    // `text`, which is "a b", around the first argument: "[x]"
  kMusic,     // a sign by its name
  kCoordinates,
  kOldStyle,  // "February 2 [O.S. January 20] 1905"
};

struct Shown {
  string_view name;
  Show show;
  string_view text = {};
};

constexpr auto sorted_by_name(auto entries) {
  std::sort(entries.begin(), entries.end(), [](const Shown& a, const Shown& b) { return a.name < b.name; });
  return entries;
}

// Names in lower case, with blanks for underscores.
constexpr auto kShown = sorted_by_name(std::to_array<Shown>({
    {"!", Show::kText, " "},
    {"\" '", Show::kText, "\"'"},
    {"\"'", Show::kText, "\"'"},
    {"' \"", Show::kText, "'\""},
    {"'\"", Show::kText, "'\""},
    {"'-", Show::kText, "'"},
    {"-'", Show::kText, "'"},
    {"-\"", Show::kText, "\""},
    {"\"-", Show::kText, "\""},
    {"'", Show::kText, "'"},
    {"10^", Show::kPrefixed, "10^"},
    {"x10^", Show::kPrefixed, "\u00D710^"},
    {"'s", Show::kText, "'s"},
    {"\u00B7", Show::kText, " \u00B7 "},
    {"=", Show::kText, "="},
    {"abbr", Show::kFirst},
    {"abbrlink", Show::kFirst},
    {"angbr", Show::kFirst},
    {"angle bracket", Show::kFirst},
    {"as of", Show::kAsOf},
    {"asof", Show::kAsOf},
    {"au$", Show::kPrefixed, "A$"},
    {"a$", Show::kPrefixed, "A$"},
    {"bibleref", Show::kFirstTwo},
    {"bibleref2", Show::kFirstTwo},
    {"bibleverse", Show::kFirstTwo},
    {"big", Show::kFirst},
    {"birth date", Show::kDate},
    {"birth date and age", Show::kDate},
    {"birth-date", Show::kFirst},
    {"birth-date and age", Show::kFirst},
    {"birth year and age", Show::kFirst},
    {"blockquote", Show::kBlock},
    {"block quote", Show::kBlock},
    {"bquote", Show::kBlock},
    {"c.", Show::kPrefixed, "c. "},
    {"ca$", Show::kPrefixed, "C$"},
    {"carbon", Show::kText, "C"},
    {"center", Show::kFirst},
    {"centre", Show::kFirst},
    {"chem", Show::kChemical},
    {"chem2", Show::kJoined, ""},
    {"circa", Show::kPrefixed, "c. "},
    {"code", Show::kFirst},
    {"color", Show::kSecond},
    {"colored link", Show::kLast},
    {"columns-list", Show::kLast},
    {"convert", Show::kConvert},
    {"coord", Show::kCoordinates},
    {"cquote", Show::kBlock},
    {"ct", Show::kConvert},
    {"cvt", Show::kConvert},
    {"dash", Show::kText, " \u2013 "},
    {"date", Show::kFirst},
    {"death date", Show::kDate},
    {"death date and age", Show::kDate},
    {"death-date", Show::kFirst},
    {"death-date and age", Show::kFirst},
    {"death year and age", Show::kFirst},
    {"degree", Show::kText, "\u00B0"},
    {"dot", Show::kText, " \u00B7 "},
    {"dts", Show::kDate},
    {"e", Show::kPrefixed, "\u00D710^"},
    {"em", Show::kFirst},
    {"em dash", Show::kText, "\u2014"},
    {"emdash", Show::kText, "\u2014"},
    {"en dash", Show::kText, "\u2013"},
    {"endash", Show::kText, "\u2013"},
    {"end date", Show::kDate},
    {"eqm", Show::kText, " \u21CC "},
    {"eur", Show::kPrefixed, "\u20AC"},
    {"euro", Show::kPrefixed, "\u20AC"},
    {"extinct", Show::kText, "\u2020"},
    {"film date", Show::kDate},
    {"fl.", Show::kPrefixed, "fl. "},
    {"flag", Show::kFirst},
    {"flagcountry", Show::kFirst},
    {"flagu", Show::kFirst},
    {"flatlist", Show::kJoined, ", "},
    {"floruit", Show::kPrefixed, "fl. "},
    {"font", Show::kNamed, "text"},
    {"font color", Show::kLast},
    {"format price", Show::kFirst},
    {"formatnum", Show::kFirst},
    {"formatprice", Show::kFirst},
    {"frac", Show::kFraction},
    {"fraction", Show::kFraction},
    {"gaps", Show::kJoined, ""},
    {"gbp", Show::kPrefixed, "\u00A3"},
    {"gloss", Show::kFirst},
    {"hairsp", Show::kText, " "},
    {"harvtxt", Show::kHarvard},
    {"height", Show::kHeight},
    {"hlist", Show::kJoined, ", "},
    {"hms", Show::kShip},
    {"hmas", Show::kShip},
    {"hmcs", Show::kShip},
    {"hydrogen", Show::kText, "H"},
    {"ill", Show::kFirst},
    {"illm", Show::kFirst},
    {"inr", Show::kPrefixed, "\u20B9"},
    {"interlanguage link", Show::kFirst},
    {"interlanguage link multi", Show::kFirst},
    {"ipa", Show::kFirst},
    {"ipablink", Show::kMarked, "[ ]"},
    {"ipalink", Show::kFirst},
    {"ipaslink", Show::kMarked, "/ /"},
    {"jpy", Show::kPrefixed, "\u00A5"},
    {"kbd", Show::kFirst},
    {"key", Show::kJoined, "+"},
    {"keypress", Show::kJoined, "+"},
    {"lang", Show::kSecond},
    {"large", Show::kFirst},
    {"larger", Show::kFirst},
    {"lc", Show::kFirst},
    {"lcfirst", Show::kFirst},
    {"linktext", Show::kJoined, " "},
    {"math", Show::kFirst},
    {"mdash", Show::kText, "\u2014"},
    {"mdashb", Show::kText, " \u2014 "},
    {"middot", Show::kText, " \u00B7 "},
    {"midsize", Show::kFirst},
    {"mono", Show::kFirst},
    {"ms", Show::kShip},
    {"music", Show::kMusic},
    {"mv", Show::kShip},
    {"mvar", Show::kFirst},
    {"native name", Show::kSecond},
    {"nastaliq", Show::kFirst},
    {"nb10", Show::kText, " "},
    {"nbsp", Show::kText, " "},
    {"ndash", Show::kText, "\u2013"},
    {"nihongo", Show::kFirst},
    {"no wrap", Show::kFirst},
    {"nitrogen", Show::kText, "N"},
    {"nobold", Show::kFirst},
    {"nobr", Show::kFirst},
    {"nobreak", Show::kFirst},
    {"noitalic", Show::kFirst},
    {"not a typo", Show::kJoined, ""},
    {"nowrap", Show::kFirst},
    {"nts", Show::kFirst},
    {"nuclide2", Show::kNuclide},
    {"nz$", Show::kPrefixed, "NZ$"},
    {"okina", Show::kText, "\u02BB"},
    {"oldstyledate", Show::kOldStyle},
    {"overline", Show::kFirst},
    {"oxygen", Show::kText, "O"},
    {"pipe", Show::kText, " "},
    {"plainlist", Show::kFirst},
    {"poemquote", Show::kBlock},
    {"pound sterling", Show::kText, "\u00A3"},
    {"proper name", Show::kFirst},
    {"quotation", Show::kBlock},
    {"quote", Show::kBlock},
    {"railgauge", Show::kFirst},
    {"reign", Show::kJoined, "\u2013"},
    {"resize", Show::kLast},
    {"rms", Show::kShip},
    {"rquote", Show::kSecond},
    {"rtl-lang", Show::kSecond},
    {"sc", Show::kFirst},
    {"script", Show::kSecond},
    {"sfrac", Show::kFraction},
    {"shy", Show::kText, ""},
    {"sic", Show::kJoined, ""},
    {"simplenuclide", Show::kNuclide},
    {"simplenuclide2", Show::kNuclide},
    {"small", Show::kFirst},
    {"smallcaps", Show::kFirst},
    {"smaller", Show::kFirst},
    {"snd", Show::kText, " \u2013 "},
    {"snds", Show::kText, " \u2013 "},
    {"space", Show::kText, " "},
    {"spaced en dash", Show::kText, " \u2013 "},
    {"spaced ndash", Show::kText, " \u2013 "},
    {"spaces", Show::kText, " "},
    {"spnd", Show::kText, " \u2013 "},
    {"sronly", Show::kFirst},
    {"ss", Show::kShip},
    {"start date", Show::kDate},
    {"start date and age", Show::kDate},
    {"strong", Show::kFirst},
    {"sub", Show::kFirst},
    {"sup", Show::kFirst},
    {"thinsp", Show::kText, " "},
    {"tooltip", Show::kFirst},
    {"transl", Show::kLast},
    {"transliteration", Show::kLast},
    {"tt", Show::kFirst},
    {"ubl", Show::kJoined, ", "},
    {"uc", Show::kFirst},
    {"ucfirst", Show::kFirst},
    {"unbulleted list", Show::kJoined, ", "},
    {"us$", Show::kPrefixed, "US$"},
    {"usd", Show::kPrefixed, "US$"},
    {"uss", Show::kShip},
    {"val", Show::kValue},
    {"vanchor", Show::kFirst},
    {"var", Show::kFirst},
    {"visible anchor", Show::kFirst},
    {"vr", Show::kFirst},
    {"wikt-lang", Show::kSecond},
    {"zwj", Show::kText, ""},
}));

/// "Template:Some_Name" to "some name".
std::string folded_name(string_view name) {
  std::string folded = lower_ascii(trimmed(name));
  std::replace(folded.begin(), folded.end(), '_', ' ');
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
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  std::string text;
  for (std::size_t i = 1; i <= call.count(); ++i) {
    const auto part = call.at(i);
    if (!text.empty() && !part.empty() && is_digit(text.back()) && is_digit(part.front())) text += '^';
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

/// The first two arguments that are not empty.
std::string first_two(const TemplateCall& call) {
  std::string text;
  int parts = 0;
  for (std::size_t i = 1; i <= call.count() && parts < 2; ++i) {
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
      return first_two(call);
    case Show::kMarked:
      return call.at(1).empty()
                 ? std::string()
                 : std::string(entry.text.substr(0, 1)).append(call.at(1)).append(entry.text.substr(2));
    case Show::kMusic:
      return music(call);
    case Show::kCoordinates:
      return expand_coordinates(call);
    case Show::kOldStyle:
      return std::string(call.at(1)).append(" [O.S. ").append(call.at(3)).append("] ").append(call.at(2));
  }
  return {};
}

const Shown* find_shown(string_view name) {
  const auto found = std::lower_bound(kShown.begin(), kShown.end(), name,
                                      [](const Shown& entry, string_view n) { return entry.name < n; });
  return found != kShown.end() && found->name == name ? &*found : nullptr;
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

std::string expand_template(const TemplateCall& call) {
  const std::string name = folded_name(call.name);
  if (const auto* entry = find_shown(name)) return expand(*entry, call);
  // {{lang-de|Wort}}
  if (name.starts_with("lang-")) return std::string(call.at(1));
  // {{formatnum:1234}}: the first argument stands behind the colon.
  const std::size_t colon = name.find(':');
  if (colon == std::string::npos) return {};
  const auto function = string_view(name).substr(0, colon);
  if (function != "formatnum" && function != "lc" && function != "uc" && function != "lcfirst" &&
      function != "ucfirst")
    return {};
  return std::string(trimmed(call.name.substr(call.name.find(':') + 1)));
}

}  // namespace nystrom
