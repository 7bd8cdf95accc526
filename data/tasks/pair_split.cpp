// Pairs of texts that are encoded apart, with one class for both.

#include "data/tasks/examples.h"
#include "data/tasks/scores.h"
#include "kernels/core/check.h"
#include "kernels/core/stage.h"

namespace nystrom {
namespace {

class PairSplit final : public TaskSplit {
 public:
  PairSplit(std::string name, const TaskInfo& info, std::vector<TextExample> pairs,
            const TextEncoder& encoder)
      : TaskSplit(std::move(name), 2), info_(info) {
    EncodingCounts counts;
    pairs_ = true;
    labelled_ = !pairs.empty();
    Stage stage(fmt::format("tokenizing {}", this->name()), static_cast<double>(pairs.size()));
    for (auto& pair : pairs) {
      labelled_ = labelled_ && pair.label >= 0;
      classes_.push_back(pair.label);
      sequences_.push_back(encoder.single(pair.text, counts));
      sequences_.back().label = pair.label;
      sequences_.push_back(encoder.single(pair.pair.value(), counts));
      ids_.push_back(pair.id.empty() ? std::to_string(ids_.size()) : std::move(pair.id));
      stage.advance();
    }
    if (!labelled_) classes_.clear();
    note(counts, encoder.max_length());
  }

  std::vector<Score> score(const Outputs& outputs) const override {
    NYSTROM_CHECK(labelled_ && outputs.size() == ids_.size(), "{} outputs of {} pairs", outputs.size(),
                  ids_.size());
    return class_scores(info_.metrics, classes_, best_classes(outputs));
  }
  PredictionTable predictions(const Outputs& outputs) const override {
    return class_predictions(info_, ids_, classes_, outputs);
  }
  Confusion confusion(const Outputs& outputs) const override {
    return labelled_ ? class_confusion(info_, classes_, outputs) : Confusion{};
  }

 private:
  TaskInfo info_;
  std::vector<std::int32_t> classes_;  // none unless all are known
  std::vector<std::string> ids_;
};

}  // namespace

std::unique_ptr<TaskSplit> make_pair_split(std::string name, const TaskInfo& info,
                                           std::vector<TextExample> pairs, const TextEncoder& encoder) {
  return std::make_unique<PairSplit>(std::move(name), info, std::move(pairs), encoder);
}

}  // namespace nystrom
