#pragma once
// What is known of each key.

#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "launch/config/config.h"

namespace nystrom {

/// Where a key's value lies in a Config; the alternative is its type.
using Slot = std::variant<std::int64_t*, double*, bool*, std::string*, std::optional<std::int64_t>*,
                          std::vector<std::string>*, std::vector<CorpusSource>*, std::vector<GridAxis>*,
                          std::vector<CorpusWeight>*>;

struct Range {
  double least = -std::numeric_limits<double>::infinity();
  double most = std::numeric_limits<double>::infinity();
};

inline constexpr Range kPositive{1, 9e15};
inline constexpr Range kCount{0, 9e15};
inline constexpr Range kShare{0, 1};
inline constexpr Range kAtLeastZero{0, 1e300};

struct ConfigKey {
  std::string_view path;          ///< dotted
  Slot slot;                      ///< where its value lies; also says the type
  std::string_view meaning;       ///< for the documentation
  std::string_view choices = {};  ///< "a | b": the words a string may be; anything if empty
  Range range = {};               ///< of numbers, both ends included
  std::string_view unset = {};    ///< what stands for "not given" in the documentation; "*": no default
};

/// "a | b": the names of a registry's rows, as a key's choices.
template <class Row>
std::string_view registered_names(std::span<const Row> registry) {
  static const std::string names = [&] {
    std::string text;
    for (const Row& row : registry) text.append(text.empty() ? "" : " | ").append(row.name);
    return text;
  }();
  return names;
}

struct ConfigSection {
  std::string_view name;      ///< "" for top-level keys
  std::string_view commands;  ///< which commands use it
  std::string_view meaning;
  bool pretraining;  ///< its keys are compared at a resume
};

/// Every key, with its slot in `config`.
std::vector<ConfigKey> config_keys(Config& config);
/// Those of the sections from `corpus` on, which config_keys ends with.
std::vector<ConfigKey> text_and_task_keys(Config& config);
std::span<const ConfigSection> config_sections();

/// "model" of "model.attention.kind"; "" of "seed". A section with a value of its own (corpus) is its name.
std::string_view section_of(std::string_view path);

/// Value in YAML's flow style, as to_yaml writes it.
std::string value_text(const Slot& slot);

/// The values a key takes, in words: "integer", "`a` or `b`".
std::string type_text(const ConfigKey& key);

}  // namespace nystrom
