#include "data/preparation/contamination.h"

#include "data/corpus/binary_check.h"
#include "data/corpus/utf16_stream.h"
#include "data/glob.h"
#include "data/preparation/minhash.h"

namespace nystrom {

EvaluationText::EvaluationText(const std::vector<std::string>& patterns) {
  constexpr std::size_t kLine = std::size_t{1} << 20U;
  for (const auto& match : expand_globs(patterns, "cleaning.decontaminate")) {
    for (const auto& path : files_below(match)) {
      {
        FileStream file(path);
        std::string head;
        read_up_to(*decompressed(file), kCheckedBytes, head);
        check_is_no_binary(head, path);
      }
      FileStream file(path);
      const auto content = decompressed(file);
      Repairs ignored;
      Utf16Stream text(*content, Utf16::kByMark, ignored);
      LineReader lines(text, kLine);
      std::vector<std::uint64_t> words;
      for (std::string line; lines.next(line);) {
        append_word_hashes(line, words);
        for (std::size_t i = 0; i + kWords <= words.size(); ++i) add(ngram_hash(words.data() + i, kWords));
        // Texts may continue in the next line.
        if (words.size() >= kWords) words.erase(words.begin(), words.end() - (kWords - 1));
      }
    }
  }
}

bool EvaluationText::shares_with(const std::vector<TextParagraph>& paragraphs) const {
  if (empty()) return false;
  std::vector<std::uint64_t> words;
  for (const auto& paragraph : paragraphs) {
    for (const auto& sentence : paragraph.sentences) append_word_hashes(sentence, words);
  }
  for (std::size_t i = 0; i + kWords <= words.size(); ++i) {
    if (has(ngram_hash(words.data() + i, kWords))) return true;
  }
  return false;
}

void EvaluationText::add(std::uint64_t hash) {
  if (hash == 0) hash = 1;
  if (count_ * 2 >= table_.size()) grow();
  const std::size_t mask = table_.size() - 1;
  std::size_t at = hash & mask;
  while (table_[at] != 0 && table_[at] != hash) at = (at + 1) & mask;
  if (table_[at] == 0) ++count_;
  table_[at] = hash;
}

bool EvaluationText::has(std::uint64_t hash) const {
  if (hash == 0) hash = 1;
  const std::size_t mask = table_.size() - 1;
  std::size_t at = hash & mask;
  while (table_[at] != 0 && table_[at] != hash) at = (at + 1) & mask;
  return table_[at] == hash;
}

void EvaluationText::grow() {
  std::vector<std::uint64_t> old(table_.empty() ? 1024 : table_.size() * 2);
  old.swap(table_);
  count_ = 0;
  for (const auto hash : old) {
    if (hash != 0) add(hash);
  }
}

}  // namespace nystrom
