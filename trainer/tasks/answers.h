#pragma once
// Registry of answer kinds: what a task's examples are labelled with, from the head that learns it to the
// table that `predict` writes. A new kind is a value of AnswerKind, a row in answers.cpp and a TaskSplit.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/batch.h"
#include "data/tasks/task.h"
#include "model/heads/head_config.h"

namespace nystrom {

/// A column of the input of `predict`.
struct AnswerColumn {
  enum class Naming {
    kFixed,   ///< always called so
    kRole,    ///< by task.columns, by the training's, or as usual
    kSecond,  ///< the same, for a second text, which training may not have had
    kChoices  ///< stands for a column each of task.choices
  };
  std::string_view role;  ///< key in task.columns, for messages
  Naming naming = Naming::kFixed;
  bool optional = false;
  std::vector<std::string> usual_names = {};  ///< where training does not say; the first that is there counts
};

/// Examples of `predict`, in the columns of the answer's row.
struct AnswerExamples {
  const TaskInfo& info;
  const TaskConfig& config;
  const TextEncoder& encoder;
  std::int64_t first = 0;                        ///< number of the first example, from 0
  const std::vector<bool>& present;              ///< of each column
  std::vector<std::vector<std::string>>& cells;  ///< [examples][columns]; taken from

  /// The example's id, or else its number.
  [[nodiscard]] std::string id(std::size_t example, const std::string& given = {}) const;
};

struct AnswerEntry {
  AnswerKind kind;
  HeadKind head;
  Problem problem;      ///< of a head that has problems
  std::int64_t logits;  ///< the head's labels; 0: one for each of the task's labels
  /// Appends the labels of sequence `choice` of a row beyond those of tokens and values; nullptr: there are
  /// none.
  void (*append_labels)(const TaskSequence& sequence, std::size_t choice, HostBatch& to);
  /// How many of the head's logits, whose last dimension is `width`, belong to each entry of a micro-batch,
  /// in order.
  std::vector<std::size_t> (*entry_sizes)(const HostBatch& batch, const TaskSplit& split, std::size_t width);

  // `predict`; columns and make_split are nullptr for kVector
  std::vector<AnswerColumn> (*columns)();
  std::unique_ptr<TaskSplit> (*make_split)(AnswerExamples examples);
  bool takes_token_ids;       ///< examples may be token ids in place of texts
  bool predicts_label;        ///< the column `prediction` holds one of the labels
  bool predicts_number;       ///< the column `prediction` holds a number
  bool has_rows_per_element;  ///< several rows an example: one JSON object each example

  [[nodiscard]] bool has_labels() const { return logits == 0; }
};

/// In the order of AnswerKind.
[[nodiscard]] std::span<const AnswerEntry> answer_registry();
[[nodiscard]] const AnswerEntry& entry_of(AnswerKind kind);
/// The answer that a head gives; nullptr for a language model.
[[nodiscard]] const AnswerEntry* find_answer(const HeadConfig& head);

/// The head for a task's answers.
[[nodiscard]] HeadConfig head_for(const TaskInfo& info);

}  // namespace nystrom
