#pragma once
// Splits of examples that are in memory, of the kinds of answers that have examples of their own (classes and
// numbers: data/tasks/sequence_split.h). What `predict` makes of its input, piece by piece.

#include "data/tasks/squad.h"
#include "data/tasks/task.h"

namespace nystrom {

struct WordExample {
  std::vector<std::string> words;
  std::vector<std::string> tags = {};  ///< as many, or none
};

struct ChoiceExample {
  std::string id, context, beginning;
  std::vector<std::string> choices = {};
  std::int32_t label = -1;
};

/// The columns of a line of CoNLL's: between TABs where there are any, else between blanks.
[[nodiscard]] std::vector<std::string> conll_columns(const std::string& line);

/// A tag a word. `first`: number of the first sentence in predictions.
[[nodiscard]] std::unique_ptr<TaskSplit> make_token_split(std::string name, const TaskInfo& info,
                                                          std::vector<WordExample> sentences,
                                                          const TextEncoder& encoder, std::int64_t first = 0);

/// A stretch of the context a question. Of `config` counts how windows overlap and how long answers are.
[[nodiscard]] std::unique_ptr<TaskSplit> make_answer_split(std::string name, const TaskConfig& config,
                                                           SquadFile questions, const TextEncoder& encoder);

/// One of info.choices a row.
[[nodiscard]] std::unique_ptr<TaskSplit> make_choice_split(std::string name, const TaskInfo& info,
                                                           std::vector<ChoiceExample> questions,
                                                           const TextEncoder& encoder);

/// Columns of the texts in a GLUE task's files; `second` is empty where there is one text.
struct GlueColumns {
  std::vector<std::string> first, second;
};
[[nodiscard]] GlueColumns glue_columns(const std::string& task);

}  // namespace nystrom
