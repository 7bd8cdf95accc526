#pragma once
// Predictions of a fine-tuned model: classes with probabilities, numbers, tags, answers, choices. The table
// is that of predictions.tsv (docs/finetuning.md): for a task's test file `predict` writes what `finetune`
// wrote.

#include "launch/config/config.h"
#include "launch/models/model_source.h"
#include "launch/predict/answers.h"
#include "launch/predict/input.h"
#include "launch/setup/backend.h"
#include "model/compute_session.h"
#include "trainer/comm/comm.h"

namespace nystrom {

class TaskPredictor {
 public:
  /// Of `config` count data.sequence_length (by default what the model was fine-tuned with), run.threads,
  /// training.precision and the section `task` (columns, choices, windows). `may_have_no_answer`: a
  /// question's answer may be empty, as it may where training had such questions. Refuses a model without
  /// such a head, and a tokenizer with more tokens than the model embeds. Collective.
  TaskPredictor(const ModelSource& source, Tokenizer tokenizer, const Config& config, bool may_have_no_answer,
                const Backend& backend, Comm& comm);

  /// How to read the input, without path and format.
  [[nodiscard]] InputOptions input() const;
  [[nodiscard]] AnswerForm form() const;
  /// The same rows on every rank, in the order of input().columns; returns all answers, in order, on every
  /// rank.
  [[nodiscard]] AnswerPiece predict(InputRows rows);
  /// Notes for the log on all examples so far: how many were truncated.
  [[nodiscard]] std::vector<std::string> notes() const;

 private:
  [[nodiscard]] std::unique_ptr<TaskSplit> split_of(InputRows rows) const;
  void choose_columns(const ModelSource& source, const Config& config);

  Comm& comm_;
  TaskInfo info_;
  TaskConfig task_;
  std::vector<InputColumn> columns_;
  TextEncoder encoder_;
  ComputeSession session_;
  std::vector<std::string> loaded_;
  std::int64_t examples_ = 0, truncated_ = 0;
};

}  // namespace nystrom
