// The configuration as a JSON Schema (draft 7), for editors: from the same table as reading.

#include <algorithm>
#include <nlohmann/json.hpp>

#include "data/corpus/corpus.h"
#include "kernels/core/check.h"
#include "launch/config/config_table.h"

namespace nystrom {
namespace {

using OrderedJson = nlohmann::ordered_json;

constexpr double kMaxShown = 1e12;  // a range's end beyond it means that there is none

const OrderedJson kTextType{{"type", {"string", "number"}}};  // `name: 5` is text too

OrderedJson words(std::string_view choices) {
  OrderedJson all = OrderedJson::array();
  for (std::size_t begin = 0; begin <= choices.size();) {
    const auto end = std::min(choices.find(" | ", begin), choices.size());
    all.push_back(choices.substr(begin, end - begin));
    begin = end + 3;
  }
  return {{"enum", all}};
}

/// A bound as an integer where it is one: `"minimum": 1`.
OrderedJson number(double value) {
  const auto whole = static_cast<std::int64_t>(value);
  return static_cast<double>(whole) == value ? OrderedJson(whole) : OrderedJson(value);
}

OrderedJson numeric(const char* type, const Range& range) {
  OrderedJson json{{"type", type}};
  if (range.min >= -kMaxShown) json["minimum"] = number(range.min);
  if (range.max <= kMaxShown) json["maximum"] = number(range.max);
  return json;
}

OrderedJson list_of(OrderedJson items) {
  return {{"type", "array"}, {"items", std::move(items)}};
}

OrderedJson corpus_schema() {
  OrderedJson properties{{"kind", {{"enum", corpus_kinds()}}},
                         {"path", kTextType},
                         {"field", kTextType},
                         {"encoding", {{"enum", corpus_encodings()}}},
                         {"language", words("auto | " + names_of<Language>(" | "))}};
  for (const char* pages : {"disambiguation", "lists", "stubs"}) properties[pages] = words("keep | drop");
  return list_of({{"type", "object"},
                  {"properties", properties},
                  {"required", {"kind", "path"}},
                  {"additionalProperties", false}});
}

OrderedJson groups_schema() {
  const OrderedJson share = numeric("number", kNonNegative);
  return list_of({{"type", "object"},
                  {"properties", {{"match", kTextType}, {"rate", share}, {"weight_decay", share}}},
                  {"required", OrderedJson::array({"match"})},
                  {"additionalProperties", false}});
}

OrderedJson stages_schema() {
  const OrderedJson count = numeric("integer", kPositive);
  return list_of({{"type", "object"},
                  {"properties", {{"step", count}, {"global_batch", count}}},
                  {"required", OrderedJson::array({"step", "global_batch"})},
                  {"additionalProperties", false}});
}

OrderedJson grid_schema() {
  OrderedJson values = list_of({{"type", {"string", "number", "boolean"}}});
  values["minItems"] = 1;
  OrderedJson names = OrderedJson::array();
  Config config;
  for (const ConfigKey& key : config_keys(config))
    if (may_be_in_grid(key.path)) names.push_back(key.path);
  return {{"type", "object"}, {"propertyNames", {{"enum", names}}}, {"additionalProperties", values}};
}

struct TypeOf {
  const KeyRules& rules;

  OrderedJson operator()(const std::int64_t*) const { return numeric("integer", rules.range); }
  OrderedJson operator()(const std::int32_t*) const { return numeric("integer", rules.range); }
  OrderedJson operator()(const double*) const { return numeric("number", rules.range); }
  OrderedJson operator()(const bool*) const { return {{"type", "boolean"}}; }
  OrderedJson operator()(const WordSlot& slot) const { return words(slot.choices()); }
  OrderedJson operator()(const std::string*) const {
    return rules.choices.empty() ? kTextType : words(rules.choices);
  }
  OrderedJson operator()(const std::optional<std::int64_t>*) const {
    OrderedJson integer = numeric("integer", rules.range);
    return rules.unset == "auto" ? OrderedJson{{"anyOf", {integer, words("auto")}}} : integer;
  }
  OrderedJson operator()(const std::optional<double>*) const {
    return {{"anyOf", {numeric("number", rules.range), words(rules.unset)}}};
  }
  OrderedJson operator()(const std::vector<std::string>*) const {
    return {{"anyOf", {kTextType, list_of(kTextType)}}};
  }
  OrderedJson operator()(const std::vector<CorpusSpec>*) const { return corpus_schema(); }
  OrderedJson operator()(const std::vector<GridAxis>*) const { return grid_schema(); }
  OrderedJson operator()(const std::vector<OptimizerGroup>*) const { return groups_schema(); }
  OrderedJson operator()(const std::vector<BatchStage>*) const { return stages_schema(); }
  OrderedJson operator()(const std::vector<CorpusWeight>*) const {
    return {{"type", {"object", "null"}}, {"additionalProperties", numeric("number", kNonNegative)}};
  }
};

/// Of keys that have one; null for others.
struct DefaultOf {
  OrderedJson operator()(const std::int64_t* value) const { return *value; }
  OrderedJson operator()(const std::int32_t* value) const { return *value; }
  OrderedJson operator()(const double* value) const { return number(*value); }
  OrderedJson operator()(const bool* value) const { return *value; }
  OrderedJson operator()(const WordSlot& value) const { return value.word(); }
  OrderedJson operator()(const std::string* value) const { return *value; }
  OrderedJson operator()(const auto*) const { return {}; }
};

OrderedJson default_of(const ConfigKey& key) {
  const std::string_view unset = key.rules.unset;
  if (unset.empty()) return std::visit(DefaultOf{}, key.slot);
  const bool may_be_auto = std::holds_alternative<std::optional<std::int64_t>*>(key.slot) ||
                           std::holds_alternative<std::optional<double>*>(key.slot);
  if (unset == "auto" && may_be_auto) return unset;
  return unset == "[]" ? OrderedJson::array() : OrderedJson();
}

OrderedJson schema_of(const ConfigKey& key) {
  OrderedJson json = std::visit(TypeOf{key.rules}, key.slot);
  if (!key.meaning.empty()) json["description"] = key.meaning;
  if (OrderedJson value = default_of(key); !value.is_null()) json["default"] = std::move(value);
  return json;
}

/// A section may be empty: all of its keys commented out.
OrderedJson empty_section(std::string_view meaning) {
  OrderedJson json{
      {"type", {"object", "null"}}, {"additionalProperties", false}, {"properties", OrderedJson::object()}};
  if (!meaning.empty()) json["description"] = meaning;
  return json;
}

std::string_view meaning_of(std::string_view section) {
  const auto found = std::ranges::find(config_sections(), section, &ConfigSection::name);
  return found == config_sections().end() ? std::string_view() : found->meaning;
}

/// The properties of the section that a key is in, created on the way: "model.attention" of
/// "model.attention.kind".
OrderedJson& properties_around(OrderedJson& schema, std::string_view path) {
  OrderedJson* at = &schema["properties"];
  for (std::size_t begin = 0, dot; (dot = path.find('.', begin)) != std::string_view::npos; begin = dot + 1) {
    const std::string name(path.substr(begin, dot - begin));
    if (!at->contains(name)) (*at)[name] = empty_section(begin == 0 ? meaning_of(name) : "");
    at = &(*at)[name]["properties"];
  }
  return *at;
}

}  // namespace

std::string configuration_schema() {
  OrderedJson schema{{"$schema", "http://json-schema.org/draft-07/schema#"},
                     {"title", "Configuration of nystrom"},
                     {"type", "object"},
                     {"additionalProperties", false},
                     {"properties", OrderedJson::object()}};
  const Config defaults;
  Config config = defaults;
  for (const ConfigKey& key : config_keys(config)) {
    const std::string name(key.path.substr(key.path.rfind('.') + 1));
    properties_around(schema, key.path)[name] = schema_of(key);
  }
  return schema.dump(1) + "\n";
}

}  // namespace nystrom
