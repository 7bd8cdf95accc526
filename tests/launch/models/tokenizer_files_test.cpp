// Tokenizers that `nystrom convert` reads and writes: their files, and what cannot be written.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "conversion_case.h"
#include "data/tokenizer/huggingface_files.h"
#include "data/tokenizer/sentencepiece/charsmap.h"
#include "data/tokenizer/sentencepiece/model_proto.h"
#include "kernels/core/json.h"

namespace nystrom {
namespace {

using testing::bert;
using ::testing::HasSubstr;
using testing::Json;
using testing::read_bytes;
using testing::tokenizer;
using Conversion = testing::ConversionCase;

// The pieces of WordPiece for the 23 rows of bert().
constexpr const char* kWordPieces =
    "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\nsail\n##or\n##s\na\ntorn\nship\nat\nnight\n,\n.\nold\ncook\n";

TEST_F(Conversion, a_wordpiece_tokenizer_travels_to_the_checkpoint_and_back) {
  const std::string from = bert(at_, false), h5 = at_ / "w.h5", to = at_ / "w";
  std::ofstream(from + "/vocab.txt") << kWordPieces;
  const std::vector<std::int32_t> ids{5, 6, 7, 8, 12, 13, 15};
  EXPECT_EQ(ModelSource(from).tokenizer().encode("The sailors at night."), ids);
  (void)convert({.from = from, .to = h5});
  const Tokenizer carried = ModelSource(h5).tokenizer();
  EXPECT_EQ(carried.kind(), "wordpiece");
  EXPECT_EQ(carried.encode("The sailors at night."), ids);
  (void)convert({.from = h5, .to = to});
  EXPECT_EQ(ModelSource(to).tokenizer().encode("The sailors at night."), ids);
  const Json made = parse_json<Json>(read_bytes(to + "/tokenizer.json"));
  EXPECT_EQ(made["post_processor"]["type"], "TemplateProcessing");
  EXPECT_EQ(made["post_processor"]["special_tokens"]["[CLS]"]["ids"][0], 2);
  EXPECT_EQ(parse_json<Json>(read_bytes(to + "/tokenizer_config.json"))["mask_token"], "[MASK]");
  EXPECT_EQ(parse_json<Json>(read_bytes(to + "/config.json"))["bos_token_id"], 2);
  EXPECT_EQ(parse_json<Json>(read_bytes(to + "/config.json"))["eos_token_id"], 3);
  // One that has our places of special tokens keeps its bytes.
  (void)convert({.from = to, .to = at_ / "again.h5"});
  (void)convert({.from = at_ / "again.h5", .to = at_ / "again"});
  EXPECT_EQ(read_bytes(at_ / "again/tokenizer.json"), read_bytes(to + "/tokenizer.json"));
}

TEST_F(Conversion,
       a_folder_from_elsewhere_is_read_by_its_tokenizer_json_and_ours_by_its_sentencepiece_model) {
  const std::string folder = this->folder(), json = folder + "/tokenizer.json";
  std::ofstream(at_ / "vocab.txt") << kWordPieces;
  std::ofstream(json) << Tokenizer::read(at_ / "vocab.txt").bytes();
  EXPECT_EQ(ModelSource(folder).tokenizer().kind(), "wordpiece");
  std::ofstream(folder + "/tokenizer_config.json") << R"({"tokenizer_class": "PreTrainedTokenizerFast"})";
  EXPECT_EQ(ModelSource(folder).tokenizer().kind(), "wordpiece");
  for (const auto& made : huggingface_tokenizer_files(tokenizer(), 16))
    if (made.name == "tokenizer.json") std::ofstream(json) << made.bytes;
  EXPECT_EQ(ModelSource(folder).tokenizer().kind(), "sentencepiece");
  std::filesystem::remove(folder + "/tokenizer_config.json");
  std::filesystem::remove(json);
  EXPECT_EQ(ModelSource(folder).tokenizer().kind(), "sentencepiece");
  std::ofstream(folder + "/tokenizer_config.json") << R"({"tokenizer_class": "AlbertTokenizer"})";
  const Tokenizer albert = ModelSource(folder).tokenizer();
  EXPECT_EQ(albert.encode("The OLD Captain  ``é''"), tokenizer().encode("the old captain \"e\""));
  EXPECT_EQ(albert.special().eos, tokenizer().special().eos);
  (void)convert({.from = folder, .to = at_ / "exported"});
  EXPECT_FALSE(std::filesystem::exists(at_ / "exported/spiece.model"));
  EXPECT_EQ(ModelSource(at_ / "exported").tokenizer().encode("The OLD é"), albert.encode("The OLD é"));
  std::ofstream(folder + "/tokenizer_config.json")
      << R"({"tokenizer_class": "AlbertTokenizer", "do_lower_case": false})";
  EXPECT_NE(ModelSource(folder).tokenizer().encode("The"), albert.encode("The"));
  std::ofstream(json) << R"({"model": {"type": "WordLevel", "vocab": {}}})";
  EXPECT_EQ(ModelSource(folder).tokenizer().kind(), "sentencepiece");
  std::filesystem::remove(folder + "/spiece.model");
  try {
    (void)ModelSource(folder).tokenizer();
    ADD_FAILURE() << "it was not refused";
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("WordLevel"));
  }
}

TEST_F(Conversion, old_vocabulary_files_are_read_as_tokenizer_config_json_says) {
  const std::string from = bert(at_, false);
  std::ofstream(from + "/vocab.txt")
      << "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nThe\nthe\ncafe\ncaf\u00e9\n\u6771\u4eac\n";
  const auto ids = [&](const std::string& settings) {
    std::ofstream(from + "/tokenizer_config.json") << settings;
    return ModelSource(from).tokenizer().encode("The caf\u00e9 \u6771\u4eac");
  };
  using Ids = std::vector<std::int32_t>;
  EXPECT_EQ(ids("{}"), (Ids{6, 7, 1, 1}));
  EXPECT_EQ(ids(R"({"do_lower_case": false})"), (Ids{5, 8, 1, 1}));
  EXPECT_EQ(ids(R"({"strip_accents": false})"), (Ids{6, 8, 1, 1}));
  EXPECT_EQ(ids(R"({"tokenize_chinese_chars": false})"), (Ids{6, 7, 9}));
  const std::string roberta = bert(at_, true);
  std::ofstream(roberta + "/vocab.json")
      << R"({"<s>":0,"<pad>":1,"</s>":2,"<unk>":3,"<mask>":4,"l":5,"o":6,"\u0120":7,"lo":8,"\u0120lo":9})";
  std::ofstream(roberta + "/merges.txt") << "#version: 0.2\nl o\n\u0120 lo\n";
  EXPECT_EQ(ModelSource(roberta).tokenizer().encode("lo lo"), (Ids{8, 9}));
  // The mask takes the blank before it, there too; other special tokens do not.
  (void)convert({.from = roberta, .to = at_ / "roberta-out"});
  for (const auto& token : parse_json<Json>(read_bytes(at_ / "roberta-out/tokenizer.json"))["added_tokens"])
    EXPECT_EQ(token["lstrip"], token["content"] == "<mask>") << token;
  EXPECT_EQ(ModelSource(roberta).tokenizer().encode_marked("lo \u00a0<mask> lo </s>lo"),
            (Ids{8, 4, 9, 7, 2, 8}));
  std::ofstream(roberta + "/tokenizer_config.json") << R"({"add_prefix_space": true})";
  EXPECT_EQ(ModelSource(roberta).tokenizer().encode("lo lo"), (Ids{9, 9}));
}

/// The tokenizer with a message appended to its model, whose fields replace those before.
Tokenizer with_field(char field, const std::string& message) {
  const std::string added{static_cast<char>(field << 3 | 2), static_cast<char>(message.size())};
  return Tokenizer::from_bytes(tokenizer().bytes() + added + message, "a test");
}
constexpr char kPiece = 1, kNormalizer = 3;

TEST(TokenizerFiles, what_keeps_a_sentencepiece_model_from_being_a_tokenizer_json_is_named) {
  EXPECT_EQ(why_not_imitated(tokenizer()), "");
  const Tokenizer keeping = with_field(kNormalizer, {4 << 3, 0});
  EXPECT_THAT(why_not_imitated(keeping), HasSubstr("repeated blanks"));
  EXPECT_TRUE(huggingface_tokenizer_files(keeping, 16).empty());
  const Tokenizer defined = with_field(kPiece, {1 << 3 | 2, 2, 'z', 'z', 3 << 3, 4});
  EXPECT_THAT(why_not_imitated(defined), HasSubstr("user-defined"));
}

TEST(TokenizerFiles, pieces_with_spaces_are_passed_to_the_library) {
  const auto splits = [](const Tokenizer& of) {
    for (const auto& file : huggingface_tokenizer_files(of, 16))
      if (file.name == "tokenizer.json")
        return parse_json<Json>(file.bytes)["pre_tokenizer"]["split"].get<bool>();
    return true;
  };
  EXPECT_TRUE(splits(tokenizer()));
  const std::string piece = "\u2581of\u2581the";
  const std::string message = std::string{1 << 3 | 2, static_cast<char>(piece.size())} + piece;
  EXPECT_FALSE(splits(with_field(kPiece, message)));
}

TEST(TokenizerFiles, a_mark_of_word_starts_in_a_text_is_kept_where_the_rules_leave_it_alone) {
  const auto patterns = [](const Tokenizer& of) {
    std::string all;
    for (const auto& file : huggingface_tokenizer_files(of, 16)) {
      if (file.name != "tokenizer.json") continue;
      const Json json = parse_json<Json>(file.bytes);
      for (const auto& step : json["normalizer"]["normalizers"])
        if (step["type"] == "Replace" && step["pattern"].contains("Regex"))
          all += step["pattern"]["Regex"].get<std::string>() + ";";
    }
    return all;
  };
  const Tokenizer identity = with_field(kNormalizer, {2 << 3 | 2, 0});  // no rules
  EXPECT_EQ(patterns(identity), " {2,};\\A |[ \u2581]+\\z;\\A\u2581;");
  EXPECT_TRUE(patterns(tokenizer()).ends_with(" {2,};\\A | \\z;"));
  // As SentencePiece reads them: one at the end is dropped, one at the beginning follows another.
  EXPECT_EQ(identity.encode("the \u2581"), identity.encode("the"));
  EXPECT_EQ(identity.encode("\u2581the").size(), identity.encode("the").size() + 1);
}

TEST(Charsmap, its_rules_are_those_of_the_normalization_and_their_pattern_stays_small) {
  const SentencePieceProto model = read_model_proto(tokenizer().bytes());
  EXPECT_EQ(std::ssize(model.pieces), tokenizer().vocabulary_size());
  EXPECT_EQ(model.pieces[3].type, ProtoPiece::kUnknown);
  const auto rules = charsmap_rules(model.charsmap);
  std::map<std::u32string, std::string> by_key(rules.begin(), rules.end());
  EXPECT_GT(by_key.size(), 100'000U);
  EXPECT_EQ(by_key.at(U"e\u0301"), "é");
  EXPECT_EQ(by_key.at(U"ﬁ"), "fi");
  EXPECT_EQ(by_key.at(U"\t"), " ");
  EXPECT_EQ(by_key.at(U"\x01"), "");
  std::vector<std::u32string> sequences;
  for (const auto& [key, text] : rules)
    if (key.size() > 1) sequences.push_back(key);
  EXPECT_LT(longest_match_pattern(sequences).size(), 100'000U);
  EXPECT_EQ(longest_match_pattern({U"ab", U"abc", U"xb"}),
            R"((?:[\x{61}](?:[\x{62}](?:[\x{63}])?)|[\x{78}](?:[\x{62}])))");
}

}  // namespace
}  // namespace nystrom
