#pragma once
// Which documents share text with evaluation files.

#include <cstdint>
#include <string>
#include <vector>

#include "data/preparation/blocks/text_block.h"

namespace nystrom {

/// The runs of 13 words of some files. 16 bytes of memory a word of them.
class EvaluationText {
 public:
  static constexpr std::size_t kWords = 13;

  EvaluationText() = default;
  /// Reads the files that the patterns match, in any format: markup and separators are not words.
  /// Refuses a pattern that matches nothing.
  explicit EvaluationText(const std::vector<std::string>& patterns);

  [[nodiscard]] bool empty() const { return count_ == 0; }
  /// Does the document have 13 consecutive words of the files?
  [[nodiscard]] bool shares_with(const std::vector<TextParagraph>& paragraphs) const;

 private:
  void add(std::uint64_t hash);
  [[nodiscard]] bool has(std::uint64_t hash) const;
  void grow();

  std::vector<std::uint64_t> table_;  // open addressing; 0: free
  std::size_t count_ = 0;
};

}  // namespace nystrom
