#pragma once
// MinHash of documents, to find near duplicates.

#include <cstdint>
#include <string>
#include <vector>

#include "data/preparation/blocks/text_block.h"

namespace nystrom {

inline constexpr std::size_t kMinHashBands = 8, kMinHashRows = 16, kShingleWords = 5;

/// One hash for each band of the signature of the document's shingles of 5 words (case and punctuation
/// folded); none for a document of fewer than 5 words (Broder, 1997). Two documents of Jaccard similarity s
/// share a band with probability 1 - (1 - s^16)^8: 0.03 at s = 0.7, 0.20 at 0.8, 0.80 at 0.9, 0.99 at 0.95.
std::vector<std::uint64_t> minhash_bands(const std::vector<TextParagraph>& paragraphs);

/// Hashes of the words of a text, appended. A word is a run of letters and digits, folded to lower case
/// (ASCII; characters from U+0080 count as letters). In scripts without blanks each character is a word
/// (data/text/unspaced.h), and their punctuation separates words.
void append_word_hashes(std::string_view text, std::vector<std::uint64_t>& hashes);

/// The hash of words [i, i + count) out of their hashes.
std::uint64_t ngram_hash(const std::uint64_t* words, std::size_t count);

}  // namespace nystrom
