// Ids equal to those of Hugging Face's `tokenizers`: cases made by tests/data/tokenizer/cases/make_cases.py.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <sstream>

#include "corpus_folder.h"
#include "data/tokenizer/model/unicode_classes.h"
#include "data/tokenizer/tokenizer.h"
#include "kernels/core/check.h"
#include "kernels/core/json.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;
using Ids = std::vector<std::int32_t>;
using ::testing::HasSubstr;

fs::path json_cases() {
  return fs::path(NYSTROM_TOKENIZER_CASES);
}

Ids ids_of_line(const std::string& line) {
  std::istringstream numbers(line);
  return {std::istream_iterator<std::int32_t>(numbers), {}};
}

struct JsonCase {
  const char *name, *lines;
};

std::string path_of(const JsonCase& of) {
  return (json_cases() / (std::string(of.name) + ".json")).string();
}

nlohmann::json lines_of(const JsonCase& of) {
  return parse_json<nlohmann::json>(testing::read_file(json_cases() / of.lines));
}

class TokenizerJson : public ::testing::TestWithParam<JsonCase> {};

TEST_P(TokenizerJson, has_the_ids_of_tokenizers) {
  const auto tokenizer = Tokenizer::read(path_of(GetParam()));
  const auto lines = lines_of(GetParam());
  std::ifstream expected(json_cases() / (std::string(GetParam().name) + ".ids"));
  ASSERT_GT(lines.size(), 400U);
  int wrong = 0;
  for (const std::string text : lines) {
    std::string row;
    ASSERT_TRUE(std::getline(expected, row));
    if (tokenizer.encode(text) == ids_of_line(row)) continue;
    if (++wrong > 5) continue;
    EXPECT_EQ(tokenizer.encode(text), ids_of_line(row)) << text;
  }
  EXPECT_EQ(wrong, 0);
}

TEST_P(TokenizerJson, spans_have_the_same_ids_and_are_in_order) {
  const auto tokenizer = Tokenizer::read(path_of(GetParam()));
  for (const std::string text : lines_of(GetParam())) {
    Ids ids;
    std::int64_t before = 0;
    for (const auto& span : tokenizer.encode_spans(text)) {
      ids.push_back(span.id);
      EXPECT_LE(span.begin, span.end);
      EXPECT_GE(span.begin, before) << text;
      EXPECT_LE(span.end, static_cast<std::int64_t>(text.size()));
      before = span.begin;
    }
    EXPECT_EQ(ids, tokenizer.encode(text)) << text;
  }
}

std::string name_of(const ::testing::TestParamInfo<JsonCase>& info) {
  std::string name = info.param.name;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

constexpr auto kPlain = "lines.json";
INSTANTIATE_TEST_SUITE_P(Kinds, TokenizerJson,
                         ::testing::Values(JsonCase{"wordpiece-uncased", kPlain},
                                           JsonCase{"wordpiece-cased", kPlain}, JsonCase{"byte-bpe", kPlain},
                                           JsonCase{"byte-bpe-prefix", kPlain},
                                           JsonCase{"unigram-albert", kPlain},
                                           JsonCase{"unigram-plain", kPlain}),
                         name_of);

// Added tokens, special tokens as text, pieces over blanks, normalizers; characters of seventeen blocks at
// random.
constexpr auto kAdded = "added-lines.json";
INSTANTIATE_TEST_SUITE_P(
    Parts, TokenizerJson,
    ::testing::Values(JsonCase{"wordpiece-added", kAdded}, JsonCase{"wordpiece-cased-added", kAdded},
                      JsonCase{"wordpiece-sequence", kAdded}, JsonCase{"byte-bpe-added", kAdded},
                      JsonCase{"byte-bpe-nfc", kAdded}, JsonCase{"unigram-added", kAdded},
                      JsonCase{"unigram-over-blanks", kAdded}, JsonCase{"unigram-over-blanks-added", kAdded},
                      JsonCase{"unigram-words-first", kAdded}),
    name_of);

TEST(TokenizerFiles, spans_of_added_tokens_are_their_positions_in_the_text) {
  const auto tokenizer = Tokenizer::read((json_cases() / "wordpiece-added.json").string());
  const std::string text =
      "\u00c9h COVID-19 <user>";  // the first letter loses its accent, which moves nothing
  std::map<std::string, std::string> found;
  for (const auto& span : tokenizer.encode_spans(text))
    found[tokenizer.piece(span.id)] =
        text.substr(static_cast<std::size_t>(span.begin), static_cast<std::size_t>(span.end - span.begin));
  EXPECT_EQ(found["covid-19"], "COVID-19");
  EXPECT_EQ(found["<user>"], "<user>");
}

TEST(TokenizerFiles, capitals_of_any_script_make_a_vocabulary_cased) {
  const auto folder = testing::made_folder("cased");
  const auto cyrillic = Tokenizer::read(testing::write_file(
      folder / "vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n\u041c\u043e\u0441\u043a\u0432\u0430\n"));
  EXPECT_EQ(cyrillic.encode("\u041c\u043e\u0441\u043a\u0432\u0430 \u043c\u043e\u0441\u043a\u0432\u0430"),
            (Ids{5, 1}));
}

TEST(TokenizerFiles, a_directory_is_refused) {
  try {
    (void)Tokenizer::read(testing::made_folder("tokenizer").string());
    FAIL();
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("is a directory; a tokenizer is a file"));
  }
}

TEST(TokenizerFiles, vocab_txt_is_wordpiece_and_capitals_make_it_cased) {
  const auto folder = testing::made_folder("vocab");
  const std::string specials = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";
  const auto uncased =
      Tokenizer::read(testing::write_file(folder / "vocab.txt", specials + "cafe\n##s\nun\n##able\n,\n"));
  EXPECT_EQ(uncased.encode("Caf\u00e9s, unable \u6771"), (Ids{5, 6, 9, 7, 8, 1}));
  EXPECT_EQ(uncased.encode("un\u0085able"), (Ids{7, 8})) << "a control character before it is white space";
  EXPECT_EQ(uncased.special().bos, 2);
  EXPECT_EQ(uncased.special().mask, 4);
  EXPECT_EQ(uncased.kind(), "wordpiece");
  EXPECT_EQ(uncased.decode(Ids{2, 5, 6, 9, 7, 8, 3}), "cafes, unable");
  EXPECT_TRUE(uncased.is_json());
  const auto again = Tokenizer::from_bytes(uncased.bytes(), "a checkpoint");
  EXPECT_EQ(again.encode("unable"), (Ids{7, 8}));
  const auto cased =
      Tokenizer::read(testing::write_file(folder / "cased.txt", specials + "Cafe\ncafe\nCaf\u00e9\n"));
  EXPECT_EQ(cased.encode("Caf\u00e9 cafe Cafe CAFE"), (Ids{7, 6, 5, 1}));
}

TEST(TokenizerFiles, vocab_json_with_merges_txt_is_byte_level_bpe) {
  const auto folder = testing::made_folder("bpe");
  const auto path = testing::write_file(
      folder / "vocab.json",
      R"({"<s>":0,"<pad>":1,"</s>":2,"<unk>":3,"<mask>":4,"l":5,"o":6,"w":7,"Ġ":8,"lo":9,"low":10,"Ġlow":11})");
  testing::write_file(folder / "merges.txt", "#version: 0.2\nl o\nlo w\n\u0120 low\n");
  const auto tokenizer = Tokenizer::read(path);
  EXPECT_EQ(tokenizer.encode("low low"), (Ids{10, 11}));
  EXPECT_EQ(tokenizer.decode(Ids{0, 10, 11, 2}), "low low");
  EXPECT_TRUE(tokenizer.starts_word(11));
  EXPECT_FALSE(tokenizer.starts_word(10));
  fs::remove(folder / "merges.txt");
  EXPECT_THROW((void)Tokenizer::read(path), InputError);
}

TEST(TokenizerFiles, a_long_word_is_merged_as_a_short_one_would_be) {
  const auto tokenizer = Tokenizer::read((json_cases() / "byte-bpe.json").string());
  std::string word;
  for (int i = 0; i < 100000; ++i) word += static_cast<char>('a' + i * i % 23 % 20);
  const auto ids = tokenizer.encode(word);  // in time that does not grow with its square
  EXPECT_EQ(tokenizer.decode(ids), word);
  EXPECT_LT(ids.size(), word.size());
}

std::string message_of(const std::string& json) {
  try {
    (void)Tokenizer::from_bytes(json, "some.json");
  } catch (const InputError& error) {
    return error.what();
  }
  return "nothing was refused";
}

TEST(TokenizerFiles, invalid_or_unsupported_tokenizers_are_refused_by_name) {
  EXPECT_THAT(message_of("{}"), HasSubstr("some.json"));
  EXPECT_THAT(message_of("{\"model\": 5}"), HasSubstr("some.json"));
  EXPECT_THAT(message_of("{\"model\": {\"type\": \"WordLevel\"}}"), HasSubstr("WordLevel"));
  EXPECT_THAT(message_of(R"({"model": {"type": "BPE", "vocab": {}, "merges": []},
                             "pre_tokenizer": {"type": "Whitespace"}})"),
              HasSubstr("Whitespace"));
  EXPECT_THAT(message_of(R"({"model": {"type": "BPE", "vocab": {"a": 0}, "merges": ["a b"]},
                             "pre_tokenizer": {"type": "ByteLevel"}})"),
              HasSubstr("merge"));
  EXPECT_THAT(message_of(R"({"model": {"type": "BPE", "vocab": {"a": -1}, "merges": []},
                             "pre_tokenizer": {"type": "ByteLevel"}})"),
              HasSubstr("-1"));
  EXPECT_THAT(message_of(R"({"model": {"type": "WordPiece", "vocab": {"a": 0}},
                             "pre_tokenizer": {"type": "BertPreTokenizer"}})"),
              HasSubstr("[UNK]"));
  EXPECT_THAT(message_of(R"({"model": {"type": "Unigram", "vocab": [["a"]], "unk_id": 0},
                             "pre_tokenizer": {"type": "Metaspace"}})"),
              HasSubstr("not a valid tokenizer.json"));
}

TEST(TokenizerFiles, characters_of_scripts_without_blanks_begin_words) {
  const auto folder = testing::made_folder("unspaced");
  const auto wordpiece = Tokenizer::read(testing::write_file(
      folder / "vocab.txt",
      "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n##b\n##\u304b\n##\u0e17\n##\u0e35\n##\uac00\n"));
  const auto starts = [](const Tokenizer& tokenizer, const char* piece) {
    return tokenizer.starts_word(tokenizer.id_of(piece).value());
  };
  EXPECT_FALSE(starts(wordpiece, "##b"));
  EXPECT_TRUE(starts(wordpiece, "##\u304b"));
  EXPECT_TRUE(starts(wordpiece, "##\u0e17"));
  EXPECT_FALSE(starts(wordpiece, "##\u0e35")) << "a vowel sign";
  EXPECT_FALSE(starts(wordpiece, "##\uac00")) << "Korean has blanks";
  // In bytes: U+5929 is E5 A4 A9, spelled "\u00e5\u00a4\u00a9".
  const auto bpe = Tokenizer::from_bytes(
      R"({"model": {"type": "BPE", "merges": [], "vocab": {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3,
          "<mask>": 4, "\u00e5": 5, "\u00a4": 6, "\u00e5\u00a4\u00a9": 7, "a": 8, "\u00e0": 9}},
          "pre_tokenizer": {"type": "ByteLevel"}})",
      "bpe");
  EXPECT_TRUE(bpe.starts_word(5));
  EXPECT_FALSE(bpe.starts_word(6));
  EXPECT_TRUE(bpe.starts_word(7));
  EXPECT_FALSE(bpe.starts_word(8));
  EXPECT_FALSE(bpe.starts_word(9)) << "Devanagari and others begin with this byte as well";
}

/// A WordPiece of which `change` changes something.
std::string changed(const std::function<void(nlohmann::json&)>& change) {
  auto json = parse_json<nlohmann::json>(testing::read_file(json_cases() / "wordpiece-uncased.json"));
  change(json);
  return message_of(json.dump());
}

TEST(TokenizerFiles, every_member_is_known_or_refused_by_its_path) {
  using Json = nlohmann::json;
  EXPECT_EQ(changed([](Json&) {}), "nothing was refused");
  EXPECT_THAT(changed([](Json& j) { j["extra"] = 1; }), HasSubstr("`extra`"));
  for (const char* part : {"normalizer", "pre_tokenizer", "model", "decoder"})
    EXPECT_THAT(changed([part](Json& j) { j[part]["extra"] = 1; }),
                HasSubstr("`" + std::string(part) + ".extra`"));
  EXPECT_THAT(changed([](Json& j) { j["added_tokens"][1]["extra"] = 1; }),
              HasSubstr("`added_tokens[1].extra`"));
  EXPECT_THAT(changed([](Json& j) { j["added_tokens"][1]["id"] = 77; }),
              HasSubstr("`added_tokens[1].id` is 77; the library `tokenizers` gives \"[PAD]\" the id 1"));
  EXPECT_THAT(changed([](Json& j) {
                j["post_processor"] = {{"type", "Strange"}};
              }),
              HasSubstr("`post_processor.type` is Strange"));
  EXPECT_THAT(changed([](Json& j) { j["decoder"] = {{"type", "CTC"}}; }), HasSubstr("`decoder.type` is CTC"));
  EXPECT_THAT(changed([](Json& j) {
                j["truncation"] = {{"max_length", 5}, {"extra", 1}};
              }),
              HasSubstr("`truncation.extra`"));
  EXPECT_THAT(changed([](Json& j) { j["padding"] = {{"extra", 1}}; }), HasSubstr("`padding.extra`"));
  EXPECT_THAT(changed([](Json& j) {
                j["normalizer"] = {{"type", "Sequence"},
                                   {"normalizers", Json::array({{{"type", "NFC"}}, {{"type", "Nmt"}}})}};
              }),
              HasSubstr("`normalizer.normalizers[1].type` is Nmt"));
  auto bpe = parse_json<Json>(testing::read_file(json_cases() / "byte-bpe.json"));
  bpe["model"]["dropout"] = 0.1;
  EXPECT_THAT(message_of(bpe.dump()), HasSubstr("`model.dropout` is 0.1"));
  auto unigram = parse_json<Json>(testing::read_file(json_cases() / "unigram-plain.json"));
  unigram["pre_tokenizer"]["prepend_scheme"] = "last";
  EXPECT_THAT(message_of(unigram.dump()), HasSubstr("`pre_tokenizer.prepend_scheme` is last"));
}

TEST(TokenizerFiles, parts_within_parts_without_end_are_refused) {
  std::string deep;
  for (int i = 0; i < 100000; ++i) deep += R"({"type":"Sequence","normalizers":[)";
  deep += R"({"type":"NFC"})";
  for (int i = 0; i < 100000; ++i) deep += "]}";
  EXPECT_THAT(message_of(R"({"model": {"type": "WordPiece", "vocab": {}}, "normalizer": )" + deep + "}"),
              HasSubstr("nested more than 100 levels deep"));
}

TEST(TokenizerFiles, numbers_do_not_wrap_around) {
  using Json = nlohmann::json;
  EXPECT_THAT(changed([](Json& j) { j["model"]["vocab"]["[PAD]"] = std::uint64_t{18446744073709551615U}; }),
              HasSubstr("the id of \"[PAD]\" is 18446744073709551615"));
  EXPECT_THAT(changed([](Json& j) { j["model"]["vocab"]["[PAD]"] = 1.5; }),
              HasSubstr("the id of \"[PAD]\" is 1.5; it must be an integer"));
  EXPECT_THAT(changed([](Json& j) { j["model"]["max_input_chars_per_word"] = -1; }),
              HasSubstr("`model.max_input_chars_per_word` is -1"));
  EXPECT_THAT(changed([](Json& j) { j["added_tokens"][1]["id"] = 1e300; }),
              HasSubstr("`added_tokens[1].id`"));
  auto unigram = parse_json<Json>(testing::read_file(json_cases() / "unigram-plain.json"));
  unigram["model"]["unk_id"] = std::int64_t{1} << 32U;
  EXPECT_THAT(message_of(unigram.dump()), HasSubstr("`model.unk_id` is 4294967296"));
}

TEST(TokenizerFiles, a_short_text_does_not_become_a_long_one) {
  using Json = nlohmann::json;
  const auto replace = [](const std::string& by) {
    return Json{{"type", "Replace"}, {"pattern", {{"String", "a"}}}, {"content", by}};
  };
  EXPECT_THAT(changed([&](Json& j) { j["normalizer"] = replace(std::string(5000, 'b')); }),
              HasSubstr("`normalizer.content`: a replacement has 5000 bytes"));
  auto unigram = parse_json<Json>(testing::read_file(json_cases() / "unigram-plain.json"));
  Json steps = Json::array();
  for (int i = 0; i < 40; ++i) steps.push_back(replace("aa"));  // 2^40 letters of one
  unigram["normalizer"] = {{"type", "Sequence"}, {"normalizers", steps}};
  const Tokenizer tokenizer = Tokenizer::from_bytes(unigram.dump(), "bomb.json");
  EXPECT_THROW((void)tokenizer.encode("a"), InputError);
}

// What Unicode 9 and later brought, or changed, since the tables of `tokenizers` were made.
TEST(UnicodeClasses, are_those_of_the_versions_that_the_library_has) {
  EXPECT_TRUE(is_nonspacing_mark(0x301));
  EXPECT_FALSE(is_nonspacing_mark(0x8D4)) << "of version 9";
  EXPECT_TRUE(is_mark(0x8D4));
  EXPECT_FALSE(is_mark(0x898)) << "of version 14";
  EXPECT_TRUE(is_nonspacing_mark(0x1734)) << "a spacing one since version 14";
  EXPECT_FALSE(is_nonspacing_mark(0x1885)) << "a letter before version 9";
  EXPECT_TRUE(is_mark(0x1885));
  EXPECT_TRUE(is_punctuation(0x111C9)) << "a mark since version 11";
  EXPECT_TRUE(is_punctuation(0x166D)) << "a symbol since version 12";
  EXPECT_TRUE(is_other(0xAD));
  EXPECT_FALSE(is_other(0x890)) << "of version 14";
}

}  // namespace
}  // namespace nystrom
