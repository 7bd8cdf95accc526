#include "data/tokenizer/tokenizer.h"

#include <gtest/gtest.h>
#include <sentencepiece_processor.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "data/tokenizer/sentencepiece/model_proto.h"
#include "data/tokenizer/training.h"
#include "kernels/core/check.h"
#include "made_up_text.h"

namespace nystrom {
namespace {

using ::testing::TempDir;

TokenizerTraining small(const std::string& kind) {
  TokenizerTraining options;
  options.kind = kind;
  options.vocabulary_size = 80;
  return options;
}

Tokenizer trained(const std::string& kind = "unigram") {
  return train_tokenizer(small(kind), testing::made_up_sentences(2000, 1));
}

TEST(Tokenizer, special_tokens_have_the_ids_of_transformers) {
  for (const auto* kind : {"unigram", "bpe"}) {
    const auto tokenizer = trained(kind);
    EXPECT_EQ(tokenizer.special(), SpecialIds{}) << kind;
    EXPECT_EQ(tokenizer.piece(0), "<s>");
    EXPECT_EQ(tokenizer.piece(1), "<pad>");
    EXPECT_EQ(tokenizer.piece(2), "</s>");
    EXPECT_EQ(tokenizer.piece(3), "<unk>");
    EXPECT_EQ(tokenizer.piece(4), "<mask>");
    EXPECT_EQ(tokenizer.vocabulary_size(), 80);
  }
}

TEST(Tokenizer, special_tokens_take_other_ids_and_spellings_when_asked) {
  auto options = small("unigram");
  options.names = {"[CLS]", "<pad>", "[SEP]", "<unk>", "[HIDE]"};
  options.ids = {.bos = 2, .pad = 0, .eos = 4, .unk = 1, .mask = 3};
  const auto tokenizer = train_tokenizer(options, testing::made_up_sentences(2000, 1));
  EXPECT_EQ(tokenizer.special(), options.ids);
  EXPECT_EQ(tokenizer.piece(3), "[HIDE]");
  const auto again = Tokenizer::from_bytes(tokenizer.bytes(), "a checkpoint");
  EXPECT_EQ(again.special(), options.ids) << "an unusual mask is found without its name";
}

/// Words, white space, characters that the rules rewrite or no piece spells, and bytes that are not UTF-8.
std::vector<std::string> texts_of_all_kinds() {
  const std::vector<std::string> parts{"river",
                                       "gardens",
                                       " ",
                                       "  ",
                                       "\t",
                                       "\n",
                                       ".",
                                       ",",
                                       "\u2581",
                                       "\u00e9",
                                       "e\u0301",
                                       "\ufb01ne",
                                       "\uff21\uff22",
                                       "\u3000",
                                       "\u200b",
                                       "\u00ad",
                                       "\U0001F642",
                                       "\U0001F468\u200d\U0001F469",
                                       "\u6771\u4eac",
                                       "\u2460",
                                       "\u00bd",
                                       "\u0130",
                                       "\u2028",
                                       "</s>",
                                       "<mask>",
                                       "a",
                                       "The",
                                       "\xff",
                                       "\xc3",
                                       "\xe2\x96",
                                       std::string(1, '\0'),
                                       "\x07",
                                       "\u0085",
                                       "'s",
                                       "1400",
                                       "\ufffd"};
  std::vector<std::string> texts = testing::made_up_sentences(300, 2);
  std::uint64_t state = 1;
  for (int i = 0; i < 3000; ++i) {
    std::string text;
    for (int words = i % 9; words >= 0; --words) {
      state = state * 6364136223846793005U + 1442695040888963407U;
      text += parts[(state >> 33U) % parts.size()];
    }
    texts.push_back(text);
  }
  return texts;
}

// To the last tie, and by any version of the library: sums of the scores are exact.
TEST(Tokenizer, pieces_and_their_spans_are_those_of_the_library) {
  for (const auto* kind : {"unigram", "bpe"}) {
    const auto tokenizer = trained(kind);
    sentencepiece::SentencePieceProcessor library;
    ASSERT_TRUE(library.LoadFromSerializedProto(tokenizer.bytes()).ok());
    for (const std::string& text : texts_of_all_kinds()) {
      sentencepiece::ImmutableSentencePieceText expected;
      ASSERT_TRUE(library.Encode(text, expected.mutable_proto()).ok());
      const auto spans = tokenizer.encode_spans(text);
      std::vector<std::int32_t> ids;
      for (const auto& span : spans) ids.push_back(span.id);
      EXPECT_EQ(tokenizer.encode(text), ids) << text;
      bool same = spans.size() == expected.pieces_size();
      for (std::size_t i = 0; same && i < spans.size(); ++i) {
        const auto& piece = expected.pieces(static_cast<int>(i));
        same = spans[i].id == static_cast<std::int32_t>(piece.id()) && spans[i].begin == piece.begin() &&
               spans[i].end == piece.end();
      }
      EXPECT_TRUE(same) << kind << ": " << ::testing::PrintToString(text);
    }
  }
}

TEST(Tokenizer, scores_are_multiples_of_a_256th) {
  const auto tokenizer = trained();
  int whole = 0;
  for (const auto& piece : read_model_proto(tokenizer.bytes()).pieces) {
    EXPECT_EQ(piece.score * 256, std::nearbyint(piece.score * 256)) << piece.text;
    whole += piece.score == std::nearbyint(piece.score) ? 1 : 0;
  }
  EXPECT_LT(whole, 20);
}

TEST(Tokenizer, training_twice_gives_the_same_bytes) {
  for (const auto* kind : {"unigram", "bpe"}) {
    const auto first = trained(kind);
    const auto second = trained(kind);
    EXPECT_EQ(first.bytes(), second.bytes()) << kind;
    EXPECT_EQ(first.sha256(), second.sha256());
    EXPECT_EQ(first.sha256().size(), 64U);
  }
}

TEST(Tokenizer, text_survives_encode_and_decode) {
  const auto tokenizer = trained();
  for (const auto& sentence : testing::made_up_sentences(20, 7)) {
    const auto ids = tokenizer.encode(sentence);
    EXPECT_EQ(tokenizer.decode(ids), sentence);
    for (const auto id : ids) EXPECT_FALSE(tokenizer.is_special(id));
  }
}

TEST(Tokenizer, loaded_from_its_bytes_it_is_the_same) {
  const auto tokenizer = trained();
  const auto again = Tokenizer::from_bytes(tokenizer.bytes(), "a checkpoint");
  EXPECT_EQ(again.sha256(), tokenizer.sha256());
  EXPECT_EQ(again.encode("the miller walks"), tokenizer.encode("the miller walks"));
}

TEST(Tokenizer, spelling_of_a_special_token_in_text_stays_text) {
  const auto tokenizer = trained();
  for (const auto id : tokenizer.encode("the <mask> </s> miller")) {
    EXPECT_NE(id, tokenizer.special().mask);
    EXPECT_NE(id, tokenizer.special().eos);
  }
}

TEST(Tokenizer, marked_text_becomes_the_special_token) {
  const auto tokenizer = trained();
  const auto ids = tokenizer.encode_marked("the <mask> walks<mask>");
  auto expected = tokenizer.encode("the");
  expected.push_back(4);
  tokenizer.encode(" walks", expected);
  expected.push_back(4);
  EXPECT_EQ(ids, expected);
}

TEST(Tokenizer, a_word_starts_where_its_first_piece_is) {
  const auto tokenizer = trained();
  const auto ids = tokenizer.encode("miller unheardofword walks");
  ASSERT_FALSE(ids.empty());
  int words = 0;
  for (const auto id : ids) words += tokenizer.starts_word(id) ? 1 : 0;
  EXPECT_EQ(words, 3);
  EXPECT_TRUE(tokenizer.starts_word(tokenizer.special().mask));
}

TEST(Tokenizer, too_little_text_gives_a_smaller_vocabulary) {
  auto options = small("unigram");
  options.vocabulary_size = 30000;
  const auto tokenizer = train_tokenizer(options, testing::made_up_sentences(50, 1));
  EXPECT_LT(tokenizer.vocabulary_size(), 30000);
  EXPECT_GT(tokenizer.vocabulary_size(), 20);
}

TEST(Tokenizer, options_that_cannot_be_are_refused) {
  const auto sentences = testing::made_up_sentences(50, 1);
  EXPECT_THROW(train_tokenizer(small("wordpiece"), sentences), InputError);
  auto options = small("bpe");
  options.vocabulary_size = 5;
  EXPECT_THROW(train_tokenizer(options, sentences), InputError);
  options = small("bpe");
  options.ids.mask = 7;
  EXPECT_THROW(train_tokenizer(options, sentences), InputError);
  EXPECT_THROW(train_tokenizer(small("unigram"), {}), InputError);
}

TEST(Tokenizer, files_that_are_not_models_are_refused_by_name) {
  const std::string path = TempDir() + "not-a-model.model";
  std::ofstream(path) << "surely no model";
  for (const auto& bad : {path, TempDir() + "absent.model"}) {
    try {
      (void)Tokenizer::read(bad);
      FAIL() << bad;
    } catch (const InputError& error) {
      EXPECT_NE(std::string(error.what()).find(bad), std::string::npos);
    }
  }
  auto bytes = trained().bytes();
  bytes.resize(bytes.size() / 2);
  EXPECT_THROW(Tokenizer::from_bytes(bytes, "half"), InputError);
  EXPECT_THROW(Tokenizer::from_bytes("", "nothing"), InputError);
}

}  // namespace
}  // namespace nystrom
