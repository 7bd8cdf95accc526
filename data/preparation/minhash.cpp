#include "data/preparation/minhash.h"

#include <algorithm>
#include <array>
#include <limits>

#include "data/text/ascii.h"
#include "data/text/unspaced.h"
#include "data/text/utf8.h"
#include "data/xxh3.h"

namespace nystrom {
namespace {

constexpr std::size_t kHashes = kMinHashBands * kMinHashRows;

struct Permutations {
  std::array<std::uint64_t, kHashes> add{}, multiply{};
};

constexpr Permutations permutations() {
  Permutations p;
  std::uint64_t state = 0x9E3779B97F4A7C15U;
  const auto next = [&state] {
    state += 0x9E3779B97F4A7C15U;
    std::uint64_t z = state;
    z = (z ^ z >> 30U) * 0xBF58476D1CE4E5B9U;
    z = (z ^ z >> 27U) * 0x94D049BB133111EBU;
    return z ^ z >> 31U;
  };
  for (std::size_t i = 0; i < kHashes; ++i) {
    p.add.at(i) = next();
    p.multiply.at(i) = next() | 1U;
  }
  return p;
}
constexpr Permutations kPermutations = permutations();

char folded(char c) {
  return is_ascii_upper(c) ? static_cast<char>(c - 'A' + 'a') : c;
}
bool is_word(char c) {
  return is_ascii_lower(c) || is_ascii_digit(c) || static_cast<unsigned char>(c) >= 0x80;
}

/// The length of a character of three or four bytes, as those of scripts without blanks are; else 0.
std::size_t wide_sequence(std::string_view text) {
  if (static_cast<unsigned char>(text.front()) < 0xE0) return 0;
  return utf8_sequence(text);
}

}  // namespace

void append_word_hashes(std::string_view text, std::vector<std::uint64_t>& hashes) {
  std::string word;
  bool unit = false;  // is the word a character of a script without blanks?
  const auto finish = [&] {
    if (!word.empty()) hashes.push_back(xxh3(word));
    word.clear();
    unit = false;
  };
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = wide_sequence(text.substr(at));
    if (length == 0) {
      const char c = folded(text[at++]);
      if (unit || !is_word(c)) finish();
      if (is_word(c)) word += c;
      continue;
    }
    const char32_t c = utf8_decode(text.data() + at, length);
    const Unspaced kind = unspaced(c);
    if (kind == Unspaced::kBegins || (unit && kind == Unspaced::kNo) || is_wide_punctuation(c)) finish();
    if (kind == Unspaced::kBegins) unit = true;
    if (!is_wide_punctuation(c)) word.append(text, at, length);
    at += length;
  }
  finish();
}

std::uint64_t ngram_hash(const std::uint64_t* words, std::size_t count) {
  return xxh3({reinterpret_cast<const char*>(words), count * sizeof *words});
}

std::vector<std::uint64_t> minhash_bands(const std::vector<TextParagraph>& paragraphs) {
  std::vector<std::uint64_t> words;
  for (const auto& paragraph : paragraphs) {
    for (const auto& sentence : paragraph.sentences) append_word_hashes(sentence, words);
  }
  if (words.size() < kShingleWords) return {};
  std::array<std::uint64_t, kHashes> minima;
  minima.fill(std::numeric_limits<std::uint64_t>::max());
  for (std::size_t i = 0; i + kShingleWords <= words.size(); ++i) {
    const std::uint64_t hash = ngram_hash(words.data() + i, kShingleWords);
    for (std::size_t j = 0; j < kHashes; ++j)
      minima[j] = std::min(minima[j], (hash ^ kPermutations.add[j]) * kPermutations.multiply[j]);
  }
  std::vector<std::uint64_t> bands(kMinHashBands);
  for (std::size_t band = 0; band < kMinHashBands; ++band)
    bands[band] = ngram_hash(&minima.at(band * kMinHashRows), kMinHashRows) + band;
  return bands;
}

}  // namespace nystrom
