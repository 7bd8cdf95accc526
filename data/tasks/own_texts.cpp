// A user's own texts or pairs of texts, with classes, sets of labels or numbers, from TSV, CSV or JSON-lines.

#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <set>

#include "data/tasks/own_files.h"
#include "data/tasks/sequence_split.h"
#include "kernels/core/check.h"

namespace nystrom {
namespace {

/// One or two texts a row; the answers are a derived class's.
class OwnTexts : public Task {
 public:
  Splits load(Split split, const TextEncoder& encoder) override {
    const std::string path = own_file(config_, split);
    const bool fraction = split != Split::kTest && holds_out(config_);
    Splits splits;
    if (path.empty() && !fraction) return splits;
    Records records = read(fraction ? own_file(config_, Split::kTrain) : path, split);
    if (!takes_sets() || split == Split::kTest) settle_labels(records, 2, split, config_.malformed);
    if (split == Split::kTrain) pairs_ = records.present[1];
    if (info_.labels.empty()) learn_labels(records);
    std::vector<TextExample> examples;
    for (std::size_t i = 0; i < records.rows.size(); ++i) examples.push_back(example_of(records, i));
    if (fraction) keep_split(examples, config_, split);
    auto loaded = std::make_unique<SequenceSplit>(split_name(split), info_, std::move(examples), encoder);
    loaded->note(records);
    splits.push_back(std::move(loaded));
    return splits;
  }

 protected:
  OwnTexts(const TaskConfig& config, AnswerKind answer) : config_(config) {
    info_.name = config.name.empty() ? config.kind : config.name;
    info_.answer = answer;
    info_.labels = config.labels;
    info_.label_separator = config.label_separator;
    info_.metrics = sequence_answer(answer).metrics();
    check_columns(config, {"text", "pair", "label", "id"});
  }

  /// Is a cell of labels a set, which may be empty?
  [[nodiscard]] virtual bool takes_sets() const { return false; }
  /// The labels, where the configuration does not list them.
  virtual void learn_labels(const Records& /*records*/) {}
  /// Into `example`: the truth that `cell` of row `i` holds.
  virtual void read_truth(const Records& records, std::size_t i, const std::string& cell,
                          TextExample& example) const = 0;

  [[nodiscard]] std::int32_t label_number(const Records& records, std::size_t i,
                                          const std::string& label) const {
    const auto found = std::ranges::find(info_.labels, label);
    if (found == info_.labels.end())
      refuse(
          "{}: `{}` is not a known label; known labels are `{}`. Add it to `task.labels`, or fix the line.",
          records.place(i), label, fmt::join(info_.labels, "`, `"));
    return static_cast<std::int32_t>(found - info_.labels.begin());
  }

  /// Takes `labels` as the task's. Refuses fewer than `least`.
  void take_labels(const Records& records, const std::set<std::string>& labels, std::size_t least) {
    info_.labels.assign(labels.begin(), labels.end());
    if (info_.labels.size() < least)
      refuse(
          "{} has only the label `{}`; a classification needs two. Is `task.columns.label` the right "
          "column?",
          records.path, fmt::join(info_.labels, "`, `"));
  }

  [[nodiscard]] const std::string& label_separator() const { return config_.label_separator; }

 private:
  /// Columns: text, pair, label, id. Whether there are pairs, the training split decides.
  [[nodiscard]] Records read(const std::string& path, Split split) const {
    const auto named = [&](const char* role, bool optional) {
      const auto found = config_.columns.find(role);
      return WantedColumn{{found == config_.columns.end() ? role : found->second},
                          optional && found == config_.columns.end()};
    };
    WantedColumn label = named("label", false);
    label.optional = split == Split::kTest;
    WantedColumn pair = named("pair", true);
    if (pairs_) pair.optional = !*pairs_;
    if (pairs_ && !*pairs_) pair.names.clear();
    return read_records(path, {.columns = {named("text", false), pair, label, named("id", true)},
                               .malformed = config_.malformed,
                               .separator = takes_sets() ? kElementSeparator : config_.label_separator,
                               .separator_first = takes_sets()});
  }

  /// A text; an array of them becomes one.
  [[nodiscard]] std::string text_in(const std::string& cell) const {
    if (!cell.starts_with(kElementSeparator)) return cell;
    Names parts = split(cell, kElementSeparator);
    parts.erase(parts.begin());
    return fmt::format("{}", fmt::join(parts, config_.label_separator));
  }

  [[nodiscard]] TextExample example_of(const Records& records, std::size_t i) const {
    const auto& cells = records.rows[i].cells;
    TextExample example{.id = cells[3], .text = text_in(cells[0])};
    if (records.present[1]) example.pair = text_in(cells[1]);
    if (records.present[2]) read_truth(records, i, cells[2], example);
    return example;
  }

  TaskConfig config_;
  std::optional<bool> pairs_;  // known once the training split was read
};

class ClassifiedTexts final : public OwnTexts {
 public:
  explicit ClassifiedTexts(const TaskConfig& config) : OwnTexts(config, AnswerKind::kClass) {}

 private:
  void learn_labels(const Records& records) override {
    std::set<std::string> labels;
    for (const auto& record : records.rows) labels.insert(trimmed_cell(record.cells[2]));
    constexpr std::size_t kPlausible = 20;  // more labels than this should each have examples
    if (labels.size() > kPlausible && 2 * labels.size() > records.rows.size())
      refuse(
          "{} has {} different labels in {} rows, `{}` the first; are the columns swapped? "
          "`task.columns.label` names the column of the label, and `task.labels` lists intended labels.",
          records.path, labels.size(), records.rows.size(), labels.begin()->substr(0, 40));
    take_labels(records, labels, 2);
  }

  void read_truth(const Records& records, std::size_t i, const std::string& cell,
                  TextExample& example) const override {
    example.label = label_number(records, i, trimmed_cell(cell));
  }
};

class LabelledTexts final : public OwnTexts {
 public:
  explicit LabelledTexts(const TaskConfig& config) : OwnTexts(config, AnswerKind::kLabels) {}

 private:
  [[nodiscard]] bool takes_sets() const override { return true; }

  void learn_labels(const Records& records) override {
    std::set<std::string> labels;
    for (const auto& record : records.rows)
      for (auto& label : labels_in(record.cells[2])) labels.insert(std::move(label));
    take_labels(records, labels, 1);
  }

  void read_truth(const Records& records, std::size_t i, const std::string& cell,
                  TextExample& example) const override {
    example.values.assign(info_.labels.size(), 0.F);
    for (const auto& label : labels_in(cell))
      example.values[static_cast<std::size_t>(label_number(records, i, label))] = 1.F;
  }

  [[nodiscard]] Names labels_in(const std::string& cell) const {
    Names labels;
    const bool array = cell.find(kElementSeparator) != std::string::npos;
    for (const auto& part : split(cell, array ? kElementSeparator : label_separator()))
      if (auto label = trimmed_cell(part); !label.empty()) labels.push_back(std::move(label));
    return labels;
  }
};

class RatedTexts final : public OwnTexts {
 public:
  explicit RatedTexts(const TaskConfig& config) : OwnTexts(config, AnswerKind::kValue) {}

 private:
  void read_truth(const Records& records, std::size_t i, const std::string& cell,
                  TextExample& example) const override {
    double value = 0;
    if (!parse_number(cell, value)) refuse("{}: the label `{}` is not a number.", records.place(i), cell);
    example.values = {static_cast<float>(value)};
  }
};

}  // namespace

std::unique_ptr<Task> open_classification(const TaskConfig& config) {
  if (config.multi_label) return std::make_unique<LabelledTexts>(config);
  return std::make_unique<ClassifiedTexts>(config);
}

std::unique_ptr<Task> open_regression(const TaskConfig& config) {
  return std::make_unique<RatedTexts>(config);
}

}  // namespace nystrom
