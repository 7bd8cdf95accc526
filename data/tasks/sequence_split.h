#pragma once
// Sequence classification and regression: one or two texts with a class, a set of labels or a number.

#include "data/tasks/sequence_answer.h"

namespace nystrom {

class SequenceSplit final : public TaskSplit {
 public:
  /// Labelled if every example has a label or values.
  SequenceSplit(std::string name, const TaskInfo& info, std::vector<TextExample> examples,
                const TextEncoder& encoder, LeaderboardForm form = {});

  /// Sequences that are encoded already; `ids` in predictions.
  SequenceSplit(std::string name, const TaskInfo& info, std::vector<TaskSequence> sequences,
                std::vector<std::string> ids);

  using TaskSplit::note;
  void add_note(std::string sentence) { notes_.push_back(std::move(sentence)); }

  [[nodiscard]] std::vector<Score> score(const Outputs& outputs) const override;
  [[nodiscard]] PredictionTable predictions(const Outputs& outputs) const override;
  [[nodiscard]] LeaderboardFile leaderboard(const Outputs& outputs) const override;
  [[nodiscard]] std::vector<std::array<double, 2>> points(const Outputs& outputs) const override;
  [[nodiscard]] Confusion confusion(const Outputs& outputs) const override;

 private:
  TaskInfo info_;
  const SequenceAnswer& answer_;
  LeaderboardForm form_;
  std::vector<std::string> ids_;
};

}  // namespace nystrom
