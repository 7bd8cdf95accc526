#pragma once
// Training of a tokenizer.

#include <cstdint>
#include <string>
#include <vector>

#include "data/tokenizer/tokenizer.h"

namespace nystrom {

struct TokenizerTraining {
  std::string kind = "unigram";  ///< unigram | bpe
  std::int32_t vocabulary_size = 30000;
  SpecialNames names{"<s>", "<pad>", "</s>", "<unk>", "<mask>"};
  SpecialIds ids;                      ///< the numbers 0 to 4, each once
  bool lowercase = false;              ///< fold case (NFKC with case folding) before anything else
  double character_coverage = 0.9995;  ///< share of the characters that get pieces; the rest becomes unk
};

/// Trains SentencePiece on `sentences` (valid UTF-8). The result depends on the options, the sentences and
/// their order alone: the number of threads is fixed. Text too small for the vocabulary asked for gives a
/// smaller one. Throws InputError for options that cannot be and for text too small for any vocabulary.
Tokenizer train_tokenizer(const TokenizerTraining& options, const std::vector<std::string>& sentences);

/// Throws InputError for options that cannot be; `train_tokenizer` does so first, prepare before it reads.
void check(const TokenizerTraining& options);

}  // namespace nystrom
