#include "data/tokenizer/vocabulary_files.h"

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

#include "data/tokenizer/model/unicode_classes.h"
#include "kernels/core/check.h"
#include "kernels/core/json.h"

namespace nystrom {
namespace {

using Json = nlohmann::json;

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

/// A letter that case folding would change. (Cherokee had no case when vocabularies without it were made.)
bool has_capital(std::string_view piece) {
  for (std::size_t at = 0; at < piece.size();) {
    const auto c = code_point_at(piece, at);
    const bool cherokee = c.value >= 0x13A0 && c.value <= 0x13FF;
    if (is_letter(c.value) && !cherokee && to_lower(c.value) != c.value) return true;
    at += c.length;
  }
  return false;
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

std::string json_of_wordpiece(const std::string& vocabulary, const std::string& origin,
                              const BertOptions& options) {
  Json pieces = Json::object();
  bool capitals = false;
  std::int64_t id = 0;
  for (const auto& line : lines_of(vocabulary)) {
    if (!line.starts_with('[')) capitals = capitals || has_capital(line);
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
