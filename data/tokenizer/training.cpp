#include <sentencepiece_trainer.h>

#include <algorithm>
#include <array>
#include <unordered_map>

#include "data/tokenizer/sentencepiece/model.h"
#include "data/tokenizer/sentencepiece/model_proto.h"
#include "data/tokenizer/training.h"
#include "kernels/core/check.h"

namespace nystrom {
namespace {

// Part of the result: unigram's sums are taken by thread.
constexpr int kTrainingThreads = 4;
constexpr std::size_t kLongestSentence = 1U << 16U;  // bytes; SentencePiece drops longer ones
constexpr std::int32_t kSpecials = 5;

/// Passes sentences on one by one, long ones split between characters.
class Sentences final : public sentencepiece::SentenceIterator {
 public:
  explicit Sentences(const std::vector<std::string>& all) : all_(all) { cut(); }

  [[nodiscard]] bool done() const override { return index_ >= all_.size(); }
  void Next() override {
    begin_ += value_.size();
    if (begin_ >= all_[index_].size()) {
      ++index_;
      begin_ = 0;
    }
    cut();
  }
  [[nodiscard]] const std::string& value() const override { return value_; }
  [[nodiscard]] sentencepiece::util::Status status() const override { return {}; }

 private:
  void cut() {
    if (done()) return;
    const std::string& sentence = all_[index_];
    std::size_t end = std::min(sentence.size(), begin_ + kLongestSentence);
    while (end < sentence.size() && (static_cast<unsigned char>(sentence[end]) & 0xC0U) == 0x80U) --end;
    value_.assign(sentence, begin_, end - begin_);
  }

  const std::vector<std::string>& all_;
  std::size_t index_ = 0;
  std::size_t begin_ = 0;
  std::string value_;
};

std::unordered_map<std::string, std::string> arguments(const TokenizerTraining& options) {
  return {
      {"model_type", options.kind},
      {"vocab_size", std::to_string(options.vocabulary_size)},
      {"hard_vocab_limit", "false"},
      {"character_coverage", fmt::format("{}", options.character_coverage)},
      {"normalization_rule_name", options.lowercase ? "nmt_nfkc_cf" : "nmt_nfkc"},
      {"num_threads", std::to_string(kTrainingThreads)},
      {"max_sentence_length", std::to_string(kLongestSentence)},
      {"bos_id", std::to_string(options.ids.bos)},
      {"pad_id", std::to_string(options.ids.pad)},
      {"eos_id", std::to_string(options.ids.eos)},
      {"unk_id", std::to_string(options.ids.unk)},
      {"bos_piece", options.names.bos},
      {"pad_piece", options.names.pad},
      {"eos_piece", options.names.eos},
      {"unk_piece", options.names.unk},
      // Takes the one id from 0 to 4 that the others leave; a control piece, so that no text produces it.
      {"control_symbols", options.names.mask},
      {"minloglevel", "3"},
  };
}

/// Sums of such scores up to 65,536 are exact in fp32: whoever adds them up, in whatever order and precision,
/// chooses the same pieces. (SentencePiece has floats, Hugging Face's tokenizers doubles.)
constexpr float kScoreUnit = 0x1p-8F;

}  // namespace

void check(const TokenizerTraining& options) {
  if (options.kind != "unigram" && options.kind != "bpe") {
    refuse("`tokenizer.kind` is {}; it is unigram or bpe.", options.kind);
  }
  if (options.vocabulary_size <= kSpecials || options.vocabulary_size > 1'000'000) {
    refuse("`tokenizer.vocabulary_size` is {}; it is from 6 to 1000000.", options.vocabulary_size);
  }
  if (!(options.character_coverage > 0.9 && options.character_coverage <= 1.0)) {
    refuse("`tokenizer.character_coverage` is {}; it is above 0.9 and at most 1.",
           options.character_coverage);
  }
  std::array<std::int32_t, kSpecials> ids{options.ids.bos, options.ids.pad, options.ids.eos, options.ids.unk,
                                          options.ids.mask};
  std::sort(ids.begin(), ids.end());
  for (std::int32_t i = 0; i < kSpecials; ++i) {
    if (ids.at(static_cast<std::size_t>(i)) != i)
      refuse(
          "`tokenizer.special_ids`: the ids of a trained tokenizer's special tokens are 0 to 4, each once.");
  }
  std::array<std::string, kSpecials> names{options.names.bos, options.names.pad, options.names.eos,
                                           options.names.unk, options.names.mask};
  std::sort(names.begin(), names.end());
  if (names.front().empty() || std::adjacent_find(names.begin(), names.end()) != names.end()) {
    refuse("`tokenizer.special_tokens`: bos, pad, eos, unk and mask need five different spellings.");
  }
  for (const auto& name : names) {
    if (name.find_first_of(", \t\n") != std::string::npos)
      refuse("`tokenizer.special_tokens`: \"{}\" holds a comma or white space.", name);
  }
}

Tokenizer train_tokenizer(const TokenizerTraining& options, const std::vector<std::string>& sentences) {
  check(options);
  quiet_sentencepiece();
  std::string model;
  Sentences iterator(sentences);
  const auto status = sentencepiece::SentencePieceTrainer::Train(arguments(options), &iterator, &model);
  if (!status.ok()) {
    refuse(
        "No {} tokenizer of {} pieces could be trained on {} sentences: {}. More text or a smaller "
        "`tokenizer.vocabulary_size` helps.",
        options.kind, options.vocabulary_size, sentences.size(), status.error_message());
  }
  if (options.kind == "unigram") round_scores(model, kScoreUnit);
  return Tokenizer::from_bytes(std::move(model), "the trained tokenizer", options.names);
}

}  // namespace nystrom
