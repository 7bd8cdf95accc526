#include "launch/models/folder_tokenizer.h"

#include <algorithm>
#include <filesystem>
#include <optional>

#include "data/tokenizer/huggingface_files.h"
#include "data/tokenizer/vocabulary_files.h"
#include "kernels/core/check.h"
#include "kernels/core/files.h"
#include "kernels/core/json.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

// File names of a SentencePiece model in transformers and here.
constexpr const char* kSentencePieceNames[] = {"spiece.model", "tokenizer.model", "sentencepiece.bpe.model"};
constexpr std::string_view kSettings = "tokenizer_config.json";
constexpr const char* kOtherNames[] = {"tokenizer.json",
                                       "tokenizer_config.json",
                                       "special_tokens_map.json",
                                       "added_tokens.json",
                                       "vocab.txt",
                                       "vocab.json",
                                       "merges.txt"};

/// Path of a file of the folder; empty if there is none. Refuses a link out of the folder, whose target would
/// be copied with the model.
std::string file_in(const std::string& folder, const char* name) {
  const fs::path path = fs::path(folder) / name;
  if (std::error_code error; !fs::is_regular_file(path, error)) return {};
  refuse_link_out_of(folder, path.string());
  return path.string();
}

std::string merges_in(const std::string& folder) {
  const std::string path = file_in(folder, "merges.txt");
  return path.empty() ? (fs::path(folder) / "merges.txt").string() : path;  // reading says what is wrong
}

std::string sentencepiece_in(const std::string& folder) {
  for (const char* name : kSentencePieceNames)
    if (std::string path = file_in(folder, name); !path.empty()) return path;
  return {};
}

/// Content of tokenizer_config.json; an empty object if there is none.
Json settings_of(const std::string& folder) {
  const std::string path = file_in(folder, "tokenizer_config.json");
  Json settings = path.empty() ? Json() : try_parse_json<Json>(read_file(path));
  return settings.is_object() ? settings : Json::object();
}

std::string class_of(const Json& settings) {
  const auto found = settings.find("tokenizer_class");
  return found != settings.end() && found->is_string() ? found->get<std::string>() : std::string();
}

bool flag(const Json& settings, const char* key, bool otherwise) {
  const auto found = settings.find(key);
  return found != settings.end() && found->is_boolean() ? found->get<bool>() : otherwise;
}

/// ALBERT's tokenizer class normalizes text before its SentencePiece model.
Tokenizer read_sentencepiece(const std::string& path, const Json& settings) {
  if (!class_of(settings).starts_with("Albert")) return Tokenizer::read(path);
  const AlbertOptions options{.lowercase = flag(settings, "do_lower_case", true),
                              .keep_accents = flag(settings, "keep_accents", false)};
  return Tokenizer::from_bytes(albert_tokenizer_json(Tokenizer::read(path), options), path);
}

Tokenizer read_json(const std::string& path, const std::string& otherwise) {
  try {
    return Tokenizer::read(path);
  } catch (const InputError&) {
    if (otherwise.empty()) throw;
    return Tokenizer::read(otherwise);
  }
}

/// Did this program make the tokenizer.json at `json` from the SentencePiece model at `model`?
bool is_made_of(const std::string& json, const std::string& model) {
  try {
    for (const TokenizerFile& made : huggingface_tokenizer_files(Tokenizer::read(model), 0))
      if (made.name == "tokenizer.json")
        return parse_json<Json>(made.bytes) == try_parse_json<Json>(read_file(json));
  } catch (const InputError&) {  // not a model that this program reads
  }
  return false;
}

/// tokenizer_config.json without `auto_map`: names of code elsewhere, which transformers may run. What
/// transformers could read and this program cannot is not passed on.
std::string without_code(std::string settings, const std::string& path) {
  if (const auto strict = try_parse_json<nlohmann::ordered_json>(settings); strict.is_object()) {
    if (!strict.contains("auto_map")) return settings;
    auto kept = strict;
    kept.erase("auto_map");
    return kept.dump(2) + "\n";
  }
  std::int64_t lone_surrogates = 0;
  Json kept = try_parse_python_json(settings, lone_surrogates);
  if (!kept.is_object()) refuse("{} is not a JSON object. Get it again, or remove it.", path);
  kept.erase("auto_map");
  return kept.dump(2) + "\n";
}

std::optional<bool> given_flag(const Json& settings, const char* key) {
  const auto found = settings.find(key);
  return found != settings.end() && found->is_boolean() ? std::optional(found->get<bool>()) : std::nullopt;
}

/// BERT's tokenizer class lowercases by default.
Tokenizer read_wordpiece(const std::string& path, const Json& settings) {
  const BertOptions options{.lowercase = flag(settings, "do_lower_case", true),
                            .strip_accents = given_flag(settings, "strip_accents"),
                            .ideographs = flag(settings, "tokenize_chinese_chars", true)};
  return Tokenizer::from_bytes(json_of_wordpiece(read_file(path), path, options), path);
}

Tokenizer read_byte_bpe(const std::string& vocabulary, const std::string& merges, const Json& settings) {
  return Tokenizer::from_bytes(json_of_byte_bpe(read_file(vocabulary), read_file(merges), vocabulary,
                                                flag(settings, "add_prefix_space", false)),
                               vocabulary);
}

}  // namespace

Tokenizer read_folder_tokenizer(const std::string& folder) {
  const std::string json = file_in(folder, "tokenizer.json"), model = sentencepiece_in(folder);
  const Json settings = settings_of(folder);
  const auto made_here = [&] { return class_of(settings) == kOwnTokenizerClass && is_made_of(json, model); };
  if (!json.empty() && (model.empty() || !made_here())) return read_json(json, model);
  if (!model.empty()) return read_sentencepiece(model, settings);
  if (const std::string path = file_in(folder, "vocab.txt"); !path.empty())
    return read_wordpiece(path, settings);
  if (const std::string path = file_in(folder, "vocab.json"); !path.empty())
    return read_byte_bpe(path, merges_in(folder), settings);
  return {};
}

bool is_sentencepiece_file(const std::string& name) {
  return std::ranges::find(kSentencePieceNames, name) != std::end(kSentencePieceNames);
}

std::vector<FolderFile> folder_tokenizer_files(const std::string& folder) {
  std::vector<FolderFile> files;
  const auto add = [&](const char* name) {
    if (const std::string path = file_in(folder, name); !path.empty())
      files.push_back({name, name == kSettings ? without_code(read_file(path), path) : read_file(path)});
  };
  for (const char* name : kSentencePieceNames) add(name);
  for (const char* name : kOtherNames) add(name);
  return files;
}

}  // namespace nystrom
