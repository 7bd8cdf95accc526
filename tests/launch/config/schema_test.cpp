// The JSON Schema of the configuration, held against the reader that it describes: what the one accepts, the
// other does too.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <functional>
#include <optional>
#include <set>

#include "kernels/core/files.h"
#include "kernels/core/json.h"
#include "launch/config/config_table.h"

namespace nystrom {
namespace {

using Json = nlohmann::json;
using ::testing::IsEmpty;
using ::testing::Not;

// A plain scalar as YAML's core schema types it.
Json json_of_scalar(const YAML::Node& node) {
  const std::string& text = node.Scalar();
  if (node.Tag() == "!") return text;
  if (text == "true" || text == "false") return text == "true";
  const auto read = [&text](auto value) -> std::optional<Json> {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
  };
  if (const auto integer = read(std::int64_t{})) return *integer;
  if (const auto number = read(double{}); number && std::isfinite(number->get<double>())) return *number;
  return text;
}

Json json_of(const YAML::Node& node) {
  if (node.IsNull()) return nullptr;
  if (node.IsScalar()) return json_of_scalar(node);
  Json json = node.IsMap() ? Json::object() : Json::array();
  for (const auto& each : node)
    if (node.IsMap())
      json[each.first.Scalar()] = json_of(each.second);
    else
      json.push_back(json_of(each));
  return json;
}

bool has_type(const Json& value, const Json& type) {
  if (type.is_array())
    return std::ranges::any_of(type, [&](const Json& each) { return has_type(value, each); });
  if (type == "integer") return value.is_number_integer();
  if (type == "number") return value.is_number();
  if (type == "string") return value.is_string();
  if (type == "boolean") return value.is_boolean();
  if (type == "null") return value.is_null();
  return type == "object" ? value.is_object() : type == "array" && value.is_array();
}

// The part of JSON Schema that ours uses: a sentence for the first violation, or nothing. An unknown keyword
// is one.
std::string violation(const Json& value, const Json& schema, const std::string& at);

std::string violation_in_object(const Json& value, const Json& schema, const std::string& at) {
  for (const Json& name : schema.value("required", Json::array()))
    if (!value.contains(name.get<std::string>())) return at + " lacks " + name.get<std::string>();
  for (const auto& [name, member] : value.items()) {
    const std::string path = at + "." + name;
    if (schema.contains("propertyNames"))
      if (auto found = violation(name, schema["propertyNames"], path); !found.empty()) return found;
    const Json& own = schema.contains("properties") && schema["properties"].contains(name)
                          ? schema["properties"][name]
                          : schema["additionalProperties"];
    if (own == false) return path + " is not allowed";
    if (auto found = violation(member, own, path); !found.empty()) return found;
  }
  return {};
}

std::string violation(const Json& value, const Json& schema, const std::string& at) {
  static const std::set<std::string> known{
      "$schema",  "title",      "description", "default",       "type",
      "enum",     "minimum",    "maximum",     "anyOf",         "items",
      "minItems", "properties", "required",    "propertyNames", "additionalProperties"};
  for (const auto& [keyword, ignored] : schema.items())
    if (!known.contains(keyword)) return at + ": unknown keyword " + keyword;
  if (schema.contains("anyOf") && std::ranges::none_of(schema["anyOf"], [&](const Json& each) {
        return violation(value, each, at).empty();
      }))
    return at + " is none of the alternatives: " + value.dump();
  if (schema.contains("type") && !has_type(value, schema["type"])) return at + " is " + value.dump();
  if (schema.contains("enum") && std::ranges::find(schema["enum"], value) == schema["enum"].end())
    return at + " is none of the words: " + value.dump();
  if (value.is_number() && schema.contains("minimum") && value < schema["minimum"])
    return at + " is too small";
  if (value.is_number() && schema.contains("maximum") && value > schema["maximum"])
    return at + " is too large";
  if (value.is_array() && value.size() < schema.value("minItems", std::size_t{0}))
    return at + " has too few items";
  if (value.is_array() && schema.contains("items"))
    for (const Json& item : value)
      if (auto found = violation(item, schema["items"], at + "[]"); !found.empty()) return found;
  const bool closed = value.is_object() && schema.contains("additionalProperties");
  return closed ? violation_in_object(value, schema, at) : std::string();
}

std::string violation(const std::string& yaml) {
  static const Json schema = parse_json<Json>(configuration_schema());
  Json value = json_of(YAML::Load(yaml));
  return violation(value.is_null() ? Json::object() : value, schema, "");
}

std::string reading_refusal(const std::string& yaml) {
  try {
    (void)read_config_text(yaml, "run.yaml");
  } catch (const InputError& error) {
    return error.what();
  }
  return {};
}

TEST(Schema, every_ready_configuration_keeps_to_it) {
  int files = 0;
  for (const auto& file : std::filesystem::recursive_directory_iterator("configs")) {
    if (file.path().extension() != ".yaml") continue;
    const std::string yaml = read_file(file.path());
    EXPECT_THAT(violation(yaml), IsEmpty()) << file.path();
    EXPECT_THAT(violation(to_yaml(read_config_text(yaml, file.path()))), IsEmpty())
        << file.path() << ", resolved";
    ++files;
  }
  EXPECT_GE(files, 10);
}

TEST(Schema, accepts_what_the_reader_accepts) {
  for (
      const char* yaml :
      {"", "model:\n", "seed: 0", "data: {shards: a/*.h5, validation: [b, 5]}",
       "data: {mixture: {wiki: 1, books: 0.5}}", "data: {mixture: }",
       "data: {sequence_length: auto, shuffle: false}", "training: {micro_batch: 4, clip_norm: 0}",
       "training: {precision: bf16, on_nonfinite: skip, on_spike: ignore}",
       "run: {stop_after: 3600, directory: 5}",
       "corpus: [{kind: jsonl, path: x, field: body, encoding: utf-16, language: de}, {kind: wikipedia, path: y, stubs: drop}]",
       "grid: {seed: [1, 2], optimizer.learning_rate: [2e-5, 3e-5], training.recompute: [true]}",
       "task: {kind: tokens, columns: {word: 0, tag: -1}, labels: [O, B-PER]}",
       "schedule: {end_share: auto, beta1_ends: none}", "schedule: {end_share: 0.5, beta1_ends: 0.9}",
       "optimizer: {groups: [{match: '*.bias', weight_decay: 0}, {match: a, rate: 0.1}]}",
       "model: {attention: {kind: softmax, convolution: 0}}"}) {
    EXPECT_THAT(reading_refusal(yaml), IsEmpty()) << yaml;
    EXPECT_THAT(violation(yaml), IsEmpty()) << yaml;
  }
}

TEST(Schema, refuses_what_the_reader_refuses) {
  for (const char* yaml : {"layers: 2",
                           "model: {layer: 2}",
                           "model: {attention: {landmark: 2}}",
                           "model: {layers: 0}",
                           "model: {layers: 2.5}",
                           "model: {layers: '2'}",
                           "model: {dropout: 1.5}",
                           "model: {dropout: -0.1}",
                           "model: 5",
                           "model: {attention: {kind: x}}",
                           "data: {shuffle: maybe}",
                           "data: {shards: {a: b}}",
                           "data: {mixture: {wiki: -1}}",
                           "data: {mixture: [wiki]}",
                           "data: {sequence_length: short}",
                           "data: {masking: {unit: letter}}",
                           "training: {on_nonfinite: ignore}",
                           "training: {steps: auto}",
                           "communication: {reduction: auto}",
                           "optimizer: {kind: sgd}",
                           "tokenizer: {kind: x}",
                           "tokenizer: {special_ids: {bos: 9}}",
                           "corpus: {kind: lines, path: x}",
                           "corpus: [{kind: novels, path: x}]",
                           "corpus: [{kind: lines}]",
                           "corpus: [{kind: lines, path: x, glob: y}]",
                           "corpus: [{kind: lines, path: x, lists: no}]",
                           "grid: {seed: 1}",
                           "grid: {seed: []}",
                           "grid: {seed: [[1]]}",
                           "grid: {run.directory: [a, b]}",
                           "grid: {sead: [1]}"}) {
    EXPECT_THAT(reading_refusal(yaml), Not(IsEmpty())) << yaml;
    EXPECT_THAT(violation(yaml), Not(IsEmpty())) << yaml;
  }
}

// Objects whose members are not configuration keys.
bool is_open(const std::string& path) {
  return path == ".grid" || path == ".data.mixture";
}

void check_structure(const Json& schema, const std::string& path, int& keys) {
  if (!schema.contains("properties")) {
    ++keys;
    EXPECT_TRUE(is_open(path) || schema.value("type", Json()) != "object") << path;
    return;
  }
  EXPECT_EQ(schema["additionalProperties"], false) << path;
  for (const auto& [name, member] : schema["properties"].items()) {
    const bool described =
        member.contains("description") || path == ".tokenizer.special_ids" || member.contains("properties");
    EXPECT_TRUE(described) << path << "." << name;
    check_structure(member, path + "." + name, keys);
  }
}

TEST(Schema, has_every_key_with_its_meaning_and_no_others) {
  const Json schema = parse_json<Json>(configuration_schema());
  int keys = 0;
  check_structure(schema, "", keys);
  Config config;
  EXPECT_EQ(keys, std::ssize(config_keys(config)));
  const Json& training = schema["properties"]["training"]["properties"];
  EXPECT_EQ(training["global_batch"]["default"], config.training.global_batch);
  EXPECT_EQ(training["micro_batch"]["default"], "auto");
  EXPECT_FALSE(training["steps"].contains("default"));
  EXPECT_EQ(training["backend"]["enum"], Json({"auto", "cpu", "cuda"}));
  EXPECT_EQ(schema["properties"]["model"]["properties"]["dropout"]["maximum"], 1);
  EXPECT_EQ(schema["properties"]["model"]["properties"]["layers"]["minimum"], 1);
  EXPECT_FALSE(schema["properties"]["model"]["properties"]["layers"].contains("maximum"));
}

TEST(Schema, defaults_keep_to_it) {
  const std::function<void(const Json&, const std::string&)> check = [&](const Json& schema,
                                                                         const std::string& path) {
    EXPECT_THAT(violation(schema.value("default", Json()),
                          schema.contains("default") ? schema : Json::object(), path),
                IsEmpty());
    if (schema.contains("properties"))
      for (const auto& [name, member] : schema["properties"].items()) check(member, path + "." + name);
  };
  check(parse_json<Json>(configuration_schema()), "");
}

}  // namespace
}  // namespace nystrom
