#include "data/tokenizer/huggingface_files.h"

#include <openssl/evp.h>

#include <algorithm>
#include <unordered_map>

#include "data/tokenizer/sentencepiece/charsmap.h"
#include "data/tokenizer/sentencepiece/model_proto.h"
#include "kernels/core/check.h"
#include "kernels/core/json.h"

namespace nystrom {
namespace {

using OrderedJson = nlohmann::ordered_json;

constexpr const char* kWordStart = "\xE2\x96\x81";  // U+2581
constexpr const char* kBetween = "\x01";            // a control: never part of a grapheme with others
constexpr const char* kFullwidthTilde =
    "\xEF\xBD\x9E";                             // U+FF5E: NFKC changes it, SentencePiece's rules do not
constexpr const char* kAside = "\xEF\xB7\x91";  // U+FDD1, a noncharacter

std::string base64(const std::string& bytes) {
  std::string text(4 * ((bytes.size() + 2) / 3) + 1, '\0');
  const int size =
      ::EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                        reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(std::max(size, 0)));
  return text;
}

OrderedJson replace_text(const std::string& what, const std::string& by) {
  OrderedJson step{{"type", "Replace"}, {"content", by}};
  step["pattern"]["String"] = what;
  return step;
}
OrderedJson replace_pattern(const std::string& what, const std::string& by) {
  OrderedJson step{{"type", "Replace"}, {"content", by}};
  step["pattern"]["Regex"] = what;
  return step;
}

OrderedJson step(const char* type) {
  OrderedJson json;
  json["type"] = type;
  return json;
}

/// "9," and the like.
bool is_number_with_comma(const std::string& piece) {
  const std::size_t size = piece.size();
  return size >= 2 && piece[size - 1] == ',' && piece[size - 2] >= '0' && piece[size - 2] <= '9';
}

OrderedJson precompiled(const SentencePieceProto& model) {
  return {{"type", "Precompiled"}, {"precompiled_charsmap", base64(model.charsmap)}};
}

/// The rules of the model; see the header.
void add_rules(const SentencePieceProto& model, OrderedJson& steps) {
  const auto rules = charsmap_rules(model.charsmap);
  std::vector<std::u32string> sequences;
  bool tilde = false;
  for (const auto& [key, text] : rules) {
    if (key.size() > 1) sequences.push_back(key);
    tilde = tilde || key == U"\uFF5E";
  }
  if (sequences.empty()) {
    steps.push_back(precompiled(model));
    return;
  }
  if (!tilde) steps.push_back(replace_text(kFullwidthTilde, kAside));
  steps.push_back(
      replace_pattern(fmt::format("(?m:(?:{}|.)\\K)", longest_match_pattern(sequences)), kBetween));
  steps.push_back(step("NFKC"));
  steps.push_back(precompiled(model));
  steps.push_back(replace_text(kBetween, ""));
  if (!tilde) steps.push_back(replace_text(kAside, kFullwidthTilde));
}

/// Does the mark of word starts, standing in a text, become something else before blanks become that mark?
bool rules_change_word_start(const SentencePieceProto& model) {
  if (model.charsmap.empty()) return false;
  const auto rules = charsmap_rules(model.charsmap);
  return std::ranges::any_of(rules, [](const auto& rule) { return rule.first == U"\u2581"; });
}

OrderedJson normalizer_of(const SentencePieceProto& model) {
  OrderedJson steps = OrderedJson::array();
  if (!model.charsmap.empty()) add_rules(model, steps);
  steps.push_back(replace_pattern(" {2,}", " "));
  if (rules_change_word_start(model)) {
    steps.push_back(replace_pattern("\\A | \\z", ""));
  } else {
    // SentencePiece drops its own mark at the end, and puts one before a text that begins with one.
    steps.push_back(replace_pattern(fmt::format("\\A |[ {}]+\\z", kWordStart), ""));
    if (model.add_dummy_prefix)
      steps.push_back(replace_pattern(fmt::format("\\A{}", kWordStart), fmt::format(" {}", kWordStart)));
  }
  return {{"type", "Sequence"}, {"normalizers", steps}};
}

/// `split`: no piece crosses a blank.
OrderedJson metaspace(bool prefix, bool split = true) {
  return {{"type", "Metaspace"},
          {"replacement", kWordStart},
          {"prepend_scheme", prefix ? "always" : "never"},
          {"split", split}};
}

bool piece_goes_over_blank(const SentencePieceProto& model) {
  return std::ranges::any_of(model.pieces, [](const ProtoPiece& piece) {
    return piece.type == ProtoPiece::kNormal && piece.text.find(kWordStart, 1) != std::string::npos;
  });
}

OrderedJson unigram_of(const SentencePieceProto& model, std::int32_t unknown) {
  OrderedJson vocabulary = OrderedJson::array();
  for (const auto& piece : model.pieces)
    vocabulary.push_back(OrderedJson::array({piece.text, static_cast<double>(piece.score)}));
  return {{"type", "Unigram"}, {"unk_id", unknown}, {"vocab", vocabulary}, {"byte_fallback", false}};
}

std::vector<std::size_t> character_ends(const std::string& text) {
  std::vector<std::size_t> ends;
  for (std::size_t i = 1; i < text.size(); ++i)
    if ((static_cast<unsigned char>(text[i]) & 0xC0U) != 0x80U) ends.push_back(i);
  return ends;
}

/// SentencePiece merges any two neighbours that together are a piece, best score first: every split of every
/// piece is a merge.
OrderedJson bpe_of(const SentencePieceProto& model, const std::string& unknown) {
  OrderedJson vocabulary = OrderedJson::object();
  std::unordered_map<std::string, std::size_t> ids;
  for (std::size_t id = 0; id < model.pieces.size(); ++id) {
    if (ids.insert_or_assign(model.pieces[id].text, id).second)
      append_member(vocabulary, model.pieces[id].text, id);
  }
  std::vector<const ProtoPiece*> by_score;
  for (const auto& piece : model.pieces)
    if (piece.type == ProtoPiece::kNormal) by_score.push_back(&piece);
  std::ranges::stable_sort(by_score, [](const auto* a, const auto* b) { return a->score > b->score; });
  OrderedJson merges = OrderedJson::array();
  for (const auto* piece : by_score)
    for (const std::size_t at : character_ends(piece->text)) {
      const std::string left = piece->text.substr(0, at), right = piece->text.substr(at);
      if (ids.contains(left) && ids.contains(right)) merges.push_back(OrderedJson::array({left, right}));
    }
  return {{"type", "BPE"},
          {"dropout", nullptr},
          {"unk_token", unknown},
          {"continuing_subword_prefix", nullptr},
          {"end_of_word_suffix", nullptr},
          {"fuse_unk", true},
          {"byte_fallback", false},
          {"ignore_merges", false},
          {"vocab", vocabulary},
          {"merges", merges}};
}

struct Special {
  std::string bos, pad, eos, unk, mask;
};

Special names_of(const Tokenizer& tokenizer) {
  const SpecialIds& ids = tokenizer.special();
  return {tokenizer.piece(ids.bos), tokenizer.piece(ids.pad), tokenizer.piece(ids.eos),
          tokenizer.piece(ids.unk), tokenizer.piece(ids.mask)};
}

OrderedJson added_tokens(const Tokenizer& tokenizer) {
  const SpecialIds& special = tokenizer.special();
  std::vector<std::int32_t> ids{special.bos, special.pad, special.eos, special.unk, special.mask};
  std::ranges::sort(ids);
  OrderedJson tokens = OrderedJson::array();
  for (const std::int32_t id : ids)
    tokens.push_back({{"id", id},
                      {"content", tokenizer.piece(id)},
                      {"single_word", false},
                      {"lstrip", id == special.mask},
                      {"rstrip", false},
                      {"normalized", false},
                      {"special", true}});
  return tokens;
}

OrderedJson template_of(const Tokenizer& tokenizer, const Special& names) {
  const auto token = [](const std::string& name, int type) {
    OrderedJson json;
    json["SpecialToken"] = {{"id", name}, {"type_id", type}};
    return json;
  };
  const auto text = [](const char* name, int type) {
    OrderedJson json;
    json["Sequence"] = {{"id", name}, {"type_id", type}};
    return json;
  };
  const auto entry = [](const std::string& name, std::int32_t id) {
    return OrderedJson{
        {"id", name}, {"ids", OrderedJson::array({id})}, {"tokens", OrderedJson::array({name})}};
  };
  OrderedJson json;
  json["type"] = "TemplateProcessing";
  json["single"] = OrderedJson::array({token(names.bos, 0), text("A", 0), token(names.eos, 0)});
  json["pair"] = OrderedJson::array(
      {token(names.bos, 0), text("A", 0), token(names.eos, 0), text("B", 1), token(names.eos, 1)});
  json["special_tokens"][names.bos] = entry(names.bos, tokenizer.special().bos);
  json["special_tokens"][names.eos] = entry(names.eos, tokenizer.special().eos);
  return json;
}

OrderedJson decoder_of(const Tokenizer& tokenizer) {
  if (tokenizer.kind() == "wordpiece") return {{"type", "WordPiece"}, {"prefix", "##"}, {"cleanup", true}};
  if (tokenizer.kind() == "byte-level bpe")
    return {{"type", "ByteLevel"}, {"add_prefix_space", true}, {"trim_offsets", true}, {"use_regex", true}};
  return metaspace(true);
}

/// The entry of the mask in a tokenizer.json's added_tokens; null where there is none.
OrderedJson* mask_of(const Tokenizer& tokenizer, OrderedJson& json) {
  for (auto& token : json["added_tokens"])
    if (token.value("id", std::int64_t{-1}) == tokenizer.special().mask) return &token;
  return nullptr;
}

/// Does the mask take the blanks before it, as here? WordPiece drops blanks anyway.
bool mask_takes_blanks(const Tokenizer& tokenizer, OrderedJson& json) {
  const OrderedJson* mask = mask_of(tokenizer, json);
  return tokenizer.kind() == "wordpiece" || (mask != nullptr && mask->value("lstrip", false));
}

/// A tokenizer.json whose special tokens are where ours are, whose mask takes the blanks before it, and
/// which neither cuts nor pads. One that does so already keeps its bytes, and with them its identity.
std::string with_our_template(const Tokenizer& tokenizer, const Special& names) {
  using Unordered = nlohmann::json;
  OrderedJson json = parse_json<OrderedJson>(tokenizer.bytes());
  const OrderedJson ours = template_of(tokenizer, names);
  const auto is_null = [&json](const char* key) { return !json.contains(key) || json[key].is_null(); };
  const bool same = !is_null("post_processor") && parse_json<Unordered>(json["post_processor"].dump()) ==
                                                      parse_json<Unordered>(ours.dump());
  if (is_null("added_tokens")) json["added_tokens"] = OrderedJson::array();
  const bool takes_blanks = mask_takes_blanks(tokenizer, json);
  if (same && takes_blanks && is_null("truncation") && is_null("padding")) return tokenizer.bytes();
  if (!takes_blanks) {
    if (mask_of(tokenizer, json) == nullptr)
      json["added_tokens"].push_back(
          {{"id", tokenizer.special().mask}, {"content", names.mask}, {"special", true}});
    (*mask_of(tokenizer, json))["lstrip"] = true;
  }
  json["post_processor"] = ours;
  json["truncation"] = nullptr;
  json["padding"] = nullptr;
  if (is_null("decoder")) json["decoder"] = decoder_of(tokenizer);
  for (auto& token : json["added_tokens"])  // the library wants them all
    for (const char* key : {"single_word", "lstrip", "rstrip", "normalized", "special"})
      if (!token.contains(key)) token[key] = false;
  return json.dump(1, ' ', false, OrderedJson::error_handler_t::replace) + "\n";
}

OrderedJson special_tokens_map(const Special& names) {
  return {{"bos_token", names.bos},  {"cls_token", names.bos}, {"eos_token", names.eos},
          {"sep_token", names.eos},  {"unk_token", names.unk}, {"pad_token", names.pad},
          {"mask_token", names.mask}};
}

OrderedJson config_of(const Special& names, std::int64_t longest) {
  OrderedJson config = special_tokens_map(names);
  config["tokenizer_class"] = kOwnTokenizerClass;
  config["model_max_length"] = longest;
  config["clean_up_tokenization_spaces"] = false;
  config["model_input_names"] = {"input_ids", "token_type_ids", "attention_mask"};
  return config;
}

/// Why tokenizers cannot imitate the model; empty where they can.
std::string hindrance(const SentencePieceProto& model) {
  const auto has = [&model](ProtoPiece::Type type) {
    return std::ranges::find(model.pieces, type, &ProtoPiece::type) != model.pieces.end();
  };
  if (model.kind != SentencePieceProto::kUnigram && model.kind != SentencePieceProto::kBpe)
    return "is neither a unigram nor a BPE model";
  if (has(ProtoPiece::kByte)) return "spells unknown characters by pieces for bytes (byte_fallback)";
  if (has(ProtoPiece::kUserDefined)) return "has user-defined pieces";
  if (!model.remove_extra_whitespaces) return "keeps repeated blanks (remove_extra_whitespaces is off)";
  if (!model.escape_whitespaces) return "keeps blanks as they are (escape_whitespaces is off)";
  if (model.whitespace_is_suffix) return "puts blanks at the ends of words (treat_whitespace_as_suffix)";
  return {};
}

}  // namespace

std::vector<TokenizerFile> huggingface_tokenizer_files(const Tokenizer& tokenizer, std::int64_t longest) {
  const Special names = names_of(tokenizer);
  std::vector<TokenizerFile> files{{"tokenizer_config.json", config_of(names, longest).dump(1) + "\n"},
                                   {"special_tokens_map.json", special_tokens_map(names).dump(1) + "\n"}};
  if (tokenizer.is_json()) {
    files.push_back({"tokenizer.json", with_our_template(tokenizer, names)});
    return files;
  }
  const SentencePieceProto model = read_model_proto(tokenizer.bytes());
  if (!hindrance(model).empty()) return {};
  OrderedJson json;
  json["version"] = "1.0";
  json["truncation"] = nullptr;
  json["padding"] = nullptr;
  json["added_tokens"] = added_tokens(tokenizer);
  json["normalizer"] = normalizer_of(model);
  json["pre_tokenizer"] = metaspace(model.add_dummy_prefix, !piece_goes_over_blank(model));
  json["post_processor"] = template_of(tokenizer, names);
  json["decoder"] = metaspace(model.add_dummy_prefix);
  json["model"] = model.kind == SentencePieceProto::kBpe ? bpe_of(model, names.unk)
                                                         : unigram_of(model, tokenizer.special().unk);
  files.push_back({"tokenizer.json", json.dump(1) + "\n"});
  return files;
}

std::string why_not_imitated(const Tokenizer& tokenizer) {
  return tokenizer.is_json() ? std::string() : hindrance(read_model_proto(tokenizer.bytes()));
}

std::string albert_tokenizer_json(const Tokenizer& sentencepiece, const AlbertOptions& options) {
  NYSTROM_CHECK(!sentencepiece.is_json(), "a {} is not a SentencePiece model", sentencepiece.kind());
  SentencePieceProto model = read_model_proto(sentencepiece.bytes());
  for (auto& piece : model.pieces)
    if (is_number_with_comma(piece.text)) piece.score -= 100;  // so that the comma is separate
  OrderedJson steps = OrderedJson::array({replace_text("``", "\""), replace_text("''", "\"")});
  if (!options.keep_accents) {
    steps.push_back(step("NFKD"));
    steps.push_back(step("StripAccents"));
  }
  if (options.lowercase) steps.push_back(step("Lowercase"));
  if (!model.charsmap.empty()) steps.push_back(precompiled(model));
  OrderedJson json;
  json["version"] = "1.0";
  json["truncation"] = nullptr;
  json["padding"] = nullptr;
  json["added_tokens"] = added_tokens(sentencepiece);
  json["normalizer"] = {{"type", "Sequence"}, {"normalizers", steps}};
  json["pre_tokenizer"] = {{"type", "Sequence"},
                           {"pretokenizers", OrderedJson::array({step("WhitespaceSplit"), metaspace(true)})}};
  json["post_processor"] = template_of(sentencepiece, names_of(sentencepiece));
  json["decoder"] = metaspace(true);
  json["model"] = unigram_of(model, sentencepiece.special().unk);
  return json.dump(1) + "\n";
}

}  // namespace nystrom
