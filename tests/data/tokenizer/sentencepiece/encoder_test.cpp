// Ids equal to those of sentencepiece 0.2.3 from PyPI: cases made by
// tests/data/tokenizer/cases/make_cases.py. (Other versions choose otherwise between cuts of all but equal
// sums.)

#include <gtest/gtest.h>

#include <limits>
#include <sstream>

#include "corpus_folder.h"
#include "data/tokenizer/sentencepiece/encoder.h"
#include "data/tokenizer/sentencepiece/model_proto.h"
#include "kernels/core/json.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;
using Ids = std::vector<std::int32_t>;

fs::path cases() {
  return fs::path(NYSTROM_TOKENIZER_CASES);
}

SentencePieceProto model_of(const std::string& kind) {
  SentencePieceProto model;
  model.kind = kind == "bpe" ? SentencePieceProto::kBpe : SentencePieceProto::kUnigram;
  const auto file =
      parse_json<nlohmann::json>(testing::read_file(cases() / ("sentencepiece-" + kind + ".json")));
  for (const auto& piece : file.at("pieces"))
    model.pieces.push_back({piece.at(0), piece.at(1), static_cast<ProtoPiece::Type>(piece.at(2).get<int>())});
  return model;
}

std::vector<std::string> lines() {
  std::vector<std::string> all;
  for (const auto* name : {"lines.json", "sentencepiece-lines.json"})
    for (const std::string text : parse_json<nlohmann::json>(testing::read_file(cases() / name)))
      all.push_back(text);
  return all;
}

std::vector<Ids> expected_ids(const std::string& kind) {
  std::istringstream file(testing::read_file(cases() / ("sentencepiece-" + kind + ".ids")));
  std::vector<Ids> all;
  for (std::string row; std::getline(file, row);) {
    std::istringstream numbers(row);
    all.emplace_back(std::istream_iterator<std::int32_t>(numbers), std::istream_iterator<std::int32_t>());
  }
  return all;
}

class SentencePieceIds : public ::testing::TestWithParam<const char*> {};

TEST_P(SentencePieceIds, are_those_of_the_library) {
  const auto encoder = SentencePieceEncoder::make(model_of(GetParam()));
  ASSERT_NE(encoder, nullptr);
  const auto texts = lines();
  const auto expected = expected_ids(GetParam());
  ASSERT_GT(texts.size(), 450U);
  ASSERT_EQ(texts.size(), expected.size());
  // The second time words come out of the cache.
  for (const auto* round : {"first", "second"}) {
    for (std::size_t i = 0; i < texts.size(); ++i) {
      Ids ids;
      encoder->encode(texts[i], ids);
      EXPECT_EQ(ids, expected[i]) << round << " round, line " << i << ": " << texts[i].substr(0, 200);
    }
  }
}

TEST_P(SentencePieceIds, have_their_spans_in_the_text) {
  const auto encoder = SentencePieceEncoder::make(model_of(GetParam()));
  for (const auto& text : lines()) {
    Ids ids, of_spans;
    encoder->encode(text, ids);
    std::int64_t before = 0;
    for (const auto& span : encoder->encode_spans(text)) {
      of_spans.push_back(span.id);
      EXPECT_GE(span.begin, before);
      EXPECT_LE(span.begin, span.end);
      EXPECT_LE(span.end, static_cast<std::int64_t>(text.size()));
      before = span.begin;
    }
    EXPECT_EQ(of_spans, ids);
  }
}

TEST_P(SentencePieceIds, of_a_word_of_a_million_letters_take_no_quadratic_time) {
  const auto encoder = SentencePieceEncoder::make(model_of(GetParam()));
  Ids ids;
  encoder->encode(std::string(1 << 20, 'a') + " word", ids);
  EXPECT_GT(ids.size(), 10U);
}

INSTANTIATE_TEST_SUITE_P(Kinds, SentencePieceIds, ::testing::Values("unigram", "bpe"),
                         [](const auto& which) { return std::string(which.param); });

TEST(SentencePieceEncoder, leaves_what_it_does_not_do_to_the_library) {
  const auto change = [](const auto& f) {
    auto model = model_of("bpe");
    f(model);
    return SentencePieceEncoder::make(model);
  };
  EXPECT_EQ(change([](auto& m) { m.pieces.back().type = ProtoPiece::kUserDefined; }), nullptr);
  EXPECT_EQ(change([](auto& m) { m.pieces.back().type = ProtoPiece::kUnused; }), nullptr);
  EXPECT_EQ(change([](auto& m) { m.pieces.back().type = ProtoPiece::kByte; }), nullptr);
  EXPECT_EQ(change([](auto& m) { m.pieces.back().text = "a\xE2\x96\x81"; }), nullptr);
  EXPECT_EQ(change([](auto& m) { m.pieces.back().score = std::numeric_limits<float>::quiet_NaN(); }),
            nullptr);
  EXPECT_EQ(change([](auto& m) { m.kind = SentencePieceProto::kChar; }), nullptr);
  EXPECT_EQ(change([](auto& m) { m.whitespace_is_suffix = true; }), nullptr);
  EXPECT_EQ(change([](auto& m) { m.escape_whitespaces = false; }), nullptr);
}

}  // namespace
}  // namespace nystrom
