#pragma once
// Masked language modelling (Devlin et al., arXiv 1810.04805): which tokens of a sequence are
// predicted, and what replaces them.

#include <cstdint>
#include <span>
#include <vector>

#include "data/special_ids.h"
#include "kernels/core/names.h"

namespace nystrom {

class Random;

enum class MaskUnit { kToken, kWord, kSpan };

template <>
struct EnumNames<MaskUnit> {
  static constexpr Named<MaskUnit> kAll[] = {
      {MaskUnit::kToken, "token"}, {MaskUnit::kWord, "word"}, {MaskUnit::kSpan, "span"}};
};

struct Masking {
  double probability = 0.15;  ///< share of the non-special tokens that are predicted
  double mask = 0.8;          ///< of these, share replaced by the mask token
  double random = 0.1;  ///< of these, share replaced by a random token that is not special; the rest stays
  MaskUnit unit = MaskUnit::kToken;
};

/// Draws are functions of (seed, key) alone. Of n tokens that are not special, count(n) = max(1, round(p n))
/// are chosen (none if p is 0 or n is 0), exactly for kToken:
///   kToken  without replacement, each set of positions equally likely
///   kWord   whole words in random order, skipping those that no longer fit into count(n); if not even the
///   first
///           fits, its beginning
///   kSpan   spans of whole words (of tokens, if it is not known where words begin), lengths geometric with
///           p = 0.2, at most 10, as SpanBERT (Joshi et al., arXiv 1907.10529), until count(n) is reached or
///           nothing fits; they neither overlap nor cross a special token
/// A run of more than 20 tokens of which only the first begins a word (text without blanks, URLs) is not
/// a word: each of its tokens counts as one.
/// Then each chosen token (kSpan: each span as a whole) is replaced as Masking says. Not thread-safe.
class Masker {
 public:
  /// `starts_word`: does the id begin a word? May be empty, but not for kWord. `vocabulary_size` bounds
  /// the random tokens. Throws InputError for shares outside [0, 1] and for kWord without `starts_word`.
  Masker(const Masking& masking, const SpecialIds& special, std::int64_t vocabulary_size,
         std::vector<bool> starts_word, std::uint64_t seed);

  [[nodiscard]] std::int64_t count(std::int64_t tokens) const;

  /// Masks `ids` in place; `positions` (ascending) and `labels` (the original ids) are overwritten.
  void apply(std::uint64_t key, std::vector<std::int32_t>& ids, std::vector<std::int32_t>& positions,
             std::vector<std::int32_t>& labels);

 private:
  struct Group {  // positions [begin, end)
    std::int32_t begin, end;
    [[nodiscard]] std::int32_t size() const { return end - begin; }
  };
  enum class Action { kMask, kRandom, kKeep };

  void find_units(std::span<const std::int32_t> ids);
  void choose_units(Random& random, std::int64_t budget);
  void choose_spans(Random& random, std::int64_t budget);
  [[nodiscard]] Action draw_action(Random& random) const;
  [[nodiscard]] std::int32_t draw_token(Random& random) const;

  Masking masking_;
  SpecialIds special_;
  std::vector<std::int32_t> special_sorted_;  // distinct
  std::int64_t vocabulary_size_;
  std::vector<bool> starts_word_;
  std::uint64_t seed_;
  std::int64_t tokens_ = 0;    // of the current sequence, not special
  std::vector<Group> units_;   // tokens or words of the current sequence
  std::vector<Group> chosen_;  // what is masked together
  std::vector<bool> taken_;    // by unit
};

}  // namespace nystrom
