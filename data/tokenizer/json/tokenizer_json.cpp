#include "data/tokenizer/json/tokenizer_json.h"

#include <algorithm>
#include <set>

#include "data/tokenizer/json/added_tokens.h"
#include "data/tokenizer/json/byte_bpe_model.h"
#include "data/tokenizer/json/json_parts.h"
#include "data/tokenizer/json/normalizer.h"
#include "data/tokenizer/json/unigram_model.h"
#include "data/tokenizer/json/wordpiece_model.h"
#include "kernels/core/check.h"
#include "kernels/core/json.h"

namespace nystrom {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kMembers[] = {"version",        "truncation", "padding",
                                         "added_tokens",   "normalizer", "pre_tokenizer",
                                         "post_processor", "decoder",    "model"};

constexpr const char* kLongestWord = "max_input_chars_per_word";

struct KnownPart {
  std::string_view type;
  std::initializer_list<std::string_view> members;
};

/// What a model needs besides itself: tokens found before it, and what is done to a text before both.
struct Surroundings {
  std::vector<AddedToken> tokens;
  Json normalizer;
};

std::unique_ptr<TokenizerModel> surrounded(std::unique_ptr<VocabularyModel> model, Surroundings around,
                                           const std::string& origin) {
  return with_added_tokens(std::move(model), std::move(around.tokens), Normalizer(around.normalizer, origin),
                           origin);
}

bool any_is_found(const std::vector<AddedToken>& tokens) {
  return !std::ranges::all_of(tokens, &AddedToken::special);
}

void add_vocabulary(Vocabulary& vocabulary, const Json& pieces, const std::string& origin) {
  for (const auto& [piece, id] : pieces.items())
    vocabulary.add(piece,
                   json_integer<std::int64_t>(
                       id, [&, &p = piece] { return fmt::format("{}: the id of \"{}\"", origin, p); }),
                   origin);
}

AddedToken added_token(const Json& json, const std::string& path, const std::string& origin) {
  check_members(json, path, {"id", "content", "single_word", "lstrip", "rstrip", "normalized", "special"},
                origin);
  AddedToken token;
  token.content = json.at("content").get<std::string>();
  token.special = json.value("special", false);
  token.single_word = json.value("single_word", false);
  token.lstrip = json.value("lstrip", false);
  token.rstrip = json.value("rstrip", false);
  token.normalized = json.value("normalized", !token.special);
  return token;
}

/// `pieces`: of the model. `tokenizers` gives an added token its id in the model, else the next one that is
/// free, whatever the file says: a file that says otherwise is refused.
std::vector<AddedToken> add_tokens(Vocabulary& vocabulary, std::int64_t pieces, const Json& json,
                                   const std::string& origin) {
  std::vector<AddedToken> tokens;
  std::int64_t next = pieces;
  for (const auto& each : json.value("added_tokens", Json::array())) {
    const auto path = fmt::format("added_tokens[{}]", tokens.size());
    AddedToken token = added_token(each, path, origin);
    const auto id = json_integer<std::int64_t>(each.at("id"),
                                               [&] { return fmt::format("{}: its `{}.id`", origin, path); });
    const auto known = vocabulary.id_of(token.content);
    if (const std::int64_t given = known.value_or(next); given != id)
      refuse("{}: its `{}.id` is {}; the library `tokenizers` gives \"{}\" the id {}.", origin, path, id,
             token.content, given);
    if (!known) vocabulary.add_outside(token.content, id, origin);
    if (token.special) vocabulary.set_control(static_cast<std::int32_t>(id));
    token.id = static_cast<std::int32_t>(id);
    next = std::max(next, id + 1);
    tokens.push_back(std::move(token));
  }
  std::erase_if(tokens, [](const AddedToken& token) { return token.content.empty(); });
  return tokens;
}

std::unique_ptr<TokenizerModel> wordpiece(const Json& json, const std::string& origin) {
  const auto& model = json.at("model");
  check_members(model, "model", {"unk_token", "continuing_subword_prefix", kLongestWord, "vocab"}, origin);
  WordPieceOptions options{.unknown = model.value("unk_token", "[UNK]"),
                           .prefix = model.value("continuing_subword_prefix", "##"),
                           .longest_word = 100};
  if (model.contains(kLongestWord))
    options.longest_word = json_integer<std::size_t>(
        model.at(kLongestWord), [&] { return fmt::format("{}: its `model.{}`", origin, kLongestWord); });
  const auto words = json.value("pre_tokenizer", Json());
  if (type_of(words) != "BertPreTokenizer") refuse_value("pre_tokenizer.type", type_of(words), origin);
  check_members(words, "pre_tokenizer", {}, origin);
  Vocabulary vocabulary;
  add_vocabulary(vocabulary, model.at("vocab"), origin);
  Surroundings around{add_tokens(vocabulary, std::ssize(model.at("vocab")), json, origin),
                      json.value("normalizer", Json())};
  // BERT's own rules are part of the model, unless tokens are to be found in between.
  const bool alone = !any_is_found(around.tokens) &&
                     (around.normalizer.is_null() || type_of(around.normalizer) == "BertNormalizer");
  options.clean = options.ideographs = options.lowercase = options.strip_accents = false;
  if (!alone)
    return surrounded(make_wordpiece(std::move(vocabulary), options, origin), std::move(around), origin);
  const Normalizer checked(around.normalizer, origin);
  if (!around.normalizer.is_null()) {
    const auto bert = bert_normalization(around.normalizer);
    options.clean = bert.clean;
    options.ideographs = bert.ideographs;
    options.lowercase = bert.lowercase;
    options.strip_accents = bert.strip_accents;
  }
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

/// Refuses a member that is neither absent, null, false, 0 nor "".
void check_is_off(const Json& json, const std::string& path, const char* member, const std::string& origin) {
  const Json value = json.value(member, Json());
  if (!value.is_null() && value != Json(false) && value != Json(0.0) && value != Json(""))
    refuse_value(path + "." + member, value.dump(), origin);
}

ByteBpeOptions byte_bpe_options(const Json& model, const Json& words, const std::string& origin) {
  check_members(model, "model",
                {"dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk",
                 "byte_fallback", "ignore_merges", "vocab", "merges"},
                origin);
  for (const char* member : {"dropout", "continuing_subword_prefix", "end_of_word_suffix", "byte_fallback"})
    check_is_off(model, "model", member, origin);
  if (type_of(words) != "ByteLevel") refuse_value("pre_tokenizer.type", type_of(words), origin);
  check_members(words, "pre_tokenizer", {"add_prefix_space", "trim_offsets", "use_regex"}, origin);
  if (!words.value("use_regex", true)) refuse_value("pre_tokenizer.use_regex", "false", origin);
  const auto unknown = model.value("unk_token", Json());
  ByteBpeOptions options{.add_prefix_space = words.value("add_prefix_space", true),
                         .ignore_merges = model.value("ignore_merges", false),
                         .unknown = unknown.is_null() ? std::string() : unknown.get<std::string>(),
                         .fuse_unknown = model.value("fuse_unk", false),
                         .merges = {}};
  for (const auto& entry : model.at("merges")) options.merges.push_back(merge_of(entry, origin));
  return options;
}

std::unique_ptr<TokenizerModel> byte_bpe(const Json& json, const std::string& origin) {
  const auto& model = json.at("model");
  const ByteBpeOptions options = byte_bpe_options(model, json.value("pre_tokenizer", Json()), origin);
  Vocabulary vocabulary;
  add_vocabulary(vocabulary, model.at("vocab"), origin);
  Surroundings around{add_tokens(vocabulary, std::ssize(model.at("vocab")), json, origin),
                      json.value("normalizer", Json())};
  auto bpe = make_byte_bpe(std::move(vocabulary), options, origin);
  if (!any_is_found(around.tokens) && around.normalizer.is_null()) return bpe;
  return surrounded(std::move(bpe), std::move(around), origin);
}

void read_metaspace(const Json& json, const std::string& path, UnigramOptions& options,
                    const std::string& origin) {
  check_members(json, path, {"replacement", "add_prefix_space", "prepend_scheme", "split", "str_rep"},
                origin);
  options.blank = json.value("replacement", "\u2581");
  if (options.blank.empty()) refuse_value(path + ".replacement", "\"\"", origin);
  options.split_blanks = json.value("split", true);
  const std::string scheme =
      json.value("prepend_scheme", json.value("add_prefix_space", true) ? "always" : "never");
  if (scheme == "always")
    options.prefix = UnigramOptions::Prefix::kAlways;
  else if (scheme == "first")
    options.prefix = UnigramOptions::Prefix::kFirst;
  else if (scheme == "never")
    options.prefix = UnigramOptions::Prefix::kNever;
  else
    refuse_value(path + ".prepend_scheme", scheme, origin);
}

/// Metaspace, alone or after WhitespaceSplit.
void read_unigram_words(const Json& words, UnigramOptions& options, const std::string& origin) {
  const bool sequence = type_of(words) == "Sequence";
  if (sequence) check_members(words, "pre_tokenizer", {"pretokenizers"}, origin);
  const auto steps = sequence ? words.at("pretokenizers").get<std::vector<Json>>() : std::vector<Json>{words};
  bool metaspace = false;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const auto path = sequence ? fmt::format("pre_tokenizer.pretokenizers[{}]", i) : "pre_tokenizer";
    const auto type = type_of(steps[i]);
    if (metaspace || (type != "WhitespaceSplit" && type != "Metaspace"))
      refuse_value(path + ".type", type, origin);
    metaspace = type == "Metaspace";
    if (metaspace)
      read_metaspace(steps[i], path, options, origin);
    else
      check_members(steps[i], path, {}, origin);
    options.split_white_space |= !metaspace;
  }
  if (!metaspace) refuse("{}: its `pre_tokenizer` has no Metaspace, which unigram needs.", origin);
}

std::unique_ptr<TokenizerModel> unigram(const Json& json, const std::string& origin) {
  const auto& model = json.at("model");
  check_members(model, "model", {"vocab", "unk_id", "byte_fallback"}, origin);
  UnigramOptions options;
  read_unigram_words(json.value("pre_tokenizer", Json()), options, origin);
  Vocabulary vocabulary;
  for (const auto& entry : model.at("vocab")) {
    vocabulary.add(entry.at(0), std::ssize(options.scores), origin);
    options.scores.push_back(entry.at(1));
  }
  if (const auto unknown = model.value("unk_id", Json()); !unknown.is_null())
    options.unknown = json_integer<std::int32_t>(unknown, [&] { return origin + ": its `model.unk_id`"; });
  if (options.unknown < -1 || options.unknown >= std::ssize(options.scores))
    refuse_value("model.unk_id", std::to_string(options.unknown), origin);
  options.byte_fallback = model.value("byte_fallback", false);
  Surroundings around{add_tokens(vocabulary, std::ssize(options.scores), json, origin),
                      json.value("normalizer", Json())};
  const bool alone = !any_is_found(around.tokens);
  if (alone) options.normalizer = around.normalizer;
  auto made = make_unigram(std::move(vocabulary), std::move(options), origin);
  if (alone) return made;
  return surrounded(std::move(made), std::move(around), origin);
}

/// What changes no ids of a text (where special tokens are added, how much of a text is kept, how ids become
/// text) is known, or refused as well.
void check_known(const Json& json, const std::string& path, std::initializer_list<KnownPart> parts,
                 const std::string& origin) {
  if (json.is_null()) return;
  const auto type = type_of(json);
  const auto part = std::ranges::find(parts, type, &KnownPart::type);
  if (part == parts.end()) refuse_value(path + ".type", type, origin);
  check_members(json, path, part->members, origin);
  if (type != "Sequence") return;
  const char* list = part->members.begin()->data();
  std::size_t index = 0;
  for (const auto& each : json.at(list))
    check_known(each, fmt::format("{}.{}[{}]", path, list, index++), parts, origin);
}

void check_surroundings(const Json& json, const std::string& origin) {
  for (const auto& [key, value] : json.items())
    if (std::ranges::find(kMembers, key) == std::end(kMembers))
      refuse("{}: its member `{}` is not supported.", origin, key);
  check_known(json.value("post_processor", Json()), "post_processor",
              {{"TemplateProcessing", {"single", "pair", "special_tokens"}},
               {"BertProcessing", {"sep", "cls"}},
               {"RobertaProcessing", {"sep", "cls", "trim_offsets", "add_prefix_space"}},
               {"ByteLevel", {"add_prefix_space", "trim_offsets", "use_regex"}},
               {"Sequence", {"processors"}}},
              origin);
  check_known(json.value("decoder", Json()), "decoder",
              {{"WordPiece", {"prefix", "cleanup"}},
               {"ByteLevel", {"add_prefix_space", "trim_offsets", "use_regex"}},
               {"Metaspace", {"replacement", "add_prefix_space", "prepend_scheme", "split", "str_rep"}},
               {"Replace", {"pattern", "content"}},
               {"Strip", {"content", "start", "stop"}},
               {"ByteFallback", {}},
               {"Fuse", {}},
               {"Sequence", {"decoders"}}},
              origin);
  if (const auto cut = json.value("truncation", Json()); !cut.is_null())
    check_members(cut, "truncation", {"direction", "max_length", "strategy", "stride"}, origin);
  if (const auto pad = json.value("padding", Json()); !pad.is_null())
    check_members(pad, "padding",
                  {"strategy", "direction", "pad_to_multiple_of", "pad_id", "pad_type_id", "pad_token"},
                  origin);
}

}  // namespace

std::unique_ptr<TokenizerModel> load_tokenizer_json(const std::string& bytes, const std::string& origin) {
  if (is_nested_too_deep(bytes)) refuse("{} is nested more than {} levels deep.", origin, kMaxJsonDepth);
  const auto json = try_parse_json<Json>(bytes);
  if (json.is_discarded() || !json.is_object() || !json.contains("model") || !json.at("model").is_object())
    refuse("{} is not a valid tokenizer.json: not a JSON object with a member `model`.", origin);
  try {
    check_surroundings(json, origin);
    // Old files do not say the type of WordPiece.
    auto type = type_of(json.at("model"));
    if (type.empty() && json.at("model").contains(kLongestWord)) type = "WordPiece";
    if (type == "WordPiece") return wordpiece(json, origin);
    if (type == "BPE") return byte_bpe(json, origin);
    if (type == "Unigram") return unigram(json, origin);
    refuse_value("model.type", type, origin);
  } catch (const Json::exception& error) {
    refuse("{} is not a valid tokenizer.json: {}.", origin, error.what());
  }
}

}  // namespace nystrom
