#pragma once
// SQuAD JSON reader (Rajpurkar et al., arXiv 1606.05250 and 1806.03822), versions 1.1 and 2.0.

#include <cstdint>
#include <string>
#include <vector>

#include "data/text/utf8.h"

namespace nystrom {

struct Answer {
  std::string text;
  std::int64_t begin = 0;  ///< byte of the context where it starts (files count code points); -1: not there
};

struct SquadQuestion {
  std::string id, question;
  std::size_t context = 0;      ///< number of its context
  std::vector<Answer> answers;  ///< none: unanswerable, or not known
};

struct SquadFile {
  std::vector<std::string> contexts;
  std::vector<SquadQuestion> questions;
  bool answered = false;       ///< questions have answers or are marked as unanswerable
  bool unanswerable = false;   ///< version 2.0: some are marked as unanswerable
  std::int64_t misplaced = 0;  ///< answers whose text is not at their offset
  Repairs repairs;
};

/// Refuses (InputError) invalid files, naming file, paragraph and question.
[[nodiscard]] SquadFile read_squad(const std::string& path);

}  // namespace nystrom
