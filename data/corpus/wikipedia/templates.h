#pragma once
// Expansion of frequent Wikipedia templates. All others expand to nothing.

#include <string>
#include <string_view>
#include <vector>

namespace nystrom {

/// {{name|value|key=value}}; views into the text that is being parsed, values already prose.
struct TemplateCall {
  struct Argument {
    std::string_view key;  ///< empty if it has none
    std::string_view value;
  };
  std::string_view name;
  std::vector<Argument> arguments;

  /// The n-th argument without key (or with the key "n"), n from 1, trimmed; empty if there is none.
  [[nodiscard]] std::string_view at(std::size_t n) const;
  [[nodiscard]] std::string_view named(std::string_view key) const;
  /// Number of arguments without key.
  [[nodiscard]] std::size_t count() const;
};

/// The text that the template shows in a wiki of that language.
std::string expand_template(const TemplateCall& call, std::string_view language);

// Parts of it, each in its own file.
std::string expand_convert(const TemplateCall& call);
/// Dates from arguments year, month, day; `first` is the year's position.
std::string expand_date(const TemplateCall& call, std::size_t first);
/// Degrees and minutes, or decimals; nothing if they are shown next to the title.
std::string expand_coordinates(const TemplateCall& call);
std::string expand_as_of(const TemplateCall& call);

}  // namespace nystrom
