#include "data/tokenizer/tokenizer_json.h"

#include <algorithm>
#include <set>

#include "data/tokenizer/byte_bpe_model.h"
#include "data/tokenizer/unigram_model.h"
#include "data/tokenizer/wordpiece_model.h"
#include "kernels/core/check.h"
#include "kernels/core/json.h"

namespace nystrom {
namespace {

using Json = nlohmann::json;

std::string type_of(const Json& json) {
  return json.is_object() ? json.value("type", "") : "";
}

[[noreturn]] void unknown_part(const std::string& origin, std::string_view part, const std::string& type) {
  refuse("{}: its {} `{}` is not supported.", origin, part, type.empty() ? "(none)" : type);
}

void add_vocabulary(Vocabulary& vocabulary, const Json& pieces, const std::string& origin) {
  for (const auto& [piece, id] : pieces.items()) vocabulary.add(piece, id.get<std::int64_t>(), origin);
}

void add_tokens(Vocabulary& vocabulary, const Json& json, const std::string& origin) {
  for (const auto& token : json.value("added_tokens", Json::array())) {
    const auto id = token.at("id").get<std::int64_t>();
    vocabulary.add(token.at("content"), id, origin);
    if (token.value("special", false)) vocabulary.set_control(static_cast<std::int32_t>(id));
  }
}

std::unique_ptr<TokenizerModel> wordpiece(const Json& json, const std::string& origin) {
  const auto& model = json.at("model");
  WordPieceOptions options{.unknown = model.value("unk_token", "[UNK]"),
                           .prefix = model.value("continuing_subword_prefix", "##"),
                           .longest_word = model.value("max_input_chars_per_word", std::size_t{100})};
  const auto normalizer = json.value("normalizer", Json());
  if (type_of(normalizer) == "BertNormalizer") {
    options.clean = normalizer.value("clean_text", true);
    options.ideographs = normalizer.value("handle_chinese_chars", true);
    options.lowercase = normalizer.value("lowercase", true);
    const auto accents = normalizer.value("strip_accents", Json());
    options.strip_accents = accents.is_boolean() ? accents.get<bool>() : options.lowercase;
  } else if (normalizer.is_null()) {
    options.clean = options.ideographs = options.lowercase = options.strip_accents = false;
  } else {
    unknown_part(origin, "normalizer", type_of(normalizer));
  }
  if (const auto words = type_of(json.value("pre_tokenizer", Json())); words != "BertPreTokenizer")
    unknown_part(origin, "pre_tokenizer", words);
  Vocabulary vocabulary;
  add_vocabulary(vocabulary, model.at("vocab"), origin);
  add_tokens(vocabulary, json, origin);
  return make_wordpiece(std::move(vocabulary), options, origin);
}

std::pair<std::string, std::string> merge_of(const Json& entry, const std::string& origin) {
  if (entry.is_array() && entry.size() == 2) return {entry.at(0), entry.at(1)};
  const std::string text = entry;
  const auto blank = text.find(' ');
  if (blank == std::string::npos)
    refuse("{}: the merge \"{}\" has no blank between its pieces.", origin, text);
  return {text.substr(0, blank), text.substr(blank + 1)};
}

std::unique_ptr<TokenizerModel> byte_bpe(const Json& json, const std::string& origin) {
  const auto& model = json.at("model");
  if (const auto normalizer = json.value("normalizer", Json()); !normalizer.is_null())
    unknown_part(origin, "normalizer", type_of(normalizer));
  const auto words = json.value("pre_tokenizer", Json());
  if (type_of(words) != "ByteLevel" || !words.value("use_regex", true))
    unknown_part(origin, "pre_tokenizer", type_of(words));
  ByteBpeOptions options{.add_prefix_space = words.value("add_prefix_space", true),
                         .ignore_merges = model.value("ignore_merges", false),
                         .merges = {}};
  for (const auto& entry : model.at("merges")) options.merges.push_back(merge_of(entry, origin));
  Vocabulary vocabulary;
  add_vocabulary(vocabulary, model.at("vocab"), origin);
  add_tokens(vocabulary, json, origin);
  return make_byte_bpe(std::move(vocabulary), options, origin);
}

void read_metaspace(const Json& json, UnigramOptions& options) {
  options.blank = json.value("replacement", "\u2581");
  const auto scheme = json.value("prepend_scheme", json.value("add_prefix_space", true) ? "always" : "never");
  options.prefix = scheme == "always"  ? UnigramOptions::Prefix::kAlways
                   : scheme == "first" ? UnigramOptions::Prefix::kFirst
                                       : UnigramOptions::Prefix::kNever;
}

std::unique_ptr<TokenizerModel> unigram(const Json& json, const std::string& origin) {
  const auto& model = json.at("model");
  UnigramOptions options;
  options.normalizer = json.value("normalizer", Json());
  const auto words = json.value("pre_tokenizer", Json());
  std::vector<Json> steps{words};
  if (type_of(words) == "Sequence") steps = words.at("pretokenizers").get<std::vector<Json>>();
  bool metaspace = false;
  for (const auto& step : steps) {
    if (type_of(step) == "WhitespaceSplit" && !metaspace)
      options.split_white_space = true;
    else if (type_of(step) == "Metaspace" && !metaspace)
      read_metaspace(step, options), metaspace = true;
    else
      unknown_part(origin, "pre_tokenizer", type_of(step));
  }
  if (!metaspace) unknown_part(origin, "pre_tokenizer", type_of(words));
  Vocabulary vocabulary;
  for (const auto& entry : model.at("vocab")) {
    vocabulary.add(entry.at(0), std::ssize(options.scores), origin);
    options.scores.push_back(entry.at(1));
  }
  if (const auto unknown = model.value("unk_id", Json()); unknown.is_number_integer())
    options.unknown = unknown.get<std::int32_t>();
  options.byte_fallback = model.value("byte_fallback", false);
  add_tokens(vocabulary, json, origin);
  return make_unigram(std::move(vocabulary), std::move(options), origin);
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    auto line = text.substr(begin, end - begin);
    if (line.ends_with('\r')) line.pop_back();
    lines.push_back(std::move(line));
    begin = end + 1;
  }
  return lines;
}

Json added_tokens(const Json& pieces, std::initializer_list<const char*> specials) {
  Json tokens = Json::array();
  for (const char* special : specials) {
    if (pieces.contains(special))
      tokens.push_back({{"id", pieces.at(special)}, {"content", special}, {"special", true}});
  }
  return tokens;
}

}  // namespace

std::unique_ptr<TokenizerModel> load_tokenizer_json(const std::string& bytes, const std::string& origin) {
  const auto json = try_parse_json<Json>(bytes);
  if (json.is_discarded() || !json.is_object() || !json.contains("model") || !json.at("model").is_object())
    refuse("{} is not a valid tokenizer.json: not a JSON object with a member `model`.", origin);
  try {
    // Old files do not say the type of WordPiece.
    auto type = type_of(json.at("model"));
    if (type.empty() && json.at("model").contains("max_input_chars_per_word")) type = "WordPiece";
    if (type == "WordPiece") return wordpiece(json, origin);
    if (type == "BPE") return byte_bpe(json, origin);
    if (type == "Unigram") return unigram(json, origin);
    unknown_part(origin, "model", type);
  } catch (const Json::exception& error) {
    refuse("{} is not a valid tokenizer.json: {}.", origin, error.what());
  }
}

std::string json_of_wordpiece(const std::string& vocabulary, const std::string& origin,
                              const BertOptions& options) {
  Json pieces = Json::object();
  bool capitals = false;
  std::int64_t id = 0;
  for (const auto& line : lines_of(vocabulary)) {
    if (!line.starts_with('['))
      capitals |= std::any_of(line.begin(), line.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
    pieces[line] = id++;
  }
  if (!pieces.contains("[UNK]")) refuse("{} is not a WordPiece vocabulary: it has no line [UNK].", origin);
  const Json accents = options.strip_accents ? Json(*options.strip_accents) : Json();
  const Json json{{"version", "1.0"},
                  {"added_tokens", added_tokens(pieces, {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"})},
                  {"normalizer",
                   {{"type", "BertNormalizer"},
                    {"clean_text", true},
                    {"handle_chinese_chars", options.ideographs},
                    {"strip_accents", accents},
                    {"lowercase", options.lowercase.value_or(!capitals)}}},
                  {"pre_tokenizer", {{"type", "BertPreTokenizer"}}},
                  {"model",
                   {{"type", "WordPiece"},
                    {"unk_token", "[UNK]"},
                    {"continuing_subword_prefix", "##"},
                    {"max_input_chars_per_word", 100},
                    {"vocab", std::move(pieces)}}}};
  return json.dump(1, ' ', false, Json::error_handler_t::replace);
}

std::string json_of_byte_bpe(const std::string& vocabulary, const std::string& merges,
                             const std::string& origin, bool add_prefix_space) {
  auto pieces = try_parse_json<Json>(vocabulary);
  if (pieces.is_discarded() || !pieces.is_object())
    refuse("{} is not a valid vocab.json: not a JSON object of pieces and ids.", origin);
  Json list = Json::array();
  for (const auto& line : lines_of(merges)) {
    if (!line.empty() && !line.starts_with("#version")) list.push_back(line);
  }
  const Json json{
      {"version", "1.0"},
      {"added_tokens", added_tokens(pieces, {"<s>", "<pad>", "</s>", "<unk>", "<mask>", "[CLS]", "[PAD]",
                                             "[SEP]", "[UNK]", "[MASK]", "<|endoftext|>"})},
      {"normalizer", nullptr},
      {"pre_tokenizer",
       {{"type", "ByteLevel"}, {"add_prefix_space", add_prefix_space}, {"trim_offsets", true}}},
      {"model", {{"type", "BPE"}, {"merges", std::move(list)}, {"vocab", std::move(pieces)}}}};
  return json.dump(1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace nystrom
