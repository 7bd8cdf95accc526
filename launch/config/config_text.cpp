// Configuration out: YAML, the values compared at a resume, docs/configuration.md.

#include <algorithm>
#include <iterator>

#include "kernels/core/check.h"
#include "launch/config/config_table.h"

namespace nystrom {
namespace {

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out + '"';
}

// A word needs no quotes unless YAML would read it as something else than a string.
std::string word(const std::string& text) {
  const bool plain = !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  });
  const bool other = text == "true" || text == "false" || text == "null" || text == "yes" || text == "no";
  return plain && !other ? text : quoted(text);
}

struct ToText {
  std::string operator()(const std::int64_t* value) const { return fmt::format("{}", *value); }
  std::string operator()(const std::int32_t* value) const { return fmt::format("{}", *value); }
  std::string operator()(const WordSlot& value) const { return word(std::string(value.word())); }
  std::string operator()(const double* value) const { return fmt::format("{}", *value); }
  std::string operator()(const bool* value) const { return *value ? "true" : "false"; }
  std::string operator()(const std::string* value) const { return word(*value); }
  std::string operator()(const std::optional<std::int64_t>* value) const {
    return *value ? fmt::format("{}", **value) : "auto";
  }
  std::string operator()(const std::optional<double>* value) const {
    return *value ? fmt::format("{}", **value) : "auto";
  }
  std::string operator()(const std::vector<std::string>* value) const {
    std::string text;
    for (const auto& each : *value) text += fmt::format("{}{}", text.empty() ? "" : ", ", quoted(each));
    return fmt::format("[{}]", text);
  }
  std::string operator()(const std::vector<CorpusSpec>* value) const {
    const CorpusSpec usual;
    std::string text;
    for (const auto& each : *value) {
      text +=
          fmt::format("{}{{kind: {}, path: {}", text.empty() ? "" : ", ", word(each.kind), quoted(each.path));
      if (each.field != usual.field) text += fmt::format(", field: {}", quoted(each.field));
      if (each.encoding != usual.encoding) text += fmt::format(", encoding: {}", quoted(each.encoding));
      if (each.language != usual.language) text += fmt::format(", language: {}", quoted(each.language));
      if (each.drop_disambiguation) text += ", disambiguation: drop";
      if (each.drop_lists) text += ", lists: drop";
      if (each.drop_stubs) text += ", stubs: drop";
      text += "}";
    }
    return fmt::format("[{}]", text);
  }
  std::string operator()(const std::vector<CorpusWeight>* value) const {
    std::string text;
    for (const auto& [corpus, weight] : *value)
      text += fmt::format("{}{}: {}", text.empty() ? "" : ", ", word(corpus), weight);
    return "{" + text + "}";
  }
  std::string operator()(const std::vector<OptimizerGroup>* value) const {
    std::string text;
    for (const OptimizerGroup& group : *value) {
      text += fmt::format("{}{{match: {}", text.empty() ? "" : ", ", quoted(group.match));
      if (group.rate) text += fmt::format(", rate: {}", *group.rate);
      if (group.weight_decay) text += fmt::format(", weight_decay: {}", *group.weight_decay);
      text += "}";
    }
    return fmt::format("[{}]", text);
  }
  std::string operator()(const std::vector<BatchStage>* value) const {
    std::string text;
    for (const BatchStage& stage : *value)
      text += fmt::format("{}{{step: {}, global_batch: {}}}", text.empty() ? "" : ", ", stage.step,
                          stage.global_batch);
    return fmt::format("[{}]", text);
  }
  std::string operator()(const std::vector<GridAxis>* value) const {
    std::string text;
    for (const auto& axis : *value) {
      std::string values;
      for (const auto& each : axis.values) values += (values.empty() ? "" : ", ") + each;
      text += fmt::format("{}{}: [{}]", text.empty() ? "" : ", ", axis.key, values);
    }
    return "{" + text + "}";
  }
};

std::vector<std::string> split(std::string_view path) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin <= path.size();) {
    const auto end = std::min(path.find('.', begin), path.size());
    parts.emplace_back(path.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

std::string in_code(std::string_view choices) {
  std::string text = "`";
  for (std::size_t i = 0; i < choices.size(); ++i) {
    if (choices.substr(i, 3) == " | ") {
      text += "`, `";
      i += 2;
    } else {
      text += choices[i];
    }
  }
  return text + "`";
}

// A key without default that was not given: there is nothing to write.
bool is_open(const ConfigKey& key) {
  const std::string value = value_text(key.slot);
  if (key.rules.unset == "none") return value == "\"\"" || value == "{}" || value == "auto";
  return key.rules.unset == "*" && (value == "\"\"" || value == "[]" || value == "auto");
}

std::string default_text(const ConfigKey& key) {
  if (key.rules.unset == "*") return "*";
  if (!key.rules.unset.empty()) return fmt::format("`{}`", key.rules.unset);
  return fmt::format("`{}`", value_text(key.slot));
}

}  // namespace

std::string value_text(const Slot& slot) {
  return std::visit(ToText{}, slot);
}

std::string type_text(const ConfigKey& key) {
  struct Name {
    std::string operator()(const std::int64_t*) const { return "integer"; }
    std::string operator()(const std::int32_t*) const { return "integer"; }
    std::string operator()(const WordSlot& slot) const { return in_code(slot.choices()); }
    std::string operator()(const double*) const { return "number"; }
    std::string operator()(const bool*) const { return "`true`, `false`"; }
    std::string operator()(const std::string*) const { return "text"; }
    std::string operator()(const std::optional<std::int64_t>*) const { return "integer"; }
    std::string operator()(const std::optional<double>*) const { return "number"; }
    std::string operator()(const std::vector<std::string>*) const { return "list of patterns"; }
    std::string operator()(const std::vector<CorpusSpec>*) const { return "list"; }
    std::string operator()(const std::vector<GridAxis>*) const { return "map"; }
    std::string operator()(const std::vector<OptimizerGroup>*) const { return "list"; }
    std::string operator()(const std::vector<BatchStage>*) const { return "list"; }
    std::string operator()(const std::vector<CorpusWeight>*) const { return "map"; }
  };
  return key.rules.choices.empty() ? std::visit(Name{}, key.slot) : in_code(key.rules.choices);
}

std::string to_yaml(const Config& config) {
  Config copy = config;
  std::string text;
  std::vector<std::string> open;
  for (const ConfigKey& key : config_keys(copy)) {
    if (is_open(key) || key.rules.command_line) continue;
    const std::vector<std::string> parts = split(key.path);
    std::size_t common = 0;
    while (common < open.size() && common + 1 < parts.size() && open[common] == parts[common]) ++common;
    open.assign(parts.begin(), parts.end() - 1);
    for (std::size_t level = common; level < parts.size(); ++level) {
      text += std::string(2 * level, ' ') + parts[level] + ":";
      if (level + 1 < parts.size()) text += "\n";
    }
    text += fmt::format(" {}\n", value_text(key.slot));
  }
  return text;
}

namespace {

std::map<std::string, std::string> compared_values(const Config& config, std::string_view also) {
  Config copy = config;
  std::map<std::string, std::string> values;
  for (const ConfigKey& key : config_keys(copy)) {
    const auto section = std::ranges::find(config_sections(), section_of(key.path), &ConfigSection::name);
    if (key.rules.command_line) continue;
    if (section->pretraining || section->name == also) values[std::string(key.path)] = value_text(key.slot);
  }
  return values;
}

}  // namespace

std::map<std::string, std::string> pretraining_values(const Config& config) {
  return compared_values(config, {});
}

std::map<std::string, std::string> finetuning_values(const Config& config) {
  return compared_values(config, "task");
}

FreeOnResume free_on_resume() {
  Config config;
  const std::vector<ConfigKey> keys = config_keys(config);
  FreeOnResume free;
  for (const ConfigSection& section : config_sections()) {
    std::vector<std::string> of_section;
    bool all = !section.name.empty();
    for (const ConfigKey& key : keys) {
      if (section_of(key.path) != section.name) continue;
      if (key.rules.resume == OnResume::kFree)
        of_section.emplace_back(key.path);
      else
        all = false;
    }
    if (all)
      free.sections.emplace_back(section.name);
    else
      std::ranges::move(of_section, std::back_inserter(free.keys));
  }
  return free;
}

bool may_change_on_resume(std::string_view key) {
  static const FreeOnResume free = free_on_resume();
  // Settings of a run that follow from its data, which task.examples identifies.
  if (key == "task.pair" || key == "task.unanswerable") return true;
  // By section, so that a key that an older version had there is free too.
  return std::ranges::find(free.sections, section_of(key)) != free.sections.end() ||
         std::ranges::find(free.keys, key) != free.keys.end();
}

bool may_change_in_fork(std::string_view key) {
  const auto section = std::ranges::find(config_sections(), section_of(key), &ConfigSection::name);
  return may_change_on_resume(key) ||
         (section != config_sections().end() && section->in_fork && key != "tokenizer");
}

namespace {

/// "`a`, `b` and `c`"
std::string enumeration(const std::vector<std::string>& words) {
  std::string text;
  for (std::size_t i = 0; i < words.size(); ++i)
    text += fmt::format("{}`{}`", i == 0 ? "" : i + 1 == words.size() ? " and " : ", ", words[i]);
  return text;
}

/// "`seed` and every key of the sections `data`, ..."
std::string fork_text() {
  std::vector<std::string> sections;
  for (const ConfigSection& section : config_sections())
    if (section.in_fork && !section.name.empty()) sections.emplace_back(section.name);
  return "`seed` and every key of the sections " + enumeration(sections);
}

}  // namespace

std::vector<std::string> configuration_keys() {
  Config any;
  std::vector<std::string> names;
  for (const ConfigKey& key : config_keys(any)) names.emplace_back(key.path);
  return names;
}

std::string configuration_document() {
  const FreeOnResume free = free_on_resume();
  std::string text =
      "# Configuration\n\n"
      "<!-- Generated by `nystrom --help-config`; a test compares the two. -->\n\n"
      "One YAML file can serve several commands: each command reads the sections that it uses and accepts "
      "the others. Keys marked `*` have no default; only the commands that use them require them. An unknown key "
      "is refused, with a suggestion if it resembles a key or is another program's name for one (`lr`, `batch_size`). `--set dotted.key=value` on the command line overrides "
      "the file; its value is YAML (`--set data.shards=[a/*.h5]`). Patterns (`*`, `?`, `[…]`) expand in "
      "bytewise order; relative paths are relative to the working directory. `~` at the beginning of a path and "
      "`${VARIABLE}` anywhere in it are expanded; a variable that is not set is refused. A run writes its resolved "
      "configuration, with every key, to `config.yaml` in its run directory.\n\n"

      "Editors with the YAML language server complete and check the keys by a JSON Schema: write it with "
      "`nystrom --help-schema > nystrom.schema.json`, and begin the configuration with the line "
      "`# yaml-language-server: $schema=nystrom.schema.json`.\n\n";
  text += fmt::format(
      "A resumed run may change every key of the sections {}, and {}. A fork (`--resume PATH` of a checkpoint "
      "of another run directory) may also change {}. Any other change is refused, naming the keys.\n",
      enumeration(free.sections), enumeration(free.keys), fork_text());
  Config defaults;
  for (const ConfigSection& section : config_sections()) {
    text +=
        fmt::format("\n## {}\n\n", section.name.empty() ? "Top level" : fmt::format("`{}`", section.name));
    text += fmt::format("Used by: {}. {}\n\n", section.commands, section.meaning);
    text += "| key | values | default | meaning |\n|---|---|---|---|\n";
    for (const ConfigKey& key : config_keys(defaults)) {
      if (section_of(key.path) != section.name) continue;
      text +=
          fmt::format("| `{}` | {} | {} | {} |\n", key.path, type_text(key), default_text(key), key.meaning);
    }
  }
  return text;
}

}  // namespace nystrom
