#pragma once
// Small tokenizer for synthetic text: letters, a few signs and some words.

#include <string>
#include <vector>

#include "data/tokenizer/training.h"

namespace nystrom::testing {

inline Tokenizer letter_tokenizer() {
  std::vector<std::string> sentences;
  for (int i = 0; i < 60; ++i)
    for (const char* text :
         {"one two three four five six tin net ten", "a \"quote\", a star * and (more) é né",
          "zebra quick jump vow box lazy dog we have many words", "0 1 2 3 4 5 6 7 8 9 . , ; -"})
      sentences.emplace_back(text);
  TokenizerTraining options;
  options.vocabulary_size = 90;
  options.character_coverage = 1;
  return train_tokenizer(options, sentences);
}

}  // namespace nystrom::testing
