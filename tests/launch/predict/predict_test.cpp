// Filling masks, with a tokenizer and a model made for the test.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <numeric>
#include <string>
#include <vector>

#include "data/hdf5/hdf5_file.h"
#include "data/tokenizer/training.h"
#include "kernels/core/check.h"
#include "launch/predict/answers.h"
#include "launch/predict/fill_mask.h"
#include "small_network.h"
#include "temporary_folder.h"

namespace nystrom {
namespace {

class Prediction : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    std::vector<std::string> sentences;
    for (const char* who : {"the old captain", "a young sailor", "the quiet cook", "her brother"})
      for (const char* what :
           {"sailed the ship", "mended a torn sail", "cooked the fish", "looked at the sea"})
        for (const char* when : {"in the morning", "at night", "before the storm"})
          sentences.push_back(std::string(who) + " " + what + " " + when);
    TokenizerTraining options;
    options.vocabulary_size = 60;
    tokenizer_ = new Tokenizer(train_tokenizer(options, sentences));
  }
  static void TearDownTestSuite() { delete tokenizer_; }

  /// A folder of a random model for `vocabulary` tokens, with the tokenizer.
  ModelSource model(std::int64_t vocabulary) {
    ModelConfig config = testing::small_model();
    config.vocabulary_size = vocabulary;
    Network network(config, HeadKind::kPretraining, DType::kF32, false);
    network.initialize(4);
    for (float& w : network.parameters().weights().span<float>()) w *= 20;
    const std::string path = at_ / ("model" + std::to_string(vocabulary));
    write_huggingface_folder(path, {.model = config,
                                    .tensors = tensors_of(network.parameters()),
                                    .files = {{"spiece.model", tokenizer_->bytes()}}});
    return ModelSource(path);
  }
  LinePredictor predictor(bool fills = true) {
    const ModelSource source = model(tokenizer_->vocabulary_size());
    return {source, source.tokenizer(), fills, 1};
  }

  static Tokenizer* tokenizer_;
  testing::TemporaryFolder at_;
};
Tokenizer* Prediction::tokenizer_ = nullptr;

TEST_F(Prediction, predictions_of_each_mask_come_best_first) {
  auto predict = predictor();
  const auto filled = predict.fill({"the <mask> sailed", "no mask here", "a [MASK] and a <mask>", ""}, 5);
  ASSERT_EQ(filled.size(), 4U);
  EXPECT_THAT((std::vector{filled[0].masks.size(), filled[1].masks.size(), filled[2].masks.size(),
                           filled[3].masks.size()}),
              ::testing::ElementsAre(1, 0, 2, 0));
  const auto& guesses = filled[0].masks[0];
  ASSERT_EQ(guesses.size(), 5U);
  for (std::size_t i = 1; i < guesses.size(); ++i)
    EXPECT_GE(guesses[i - 1].probability, guesses[i].probability);
}

TEST_F(Prediction, the_probabilities_of_all_tokens_add_up_to_one) {
  auto predict = predictor();
  const auto filled = predict.fill({"the <mask>"}, 1'000'000);
  const auto& guesses = filled[0].masks[0];
  EXPECT_EQ(guesses.size(), static_cast<std::size_t>(tokenizer_->vocabulary_size()));
  const double sum = std::accumulate(guesses.begin(), guesses.end(), 0.0,
                                     [](double s, const Guess& g) { return s + g.probability; });
  EXPECT_NEAR(sum, 1, 1e-12);
}

TEST_F(Prediction, a_line_does_not_depend_on_the_others_however_many_there_are) {
  auto predict = predictor();
  const std::string line = "her <mask> looked";
  std::vector<std::string> many(150, "the cook mended a <mask> before the storm");
  many[140] = line;
  const auto alone = predict.fill({line}, 3), together = predict.fill(many, 3);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(alone[0].masks[0][i].id, together[140].masks[0][i].id);
    EXPECT_NEAR(alone[0].masks[0][i].probability, together[140].masks[0][i].probability, 1e-5);
  }
}

TEST_F(Prediction, a_long_line_is_truncated_and_reported) {
  auto predict = predictor();
  std::string line = "the <mask>";
  for (int i = 0; i < 30; ++i) line += " sail";
  const auto filled = predict.fill({line, "the <mask>"}, 1);
  EXPECT_TRUE(filled[0].truncated);
  EXPECT_EQ(filled[0].masks.size(), 1U);
  EXPECT_FALSE(filled[1].truncated);
}

TEST_F(Prediction, invalid_utf8_is_repaired_and_predicted) {
  auto predict = predictor();
  EXPECT_EQ(predict.fill({"\xff\xfe <mask> \xc3", std::string("a\0<mask>", 8)}, 1)[0].masks.size(), 1U);
}

TEST_F(Prediction, an_embedding_has_a_number_for_each_channel) {
  auto predict = predictor(false);
  const auto embedded = predict.embed({"the cook", "the cook", "her brother"}, {});
  ASSERT_EQ(embedded.size(), 3U);
  EXPECT_EQ(embedded[0].values.size(), 8U);
  EXPECT_NE(embedded[0].values, embedded[2].values);
}

TEST_F(Prediction, integers_of_hdf5_output_are_exact_beyond_24_bits) {
  const std::string path = at_ / "answers.h5";
  const auto answers = open_answers(
      path, {.format = "hdf5", .number_columns = {"probability"}, .integer_columns = {"line", "token_id"}});
  AnswerPiece piece;
  piece.table = {{"line", "token_id", "probability"},
                 {{"16777217", "7", "0.25"}, {"9007199254740993", "-1", "0.5"}}};
  answers->write(piece);
  answers->finish();
  const auto file = hdf5::File::open(path);
  std::vector<std::int64_t> lines(2), tokens(2);
  file.dataset("line").read_rows<std::int64_t>(0, 2, lines);
  file.dataset("token_id").read_rows<std::int64_t>(0, 2, tokens);
  EXPECT_EQ(lines, (std::vector<std::int64_t>{16777217, 9007199254740993}));
  EXPECT_EQ(tokens, (std::vector<std::int64_t>{7, -1}));
}

TEST_F(Prediction, a_tokenizer_with_more_tokens_than_the_model_embeds_is_refused) {
  const ModelSource source = model(tokenizer_->vocabulary_size() - 1);
  EXPECT_THROW(LinePredictor(source, source.tokenizer(), true, 1), InputError);
}

}  // namespace
}  // namespace nystrom
