#pragma once
// Lines of files in CoNLL's columns: which are words, and which are not.
//
//   conll.see(line);                        // of all lines, until it knows the columns
//   switch (conll.kind(line, word, in_sentence)) ...
//
// Comments (`# sent_id = 7` of CoNLL-U, `# id … domain=en` of MultiCoNER, `#` with source and date of
// GermEval) come before the first word of a sentence. A `#` that is a word has the columns of the other
// words.

#include <cstdint>
#include <string>
#include <vector>

namespace nystrom {

/// Columns of a CoNLL line: separated by TABs if there are any, else by blanks.
[[nodiscard]] std::vector<std::string> conll_columns(const std::string& line);

enum class ConllLine : std::uint8_t {
  kWord,
  kEnd,      ///< of a sentence: blank, or -DOCSTART-
  kComment,  ///< before a sentence
  kNoWord    ///< CoNLL-U's range (1-2), whose words follow, or empty node (8.1), which is not in the text
};

class ConllLines {
 public:
  /// Learns the columns from the first line that cannot be a comment; true once they are known.
  bool see(const std::string& line);

  /// `word`: the column of words, from 0, or from -1 backwards; ranges and empty nodes are known by the first
  /// column if it has numbers and no words. Where see() has never been true, no line is a comment.
  [[nodiscard]] ConllLine kind(const std::string& line, std::int64_t word, bool in_sentence) const;

 private:
  [[nodiscard]] bool is_comment(const std::string& line) const;

  std::size_t width_ = 0;  // columns; 0: not known
  bool tabs_ = false, numbered_ = false;
};

}  // namespace nystrom
