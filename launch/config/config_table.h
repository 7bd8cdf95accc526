#pragma once
// Table of configuration keys: type, range, default, description, and whether a resume may change it.

#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "launch/config/config.h"

namespace nystrom {

/// An enum's slot: its value as a word of EnumNames.
class WordSlot {
 public:
  /// `without`: a value that this key does not take.
  template <HasNames E>
  explicit WordSlot(E* value, std::optional<E> without = std::nullopt)
      : value_(value), words_(&kWordsOf<E>), without_(without ? name_of(*without) : std::string_view()) {}

  [[nodiscard]] std::string_view word() const { return words_->get(value_); }
  /// False, and nothing is set, if the key does not take this word.
  [[nodiscard]] bool set(std::string_view word) const {
    return (without_.empty() || word != without_) && words_->set(value_, word);
  }
  /// The words it takes: "a | b".
  [[nodiscard]] std::string choices() const { return words_->choices(without_); }

 private:
  struct Words {
    std::string_view (*get)(const void* value);
    bool (*set)(void* value, std::string_view word);
    std::string (*choices)(std::string_view without);
  };

  template <HasNames E>
  static constexpr Words kWordsOf{
      .get = [](const void* value) { return name_of(*static_cast<const E*>(value)); },
      .set =
          [](void* value, std::string_view word) {
            const std::optional<E> found = find_named<E>(word);
            if (found) *static_cast<E*>(value) = *found;
            return found.has_value();
          },
      .choices =
          [](std::string_view without) {
            std::string text;
            for (const Named<E>& each : EnumNames<E>::kAll)
              if (each.name != without) text.append(text.empty() ? "" : " | ").append(each.name);
            return text;
          }};

  void* value_;
  const Words* words_;
  std::string_view without_;
};

/// Where a key's value is in a Config; the alternative is its type.
using Slot = std::variant<std::int64_t*, std::int32_t*, double*, bool*, std::string*,
                          std::optional<std::int64_t>*, std::optional<double>*, std::vector<std::string>*,
                          std::vector<CorpusSpec>*, std::vector<GridAxis>*, std::vector<CorpusWeight>*,
                          std::vector<OptimizerGroup>*, std::vector<BatchStage>*, WordSlot>;

/// Both ends included.
struct Range {
  double min = -std::numeric_limits<double>::infinity();
  double max = std::numeric_limits<double>::infinity();
};

inline constexpr Range kPositive{1, 9e15};
inline constexpr Range kCount{0, 9e15};
inline constexpr Range kFraction{0, 1};
inline constexpr Range kNonNegative{0, 1e300};

/// May a resumed run have another value? (A fork may also change what its section allows.)
enum class OnResume { kFixed, kFree };

struct KeyRules {
  Range range = {};               ///< of numbers
  std::string_view choices = {};  ///< "a | b": the words that a text may be; anything if empty
  std::string_view unset = {};    ///< the documentation's word for "not given"; "*": no default
  OnResume resume = OnResume::kFixed;
  bool command_line = false;  ///< `--set` alone gives it: files come from others, and it can do harm
  bool path = false;          ///< paths or patterns of files, in which `~` and `${VARIABLE}` are expanded
};

struct ConfigKey {
  std::string_view path;     ///< dotted
  Slot slot;                 ///< where its value is; also says the type
  std::string_view meaning;  ///< for the documentation
  KeyRules rules = {};
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
  bool pretraining;      ///< its keys are compared at a resume
  bool in_fork = false;  ///< a fork may change its keys
};

/// Every key, with its slot in `config`.
std::vector<ConfigKey> config_keys(Config& config);
/// Those of the sections from `training` to `evaluation`.
std::vector<ConfigKey> training_keys(Config& config);
/// Those of the sections from `corpus` on, which config_keys ends with.
std::vector<ConfigKey> text_and_task_keys(Config& config);
std::span<const ConfigSection> config_sections();

/// "model" of "model.attention.kind"; "" of "seed". A section with its own value (corpus) is its name.
std::string_view section_of(std::string_view path);

/// May `grid` try several values of this key?
bool may_be_in_grid(std::string_view path);

/// Value in YAML's flow style, as to_yaml writes it.
std::string value_text(const Slot& slot);

/// The values a key takes, in words: "integer", "`a` or `b`".
std::string type_text(const ConfigKey& key);

}  // namespace nystrom
