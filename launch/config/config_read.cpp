// Configuration in: YAML nodes to members of Config, by the table.

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <limits>
#include <sstream>
#include <utility>

#include "kernels/core/check.h"
#include "kernels/core/files.h"
#include "launch/config/config_entries.h"
#include "launch/config/config_table.h"
#include "launch/config/key_guess.h"

namespace nystrom {
namespace {

constexpr std::size_t kMaxFileBytes = 1'000'000;  // a configuration is a page or two

class Setter {
 public:
  Setter(Config& config, Origin origin)
      : config_(config), keys_(config_keys(config)), origin_(std::move(origin)) {}

  // `path` is a key or a section of keys.
  void set(const std::string& path, const YAML::Node& node) {
    const auto key = std::ranges::find(keys_, path, &ConfigKey::path);
    if (key != keys_.end()) return set_key(*key, node);
    const bool section = path.empty() || std::ranges::any_of(keys_, [&](const ConfigKey& each) {
                           return each.path.starts_with(path + ".");
                         });
    if (!section) refuse("{}: unknown key `{}`; {}", origin_.at(node.Mark()), path, guess_key(path));
    set_section(path, node);
  }

 private:
  void set_section(const std::string& path, const YAML::Node& node) {
    if (node.IsNull()) return;  // a section whose keys are all commented out
    if (!node.IsMap())
      refuse("{}: {} is {}; it must be a map of keys and values.", origin_.at(node.Mark()),
             path.empty() ? "the configuration" : fmt::format("`{}`", path), shown(node));
    std::set<std::string> seen;
    for (const auto& entry : node) {
      if (!entry.first.IsScalar()) refuse("{}: a key must be a word.", origin_.at(entry.first.Mark()));
      const std::string name = entry.first.Scalar();
      const std::string child = path.empty() ? name : path + "." + name;
      if (name.empty() || name.find('.') != std::string::npos)
        refuse("{}: `{}` is not a valid key; write sections as maps (dotted keys are for `--set`).",
               origin_.at(entry.first.Mark()), name);
      if (!seen.insert(name).second)
        refuse("{}: `{}` is given twice; remove one.", origin_.at(entry.first.Mark()), child);
      set_child(child, entry.first, entry.second);
    }
  }

  // An unknown key is reported at its own line, not where its value does.
  void set_child(const std::string& path, const YAML::Node& name, const YAML::Node& value) {
    const bool known = std::ranges::any_of(
        keys_, [&](const ConfigKey& each) { return each.path == path || each.path.starts_with(path + "."); });
    if (!known) refuse("{}: unknown key `{}`; {}", origin_.at(name.Mark()), path, guess_key(path));
    set(path, value);
  }

  void set_key(const ConfigKey& key, const YAML::Node& node) {
    key_ = &key;
    node_ = node;
    std::visit([this](const auto& slot) { read(slot); }, key.slot);
    config_.given.emplace(key.path);
    if (!origin_.lines) config_.overridden.emplace(key.path);
  }

  [[noreturn]] void wrong(const std::string& wanted) const {
    refuse("{}: `{}` is {}; it must be {}.", origin_.at(node_.Mark()), key_->path, shown(node_), wanted);
  }

  // A quoted number is a string.
  [[nodiscard]] bool plain() const { return node_.IsScalar() && node_.Tag() != "!"; }

  void in_range(double value) const {
    constexpr double kHuge = 1e12;  // a bound that nobody needs to know before it is met
    const Range& range = key_->rules.range;
    if (value >= range.min && value <= range.max) return;
    if (range.max <= kHuge) wrong(fmt::format("from {} to {}", range.min, range.max));
    wrong(value < range.min ? fmt::format("at least {}", range.min) : fmt::format("at most {}", range.max));
  }

  template <class Integer>
  [[nodiscard]] Integer integer() const {
    const std::string text = plain() ? node_.Scalar() : "";
    Integer value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool whole = !text.empty() && end == text.data() + text.size();
    if (!whole || error == std::errc::invalid_argument) wrong("an integer");
    constexpr double kBeyond = std::numeric_limits<double>::infinity();
    if (error == std::errc::result_out_of_range) {
      in_range(text.starts_with('-') ? -kBeyond : kBeyond);
      wrong("an integer of 64 bits");
    }
    in_range(static_cast<double>(value));
    return value;
  }

  void read(std::int64_t* to) const { *to = integer<std::int64_t>(); }
  void read(std::int32_t* to) const { *to = integer<std::int32_t>(); }

  void read(double* to) const { *to = number(); }

  void read(std::optional<double>* to) const {
    const bool is_unset = plain() && node_.Scalar() == key_->rules.unset;
    *to = is_unset ? std::nullopt : std::optional(number());
  }

  [[nodiscard]] double number() const {
    std::string text = plain() ? node_.Scalar() : "";
    if (text.starts_with('+')) text.erase(0, 1);
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || error != std::errc() || end != text.data() + text.size() || !std::isfinite(value))
      wrong("a number");
    in_range(value);
    return value;
  }

  void read(bool* to) const {
    const std::string text = plain() ? node_.Scalar() : "";
    if (text != "true" && text != "false") wrong("true or false");
    *to = text == "true";
  }

  void read(std::string* to) const {
    if (node_.IsNull() && !origin_.lines) {  // --set model.from= takes a value back
      to->clear();
      return;
    }
    const std::string_view choices = key_->rules.choices;
    if (!node_.IsScalar()) wrong(choices.empty() ? "text" : fmt::format("one of {}", choices));
    if (!choices.empty() && !is_choice(node_.Scalar())) wrong(fmt::format("one of {}", choices));
    *to = text_of(node_);
  }

  /// The text of a scalar, in which a path is expanded.
  [[nodiscard]] std::string text_of(const YAML::Node& node) const {
    return key_->rules.path ? path_of(origin_, node, key_->path) : node.Scalar();
  }

  void read(const WordSlot& to) const {
    if (!node_.IsScalar() || !to.set(node_.Scalar())) wrong(fmt::format("one of {}", to.choices()));
  }

  [[nodiscard]] bool is_choice(const std::string& value) const {
    const std::string all = fmt::format(" | {} | ", key_->rules.choices);
    return value.find('|') == std::string::npos && all.find(" | " + value + " | ") != std::string::npos;
  }

  void read(std::optional<std::int64_t>* to) const {
    const bool is_auto = key_->rules.unset == "auto" && plain() && node_.Scalar() == "auto";
    *to = is_auto ? std::nullopt : std::optional(integer<std::int64_t>());
  }

  void read(std::vector<std::string>* to) const {
    std::vector<std::string> list;
    if (node_.IsScalar()) {
      list.push_back(text_of(node_));
    } else {
      if (!node_.IsSequence()) wrong("a list of patterns");
      for (const auto& each : node_) {
        if (!each.IsScalar()) wrong("a list of patterns");
        list.push_back(text_of(each));
      }
    }
    *to = std::move(list);
  }

  void read(std::vector<CorpusSpec>* to) const {
    if (!node_.IsSequence()) wrong("a list of {kind: ..., path: ...}");
    std::vector<CorpusSpec> list;
    for (const auto& each : node_) list.push_back(corpus_entry(origin_, each));
    *to = std::move(list);
  }

  void read(std::vector<CorpusWeight>* to) const {
    std::vector<CorpusWeight> weights;
    if (!node_.IsMap() && !node_.IsNull()) wrong("a map of corpora to weights");
    for (const auto& entry : node_) {
      const std::string name = entry.first.IsScalar() ? entry.first.Scalar() : "";
      if (std::ranges::find(weights, name, &CorpusWeight::corpus) != weights.end())
        refuse("{}: `{}`: {} is given twice; remove one.", origin_.at(entry.first.Mark()), key_->path, name);
      double weight = -1;
      const std::string text = entry.second.IsScalar() ? entry.second.Scalar() : "";
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), weight);
      if (name.empty() || text.empty() || error != std::errc() || end != text.data() + text.size() ||
          !(weight >= 0 && std::isfinite(weight)))
        refuse("{}: `{}`: the weight of {} is {}; it must be a number of at least 0.",
               origin_.at(entry.second.Mark()), key_->path, name, shown(entry.second));
      weights.push_back({name, weight});
    }
    *to = std::move(weights);
  }

  void read(std::vector<OptimizerGroup>* to) const {
    if (!node_.IsSequence()) wrong("a list of {match: ..., rate: ..., weight_decay: ...}");
    std::vector<OptimizerGroup> groups;
    for (const auto& each : node_) groups.push_back(optimizer_group(origin_, each));
    *to = std::move(groups);
  }

  void read(std::vector<BatchStage>* to) const {
    if (!node_.IsSequence()) wrong("a list of {step: ..., global_batch: ...}");
    std::vector<BatchStage> stages;
    for (const auto& each : node_) {
      const BatchStage stage = batch_stage(origin_, each);
      const std::int64_t before = stages.empty() ? 1 : stages.back().step;
      if (stage.step <= before)
        refuse(
            "{}: `training.batch_schedule`: step {} must be after step {}, where the previous size begins.",
            origin_.at(each.Mark()), stage.step, before);
      stages.push_back(stage);
    }
    *to = std::move(stages);
  }

  void read(std::vector<GridAxis>* to) const {
    std::vector<GridAxis> grid;
    if (!node_.IsMap()) wrong("a map of keys to lists of values");
    for (const auto& entry : node_) grid.push_back(grid_axis(entry.first, entry.second));
    *to = std::move(grid);
  }

  /// Every value is tried on a copy, so that what the grid would come to later is refused now.
  [[nodiscard]] GridAxis grid_axis(const YAML::Node& name, const YAML::Node& list) const {
    GridAxis axis{name.IsScalar() ? name.Scalar() : "", {}};
    if (!may_be_in_grid(axis.key))
      refuse("{}: `grid`: `{}` is not a key that a grid can vary.", origin_.at(name.Mark()), axis.key);
    if (std::ranges::find(keys_, axis.key, &ConfigKey::path) == keys_.end())
      refuse("{}: `grid`: unknown key `{}`; {}", origin_.at(name.Mark()), axis.key, guess_key(axis.key));
    if (!list.IsSequence() || list.size() == 0)
      refuse("{}: `grid`: `{}` is {}; it must be a list of values.", origin_.at(list.Mark()), axis.key,
             shown(list));
    for (const auto& each : list) {
      Config copy = config_;
      Setter(copy, origin_).set(axis.key, each);
      if (!each.IsScalar())
        refuse("{}: `grid`: `{}`: {} is not a single value.", origin_.at(each.Mark()), axis.key, shown(each));
      axis.values.push_back(each.Scalar());
    }
    return axis;
  }

  Config& config_;
  std::vector<ConfigKey> keys_;
  Origin origin_;
  const ConfigKey* key_ = nullptr;
  YAML::Node node_;
};

/// Takes the parser's events and drops them.
class NullHandler final : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t, const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {
  }
  void OnMapEnd() override {}
};

/// YAML::LoadAll finds documents without end (and memory without end) in some invalid texts.
bool has_one_document(const std::string& yaml) {
  std::istringstream text(yaml);
  YAML::Parser parser(text);
  NullHandler handler;
  return !parser.HandleNextDocument(handler) || !parser.HandleNextDocument(handler);
}

[[noreturn]] void refuse_yaml(const YAML::Exception& error, const std::string& yaml, const Origin& origin) {
  const bool variable = yaml.find("${") != std::string::npos;
  refuse("{}: this is not valid YAML: {}.{}", origin.at(error.mark), error.msg,
         variable ? " A value with ${...} must be in quotes." : "");
}

YAML::Node parse(const std::string& yaml, const Origin& origin) {
  try {
    if (!has_one_document(yaml)) refuse("{} holds more than one YAML document; write one.", origin.name);
    return YAML::Load(yaml);
  } catch (const YAML::Exception& error) {
    refuse_yaml(error, yaml, origin);
  }
}

std::string read_configuration(const std::string& path) {
  std::string text = read_file_or_pipe(path, kMaxFileBytes);
  if (text.find('\0') != std::string::npos) refuse("{} contains NUL bytes; it is not a configuration.", path);
  return text;
}

void apply(Config& config, const std::string& yaml, const Origin& origin) {
  try {
    Setter(config, origin).set("", parse(yaml, origin));
  } catch (const YAML::Exception& error) {
    refuse_yaml(error, yaml, origin);
  }
}

void apply_override(Config& config, const std::string& override_text) {
  const auto equals = override_text.find('=');
  if (equals == std::string::npos || equals == 0)
    refuse("--set {}: write `--set dotted.key=value`.", override_text);
  const Origin origin{"--set " + override_text, false};
  Setter(config, origin)
      .set(override_text.substr(0, equals), parse(override_text.substr(equals + 1), origin));
}

/// A configuration file may be untrusted: it cannot set a key that runs a program.
void refuse_keys_of_the_command_line(const Config& config, const std::string& origin) {
  Config any;
  for (const ConfigKey& key : config_keys(any))
    if (key.rules.command_line && config.gives(key.path))
      refuse(
          "{} sets `{}`, which is not allowed in a file, since files may be untrusted; use `--set {}=...` instead.",
          origin, key.path, key.path);
}

}  // namespace

Config read_config_text(const std::string& yaml, const std::string& origin) {
  Config config;
  apply(config, yaml, {origin});
  refuse_keys_of_the_command_line(config, origin);
  return config;
}

Config read_config(const std::string& path, const std::vector<std::string>& overrides) {
  Config config;
  if (!path.empty()) apply(config, read_configuration(path), {path});
  refuse_keys_of_the_command_line(config, path);
  for (const std::string& each : overrides) apply_override(config, each);
  return config;
}

void set_value(Config& config, const std::string& key, const std::string& value) {
  apply_override(config, key + "=" + value);
}

void require(const Config& config, std::span<const std::string_view> keys, std::string_view command) {
  Config copy = config;
  const std::vector<ConfigKey> table = config_keys(copy);
  for (const std::string_view key : keys) {
    const auto entry = std::ranges::find(table, key, &ConfigKey::path);
    NYSTROM_CHECK(entry != table.end(), "{} is not a key", key);
    const std::string value = value_text(entry->slot);
    if (value == "\"\"" || value == "[]" || (value == "auto" && entry->rules.unset == "*"))
      refuse("{} needs the key `{}`; write it into the configuration, or add `--set {}=...`.", command, key,
             key);
  }
}

}  // namespace nystrom
