// Multiple choice from columns as SWAG has them: a context, the beginning of its continuation, and the
// choices of how that continues. Sequence c of a row is <s> context </s> beginning choice_c </s>.

#include <fmt/ranges.h>

#include <algorithm>
#include <optional>

#include "data/tasks/examples.h"
#include "data/tasks/metrics/classification.h"
#include "data/tasks/own_files.h"
#include "data/tasks/scores.h"
#include "data/tasks/sequence_answer.h"
#include "kernels/core/check.h"
#include "kernels/core/stage.h"

namespace nystrom {
namespace {

using Question = ChoiceExample;

class ChoiceSplit final : public TaskSplit {
 public:
  ChoiceSplit(std::string name, const TaskInfo& info, std::vector<Question> questions,
              const TextEncoder& encoder)
      : TaskSplit(std::move(name), info.choices), info_(info), questions_(std::move(questions)) {
    EncodingCounts counts;
    pairs_ = std::ranges::any_of(questions_, [](const auto& q) { return !q.beginning.empty(); });
    labelled_ = !questions_.empty();
    Stage stage(fmt::format("tokenizing {}", this->name()), static_cast<double>(questions_.size()));
    for (const auto& question : questions_) {
      stage.advance();
      labelled_ = labelled_ && question.label >= 0;
      for (std::size_t c = 0; c < question.choices.size(); ++c) {
        const std::string blank = question.beginning.empty() ? "" : " ";
        sequences_.push_back(
            encoder.pair(question.context, question.beginning + blank + question.choices[c], counts));
        if (c == 0) sequences_.back().label = question.label;
      }
    }
    note(counts, encoder.max_length());
  }
  using TaskSplit::note;

  [[nodiscard]] std::vector<Score> score(const Outputs& outputs) const override {
    std::vector<std::int32_t> truth;
    for (const auto& question : questions_) truth.push_back(question.label);
    return class_scores(info_.metrics, truth, best_classes(outputs));
  }

  [[nodiscard]] PredictionTable predictions(const Outputs& outputs) const override {
    PredictionTable table{{"id", "prediction"}, {}};
    if (labelled_) table.columns.emplace_back("label");
    for (std::int64_t c = 0; c < choices_; ++c) table.columns.push_back(fmt::format("probability:{}", c));
    for (std::size_t i = 0; i < questions_.size(); ++i) {
      const Question& question = questions_[i];
      std::vector<std::string> row{question.id.empty() ? std::to_string(i) : question.id,
                                   std::to_string(argmax(outputs[i]))};
      if (labelled_) row.push_back(std::to_string(question.label));
      for (const double p : softmax(outputs[i])) row.push_back(probability_text(p));
      table.rows.push_back(std::move(row));
    }
    return table;
  }

 private:
  TaskInfo info_;
  std::vector<Question> questions_;
};

class ChoiceTask final : public Task {
 public:
  explicit ChoiceTask(const TaskConfig& config) : config_(config), choices_(config.choices) {
    if (choices_.empty()) choices_ = {"ending0", "ending1", "ending2", "ending3"};
    if (choices_.size() < 2) refuse("`task.choices` names one column; it needs at least two.");
    info_ = {.name = config.name.empty() ? config.kind : config.name,
             .answer = AnswerKind::kChoice,
             .choices = static_cast<std::int64_t>(choices_.size()),
             .metrics = {"accuracy"}};
    check_columns(config, {"text", "beginning", "label", "id"});
  }

  Splits load(Split split, const TextEncoder& encoder) override {
    Splits splits;
    const std::string path = own_file(config_, split);
    const bool fraction = split != Split::kTest && holds_out(config_);
    if (path.empty() && !fraction) return splits;
    Records records = read(fraction ? own_file(config_, Split::kTrain) : path, split);
    settle_labels(records, 2, split, config_.malformed);
    if (split == Split::kTrain) beginnings_ = records.present[1];
    std::vector<Question> questions;
    for (std::size_t i = 0; i < records.rows.size(); ++i) questions.push_back(question_of(records, i));
    if (fraction) keep_split(questions, config_, split);
    auto loaded = std::make_unique<ChoiceSplit>(split_name(split), info_, std::move(questions), encoder);
    loaded->note(records);
    splits.push_back(std::move(loaded));
    return splits;
  }

 private:
  /// Columns: context, beginning, label, id, then the choices.
  [[nodiscard]] Records read(const std::string& path, Split split) const {
    const auto named = [&](const char* role, const char* usual, bool optional) {
      const auto found = config_.columns.find(role);
      const bool given = found != config_.columns.end();
      return WantedColumn{{given ? found->second : usual}, optional && !given};
    };
    WantedColumn label = named("label", "label", false);
    label.optional = split == Split::kTest;
    WantedColumn beginning = named("beginning", "sent2", true);
    if (beginnings_) beginning.optional = !*beginnings_;
    if (beginnings_ && !*beginnings_) beginning.names.clear();
    RecordRequest request{
        .columns = {named("text", "sent1", false), beginning, label, named("id", "video-id", true)},
        .malformed = config_.malformed};
    for (const auto& choice : choices_) request.columns.push_back({{choice}});
    return read_records(path, request);
  }

  [[nodiscard]] Question question_of(const Records& records, std::size_t i) const {
    const auto& cells = records.rows[i].cells;
    Question question{.id = cells[3], .context = cells[0], .beginning = cells[1]};
    question.choices.assign(cells.begin() + 4, cells.end());
    if (!records.present[2]) return question;
    double label = -1;
    const bool number = parse_number(cells[2], label);
    if (!number || label < 0 || label >= static_cast<double>(choices_.size()) || label != std::floor(label))
      refuse("{}: the label `{}` is not a choice; choices are 0 to {}.", records.place(i), cells[2],
             choices_.size() - 1);
    question.label = static_cast<std::int32_t>(label);
    return question;
  }

  TaskConfig config_;
  Names choices_;
  std::optional<bool> beginnings_;  // known once the training split was read
};

}  // namespace

std::unique_ptr<TaskSplit> make_choice_split(std::string name, const TaskInfo& info,
                                             std::vector<ChoiceExample> questions,
                                             const TextEncoder& encoder) {
  return std::make_unique<ChoiceSplit>(std::move(name), info, std::move(questions), encoder);
}

std::unique_ptr<Task> open_multiple_choice(const TaskConfig& config) {
  return std::make_unique<ChoiceTask>(config);
}

}  // namespace nystrom
