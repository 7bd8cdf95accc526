#include "data/tasks/sequence_split.h"

#include <algorithm>

#include "kernels/core/check.h"
#include "kernels/core/stage.h"

namespace nystrom {

SequenceSplit::SequenceSplit(std::string name, const TaskInfo& info, std::vector<TextExample> examples,
                             const TextEncoder& encoder, LeaderboardForm form)
    : TaskSplit(std::move(name)), info_(info), answer_(sequence_answer(info.answer)), form_(std::move(form)) {
  EncodingCounts counts;
  pairs_ = std::ranges::any_of(examples, [](const auto& example) { return example.pair.has_value(); });
  labelled_ = !examples.empty();
  Stage stage(fmt::format("tokenizing {}", this->name()), static_cast<double>(examples.size()));
  for (auto& example : examples) {
    labelled_ = labelled_ && answer_.has_truth(example);
    ids_.push_back(example.id.empty() ? std::to_string(ids_.size()) : std::move(example.id));
    TaskSequence sequence = example.pair ? encoder.pair(example.text, *example.pair, counts)
                                         : encoder.single(example.text, counts);
    sequence.label = example.label;
    sequence.values = std::move(example.values);
    sequences_.push_back(std::move(sequence));
    stage.advance();
  }
  note(counts, encoder.max_length());
}

SequenceSplit::SequenceSplit(std::string name, const TaskInfo& info, std::vector<TaskSequence> sequences,
                             std::vector<std::string> ids)
    : TaskSplit(std::move(name)), info_(info), answer_(sequence_answer(info.answer)), ids_(std::move(ids)) {
  sequences_ = std::move(sequences);
  NYSTROM_CHECK(sequences_.size() == ids_.size(), "{} sequences with {} ids", sequences_.size(), ids_.size());
}

std::vector<Score> SequenceSplit::score(const Outputs& outputs) const {
  NYSTROM_CHECK(labelled_ && outputs.size() == sequences_.size(), "{} outputs of {} sequences",
                outputs.size(), sequences_.size());
  return answer_.score(info_, sequences_, outputs);
}

PredictionTable SequenceSplit::predictions(const Outputs& outputs) const {
  PredictionTable table{{"id", "prediction"}, {}};
  if (labelled_) table.columns.emplace_back("label");
  if (answer_.has_labels())
    for (const auto& label : info_.labels) table.columns.push_back("probability:" + label);
  for (std::size_t i = 0; i < sequences_.size(); ++i) {
    std::vector<std::string> row{ids_[i], answer_.prediction(info_, outputs[i])};
    if (labelled_) row.push_back(answer_.truth(info_, sequences_[i]));
    for (const double p : answer_.probabilities(outputs[i])) row.push_back(probability_text(p));
    table.rows.push_back(std::move(row));
  }
  return table;
}

LeaderboardFile SequenceSplit::leaderboard(const Outputs& outputs) const {
  LeaderboardFile result{form_.file, {{"index", "prediction"}, {}}};
  if (form_.file.empty()) return result;
  for (std::size_t i = 0; i < sequences_.size(); ++i)
    result.table.rows.push_back({ids_[i], answer_.submission(form_, outputs[i])});
  return result;
}

std::vector<std::array<double, 2>> SequenceSplit::points(const Outputs& outputs) const {
  if (!labelled_) return {};
  return answer_.points(sequences_, outputs);
}

Confusion SequenceSplit::confusion(const Outputs& outputs) const {
  if (!labelled_) return {};
  return answer_.confusion(info_, sequences_, outputs);
}

}  // namespace nystrom
