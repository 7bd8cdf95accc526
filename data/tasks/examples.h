#pragma once
// Splits made of examples in memory, as `predict` reads them: tags, answers and choices (for classes and
// numbers see data/tasks/sequence_split.h).

#include "data/tasks/sequence_answer.h"
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

/// One tag per word. `first`: number of the first sentence in predictions.
[[nodiscard]] std::unique_ptr<TaskSplit> make_token_split(std::string name, const TaskInfo& info,
                                                          std::vector<WordExample> sentences,
                                                          const TextEncoder& encoder, std::int64_t first = 0);

/// One span of the context per question. Uses window_overlap and max_answer_tokens of `config`.
[[nodiscard]] std::unique_ptr<TaskSplit> make_answer_split(std::string name, const TaskConfig& config,
                                                           SquadFile questions, const TextEncoder& encoder);

/// One choice per row, of info.choices.
[[nodiscard]] std::unique_ptr<TaskSplit> make_choice_split(std::string name, const TaskInfo& info,
                                                           std::vector<ChoiceExample> questions,
                                                           const TextEncoder& encoder);

/// Two sequences a row, the texts of a pair, each truncated at its end; the first has the label.
[[nodiscard]] std::unique_ptr<TaskSplit> make_pair_split(std::string name, const TaskInfo& info,
                                                         std::vector<TextExample> pairs,
                                                         const TextEncoder& encoder);

/// Text columns of a GLUE task's files; `second` is empty for single texts.
struct GlueColumns {
  std::vector<std::string> first, second;
};
[[nodiscard]] GlueColumns glue_columns(const std::string& task);

}  // namespace nystrom
