#pragma once
// Byte-level BPE (GPT-2's, RoBERTa's) as a TokenizerModel.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "data/tokenizer/json/vocabulary.h"

namespace nystrom {

/// Words by GPT-2's rules (Radford et al., 2019): contractions; letters, numbers or other signs, each with
/// the blank before them; white space. A word's bytes are merged pair by pair, the pair of the lowest rank
/// first. Pieces are spelled with one printable letter a byte.
struct ByteBpeOptions {
  bool add_prefix_space = false;  ///< a blank before text that does not begin with one
  bool ignore_merges = false;     ///< a word that is a piece is that piece
  std::string unknown;            ///< of bytes without a piece; none: they are dropped
  bool fuse_unknown = false;      ///< adjacent unknown bytes become one token
  std::vector<std::pair<std::string, std::string>> merges;  ///< by rank
};

std::unique_ptr<VocabularyModel> make_byte_bpe(Vocabulary vocabulary, const ByteBpeOptions& options,
                                               const std::string& origin);

}  // namespace nystrom
