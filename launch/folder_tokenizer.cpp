#include "launch/folder_tokenizer.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "data/tokenizer/huggingface_files.h"
#include "kernels/core/check.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

// Where transformers and we keep a SentencePiece model.
constexpr const char* kSentencePieceNames[] = {"spiece.model", "tokenizer.model", "sentencepiece.bpe.model"};
constexpr const char* kOtherNames[] = {"tokenizer.json",
                                       "tokenizer_config.json",
                                       "special_tokens_map.json",
                                       "added_tokens.json",
                                       "vocab.txt",
                                       "vocab.json",
                                       "merges.txt"};

/// The path of a file of the folder; empty where there is none.
std::string file_in(const std::string& folder, const char* name) {
  const fs::path path = fs::path(folder) / name;
  return fs::is_regular_file(path) ? path.string() : std::string();
}

std::string sentencepiece_in(const std::string& folder) {
  for (const char* name : kSentencePieceNames)
    if (std::string path = file_in(folder, name); !path.empty()) return path;
  return {};
}

/// What tokenizer_config.json says; an empty object where there is none.
Json settings_of(const std::string& folder) {
  const std::string path = file_in(folder, "tokenizer_config.json");
  Json settings = path.empty() ? Json() : Json::parse(read_text_file(path), nullptr, false);
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

/// ALBERT's class prepares text before its SentencePiece model sees it.
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

}  // namespace

Tokenizer read_folder_tokenizer(const std::string& folder) {
  const std::string json = file_in(folder, "tokenizer.json"), model = sentencepiece_in(folder);
  const Json settings = settings_of(folder);
  const bool made_here = class_of(settings) == kOwnTokenizerClass;
  if (!json.empty() && (model.empty() || !made_here)) return read_json(json, model);
  if (!model.empty()) return read_sentencepiece(model, settings);
  for (const char* name : {"vocab.txt", "vocab.json"})
    if (const std::string path = file_in(folder, name); !path.empty()) return Tokenizer::read(path);
  return {};
}

std::vector<FolderFile> folder_tokenizer_files(const std::string& folder) {
  std::vector<FolderFile> files;
  const auto add = [&](const char* name) {
    if (const std::string path = file_in(folder, name); !path.empty())
      files.push_back({name, read_text_file(path)});
  };
  for (const char* name : kSentencePieceNames) add(name);
  for (const char* name : kOtherNames) add(name);
  return files;
}

}  // namespace nystrom
