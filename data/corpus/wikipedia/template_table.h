#pragma once
// The templates that produce text, and what each shows.

#include <cstdint>
#include <string_view>

namespace nystrom {

/// What a template shows of its arguments.
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
  kDeath,  // the same, of the template that also gives the age
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
  kOldStyle,    // "February 2 [O.S. January 20] 1905"
  kSuffixed,    // the first argument, then `text`
  kFirstThree,  // "1 mai 1931"
  kHour,        // "8 h 30"
  kDisplay,     // the second argument, else the first
  kReading,     // "first（second）"
  kLife,        // "1931年5月1日－2000年1月2日"
};

struct Shown {
  std::string_view name;
  Show show;
  std::string_view text = {};
};

/// What the template of this name shows in a wiki of that language; nullptr: unknown. `name`
/// is folded (wiki_folded).
[[nodiscard]] const Shown* find_shown(std::string_view name, std::string_view language);

}  // namespace nystrom
