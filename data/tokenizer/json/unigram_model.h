#pragma once
// Unigram of a tokenizer.json (ALBERT's, XLNet's, Nystromformer's) as a TokenizerModel.

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "data/tokenizer/json/vocabulary.h"

namespace nystrom {

/// Text is normalized, blanks become U+2581, and each word is split into the pieces of the largest sum of
/// scores (Kudo, 2018). What no piece spells is unk, neighbours joined.
struct UnigramOptions {
  nlohmann::json normalizer;       ///< the member of tokenizer.json
  bool split_white_space = false;  ///< words are what white space separates
  bool split_blanks = true;        ///< no piece crosses a blank
  std::string blank = "\u2581";
  enum class Prefix : std::uint8_t { kAlways, kFirst, kNever } prefix = Prefix::kAlways;
  std::vector<double> scores;  ///< by id
  std::int32_t unknown = -1;   ///< -1: there is none
  bool byte_fallback = false;  ///< unknown characters become pieces such as <0xE2>
};

std::unique_ptr<VocabularyModel> make_unigram(Vocabulary vocabulary, UnigramOptions options,
                                              const std::string& origin);

}  // namespace nystrom
