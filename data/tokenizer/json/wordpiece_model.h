#pragma once
// BERT's WordPiece as a TokenizerModel.

#include <memory>
#include <string>

#include "data/tokenizer/json/vocabulary.h"

namespace nystrom {

/// BERT's rules (Devlin et al., 2018): control characters out; white space, ideographs and punctuation
/// separate words; case folded and accents removed by option; each word is split greedily into the longest
/// pieces, those inside a word with a prefix; a word that cannot be split, or is too long, is unk.
struct WordPieceOptions {
  std::string unknown = "[UNK]", prefix = "##";
  std::size_t longest_word = 100;  ///< code points
  bool clean = true, ideographs = true, lowercase = true, strip_accents = true;
};

std::unique_ptr<VocabularyModel> make_wordpiece(Vocabulary vocabulary, const WordPieceOptions& options,
                                                const std::string& origin);

}  // namespace nystrom
