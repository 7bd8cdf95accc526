#pragma once
// Export of a SentencePiece tokenizer to the files that transformers' AutoTokenizer reads, with the same ids.

#include <string>
#include <vector>

#include "data/tokenizer/tokenizer.h"

namespace nystrom {

struct TokenizerFile {
  std::string name, bytes;
};

/// What tokenizer_config.json says of the tokenizer.json that is made here.
inline constexpr const char* kOwnTokenizerClass = "PreTrainedTokenizerFast";

/// tokenizer.json (huggingface/tokenizers), tokenizer_config.json and special_tokens_map.json: <s> A </s>, or
/// <s> A </s> B </s> with type 1 from B on. A tokenizer that is a tokenizer.json is kept, except for the
/// positions of special tokens (RoBERTa's puts two </s> between the texts of a pair) and a mask that takes
/// the blanks before it, as Tokenizer::encode_marked does. Empty for a model that tokenizers cannot imitate;
/// why_not_imitated says why.
///
/// Normalization: SentencePiece applies the longest rule everywhere. tokenizers' `Precompiled` looks rules
/// up by grapheme and drops what follows the shortest one, so the units of SentencePiece's reading are first
/// separated by a control character, which a regular expression of all rules of several characters finds;
/// NFKC, which all rules but those for blanks and controls are, then composes within units; `Precompiled`
/// does the rest, character by character.
[[nodiscard]] std::vector<TokenizerFile> huggingface_tokenizer_files(const Tokenizer& tokenizer,
                                                                     std::int64_t longest);

/// "keeps repeated blanks ...", of a SentencePiece model that tokenizers cannot imitate; empty of others.
[[nodiscard]] std::string why_not_imitated(const Tokenizer& tokenizer);

/// What ALBERT's class does to a text before its SentencePiece model.
struct AlbertOptions {
  bool lowercase = true, keep_accents = false;
};

/// The tokenizer.json that transformers makes of an ALBERT's SentencePiece model (unigram).
[[nodiscard]] std::string albert_tokenizer_json(const Tokenizer& sentencepiece, const AlbertOptions& options);

}  // namespace nystrom
