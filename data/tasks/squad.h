#pragma once
// SQuAD's JSON (Rajpurkar et al., arXiv 1606.05250 and 1806.03822), versions 1.1 and 2.0.

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
  bool answered = false;       ///< questions have answers, or say that they have none
  bool unanswerable = false;   ///< version 2.0: some say so
  std::int64_t misplaced = 0;  ///< answers whose text is not at their offset
  Repairs repairs;
};

/// Refuses (InputError) what is no such JSON, naming file, paragraph and question.
[[nodiscard]] SquadFile read_squad(const std::string& path);

}  // namespace nystrom
