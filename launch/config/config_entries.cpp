#include "launch/config/config_entries.h"

#include <fmt/ranges.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>

#include "data/corpus/corpus.h"
#include "kernels/core/check.h"
#include "launch/config/path_text.h"
#include "launch/config/suggestion.h"

namespace nystrom {
namespace {

/// A number of at least 0, of an entry of `optimizer.groups`.
double share(const Origin& origin, const std::string& name, const YAML::Node& node) {
  const std::string text = node.IsScalar() && node.Tag() != "!" ? node.Scalar() : "";
  double value = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size() || !(value >= 0) ||
      !std::isfinite(value))
    refuse("{}: `optimizer.groups`: `{}` is {}; it must be a number of at least 0.", origin.at(node.Mark()),
           name, shown(node));
  return value;
}

/// A whole number of at least 1, of an entry of `training.batch_schedule`.
std::int64_t count_in_stage(const Origin& origin, const std::string& name, const YAML::Node& node) {
  const std::string text = node.IsScalar() && node.Tag() != "!" ? node.Scalar() : "";
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 1)
    refuse("{}: `training.batch_schedule`: `{}` is {}; it must be an integer of at least 1.",
           origin.at(node.Mark()), name, shown(node));
  return value;
}

std::string kind_guess(const std::string& kind, const std::vector<std::string>& kinds) {
  if (const auto near = suggestion(kind, kinds)) return fmt::format("did you mean {}?", *near);
  return fmt::format("the kinds are {}.", fmt::join(kinds, ", "));
}

/// `keep` or `drop`, of a member of a corpus entry.
bool drops(const Origin& origin, const std::string& name, const YAML::Node& value) {
  const std::string word = value.Scalar();
  if (word != "keep" && word != "drop")
    refuse("{}: `corpus`: `{}` is {}; it must be keep or drop.", origin.at(value.Mark()), name, word);
  return word == "drop";
}

void set_corpus_member(const Origin& origin, CorpusSpec& entry, const YAML::Node& key,
                       const YAML::Node& value) {
  const std::map<std::string, std::string*> texts{{"kind", &entry.kind},
                                                  {"path", &entry.path},
                                                  {"field", &entry.field},
                                                  {"encoding", &entry.encoding},
                                                  {"language", &entry.language}};
  const std::map<std::string, bool*> drops_of{{"disambiguation", &entry.drop_disambiguation},
                                              {"lists", &entry.drop_lists},
                                              {"stubs", &entry.drop_stubs}};
  const std::string name = key.IsScalar() ? key.Scalar() : "";
  if (!texts.contains(name) && !drops_of.contains(name))
    refuse(
        "{}: unknown key `{}` in an entry of `corpus`; it has kind, path, field, encoding and language, and for "
        "wikipedia also disambiguation, lists and stubs.",
        origin.at(key.Mark()), name);
  if (!value.IsScalar())
    refuse("{}: `corpus`: `{}` is {}; it must be text.", origin.at(value.Mark()), name, shown(value));
  if (texts.contains(name))
    *texts.at(name) = name == "path" ? path_of(origin, value, "corpus") : value.Scalar();
  else
    *drops_of.at(name) = drops(origin, name, value);
}

}  // namespace

std::string Origin::at(const YAML::Mark& mark) const {
  return lines && mark.line >= 0 ? fmt::format("{}, line {}", name, mark.line + 1) : name;
}

std::string shown(const YAML::Node& node) {
  if (node.IsNull()) return "nothing";
  if (node.IsScalar()) {
    const std::string text = node.Scalar().substr(0, 80);
    return text.empty() || node.Tag() == "!" ? fmt::format("\"{}\"", text) : text;  // as it was quoted
  }
  return node.IsMap() ? "a map" : "a list";
}

std::string path_of(const Origin& origin, const YAML::Node& node, std::string_view key) {
  try {
    return expanded_path(node.Scalar());
  } catch (const InputError& problem) {
    refuse("{}: `{}` {}.", origin.at(node.Mark()), key, problem.what());
  }
}

OptimizerGroup optimizer_group(const Origin& origin, const YAML::Node& node) {
  if (!node.IsMap())
    refuse("{}: an entry of `optimizer.groups` must be {{match: ..., rate: ..., weight_decay: ...}}.",
           origin.at(node.Mark()));
  OptimizerGroup group;
  for (const auto& member : node) {
    const std::string name = member.first.IsScalar() ? member.first.Scalar() : "";
    if (name == "match" && member.second.IsScalar())
      group.match = member.second.Scalar();
    else if (name == "rate")
      group.rate = share(origin, name, member.second);
    else if (name == "weight_decay")
      group.weight_decay = share(origin, name, member.second);
    else
      refuse("{}: unknown key `{}` in an entry of `optimizer.groups`; it has match, rate and weight_decay.",
             origin.at(member.first.Mark()), name);
  }
  if (group.match.empty())
    refuse("{}: `optimizer.groups`: an entry has no pattern `match`.", origin.at(node.Mark()));
  if (!group.rate && !group.weight_decay)
    refuse("{}: `optimizer.groups`: the entry for {} gives neither `rate` nor `weight_decay`.",
           origin.at(node.Mark()), group.match);
  return group;
}

BatchStage batch_stage(const Origin& origin, const YAML::Node& node) {
  if (!node.IsMap())
    refuse("{}: an entry of `training.batch_schedule` must be {{step: ..., global_batch: ...}}.",
           origin.at(node.Mark()));
  BatchStage stage;
  for (const auto& member : node) {
    const std::string name = member.first.IsScalar() ? member.first.Scalar() : "";
    if (name != "step" && name != "global_batch")
      refuse("{}: unknown key `{}` in an entry of `training.batch_schedule`; it has step and global_batch.",
             origin.at(member.first.Mark()), name);
    (name == "step" ? stage.step : stage.global_batch) = count_in_stage(origin, name, member.second);
  }
  if (stage.step == 0 || stage.global_batch == 0)
    refuse("{}: `training.batch_schedule`: an entry has no `{}`.", origin.at(node.Mark()),
           stage.step == 0 ? "step" : "global_batch");
  return stage;
}

CorpusSpec corpus_entry(const Origin& origin, const YAML::Node& node) {
  if (!node.IsMap())
    refuse("{}: an entry of `corpus` must be {{kind: ..., path: ...}}.", origin.at(node.Mark()));
  CorpusSpec entry;
  for (const auto& member : node) set_corpus_member(origin, entry, member.first, member.second);
  const std::vector<std::string> kinds = corpus_kinds();
  if (std::ranges::find(kinds, entry.kind) == kinds.end())
    refuse("{}: `corpus`: the kind {} is unknown; {}", origin.at(node.Mark()),
           entry.kind.empty() ? "\"\"" : entry.kind, kind_guess(entry.kind, kinds));
  if (entry.path.empty())
    refuse("{}: `corpus`: an entry of kind {} has no path.", origin.at(node.Mark()), entry.kind);
  return entry;
}

}  // namespace nystrom
