#pragma once
// Abbreviations, and what may follow them, by language.

#include <string>
#include <string_view>
#include <vector>

#include "data/text/language.h"

namespace nystrom {

/// A set of words.
class WordSet {
 public:
  WordSet() = default;
  /// Words separated by blanks, folded.
  explicit WordSet(std::string_view words);
  [[nodiscard]] bool has(std::string_view folded) const;
  [[nodiscard]] bool empty() const { return words_.empty(); }

 private:
  std::vector<std::string> words_;  // sorted
};

/// Words without the stop after them, folded.
struct SentenceRules {
  Language language = Language::kEnglish;
  WordSet never_ends = {};  ///< a title or the like: a name or an explanation follows, never a new sentence
  WordSet before_number = {};   ///< before a number these belong to it; else they end nothing unless a
                                ///< sentence clearly begins
  WordSet before_numeral = {};  ///< the same before a number; else they are ordinary words
  WordSet may_end = {};         ///< occur at a sentence's end as well as inside one: the next word decides
  WordSet end_lists = {};       ///< "etc.": the end before a capital letter
  WordSet starters = {};        ///< words that begin sentences far more often than names
  WordSet before_ordinal = {};  ///< words after which "3." is an ordinal number
  WordSet after_ordinal = {};   ///< words before which it is
  WordSet speech = {};          ///< verbs of speech after a quotation, in scripts without capitals
  bool bare_letters = false;    ///< small letters with a stop are abbreviations too: "z. B."
  bool elides = false;          ///< an apostrophe begins a word: "l'avv."
  bool latin = true;            ///< of Latin letters
};

/// Of text in Latin letters, in that language.
[[nodiscard]] const SentenceRules& sentence_rules(Language language);
/// Of a word in letters of another script, whatever the language of the text; nullptr for Latin.
[[nodiscard]] const SentenceRules* sentence_rules_of_script(std::string_view word);

}  // namespace nystrom
