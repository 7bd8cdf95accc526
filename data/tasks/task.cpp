#include "data/tasks/task.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "data/tasks/task_kinds.h"
#include "kernels/core/check.h"
#include "kernels/core/sha256.h"

namespace nystrom {
std::unique_ptr<Task> open_task(const TaskConfig& config) {
  const TaskKind* kind = find_task_kind(config.kind);
  if (kind == nullptr) {
    std::vector<std::string_view> names;
    for (const TaskKind& known : task_kinds()) names.push_back(known.name);
    refuse("`task.kind` is {}; it must be one of {}.", config.kind, fmt::join(names, ", "));
  }
  for (std::size_t i = 0; i < config.labels.size(); ++i)
    if (std::find(config.labels.begin(), config.labels.begin() + static_cast<std::ptrdiff_t>(i),
                  config.labels[i]) != config.labels.begin() + static_cast<std::ptrdiff_t>(i))
      refuse("`task.labels` names `{}` twice.", config.labels[i]);
  if (config.path.empty() && config.train.empty() && config.validation.empty() && config.test.empty())
    refuse("`task.path` is missing: the directory of the task's files.");
  return kind->open(config);
}

void check_task_files(const TaskConfig& config) {
  const TaskKind* kind = find_task_kind(config.kind);
  if (kind != nullptr && kind->check_files != nullptr && !config.path.empty()) kind->check_files(config);
}

void check_task_keys(const TaskConfig& config) {
  const TaskKind* kind = find_task_kind(config.kind);
  if (kind == nullptr || kind->own_files) return;
  const auto refuse_key = [&](const char* key) {
    refuse(
        "`task.{}` is given, but a task of kind {} has fixed files and labels; leave it out, or choose another "
        "`task.kind`.",
        key, config.kind);
  };
  if (!config.train.empty()) refuse_key("train");
  if (!config.validation.empty()) refuse_key("validation");
  if (!config.test.empty()) refuse_key("test");
  if (!config.labels.empty()) refuse_key("labels");
  if (!config.columns.empty()) refuse_key("columns");
  if (!config.choices.empty()) refuse_key("choices");
  if (config.multi_label) refuse_key("multi_label");
}

std::string chosen_metric(const TaskInfo& info, const std::string& metric) {
  if (metric.empty()) return info.metrics.front();
  if (std::ranges::find(info.metrics, metric) == info.metrics.end())
    refuse("`task.metric` is {}; {} has {}.", metric, info.name, fmt::join(info.metrics, ", "));
  return metric;
}

std::vector<float> class_weights(const TaskConfig& config, const TaskInfo& info, const TaskSplit& train) {
  if (config.class_weights.empty()) return {};
  const bool classes = info.answer == AnswerKind::kClass || info.answer == AnswerKind::kPair;
  if (!classes && info.answer != AnswerKind::kTags)
    refuse("`task.class_weights` is for classes and tags; {} has neither.", info.name);
  std::vector<double> counts(info.labels.size());
  double total = 0;
  const auto count = [&](std::int32_t label) {
    if (label < 0) return;
    ++counts[static_cast<std::size_t>(label)];
    ++total;
  };
  for (std::size_t i = 0; i < train.sequence_count(); ++i) {
    if (classes && i % static_cast<std::size_t>(train.choices()) == 0) count(train.label_of(i));
    if (train.size_of(i).labels == 0) continue;
    for (const std::int32_t label : train.sequence(i).labels) count(label);
  }
  const bool balanced = config.class_weights.size() == 1 && config.class_weights[0] == "balanced";
  if (!balanced && config.class_weights.size() != counts.size())
    refuse("`task.class_weights` has {} numbers; {} has {} labels ({}).", config.class_weights.size(),
           info.name, counts.size(), fmt::join(info.labels, ", "));
  std::vector<double> weights;
  double sum = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    double weight = 0;
    if (balanced && counts[i] == 0)
      refuse("`task.class_weights` is balanced, but no training example has the label {}.", info.labels[i]);
    if (balanced)
      weight = 1 / counts[i];
    else if (!parse_number(config.class_weights[i], weight) || weight < 0)
      refuse(
          "`task.class_weights`: {} is not a weight; give balanced, or a number of at least 0 for each label.",
          config.class_weights[i]);
    weights.push_back(weight);
    sum += weight * counts[i];
  }
  if (!(sum > 0)) refuse("`task.class_weights` gives every training example the weight 0.");
  std::vector<float> scaled;
  for (const double weight : weights) scaled.push_back(static_cast<float>(weight * total / sum));
  return scaled;
}

SequenceSize TaskSplit::size_of(std::size_t i) const {
  const TaskSequence& sequence = sequences_.at(i);
  return {std::ssize(sequence.ids), std::ssize(sequence.labels), std::ssize(sequence.values)};
}

std::string TaskSplit::fingerprint() const {
  Sha256 hash;
  const auto add = [&hash](const auto& values) {
    const auto count = static_cast<std::uint64_t>(values.size());
    hash.update(&count, sizeof count);
    hash.update(values.data(), values.size() * sizeof values[0]);
  };
  for (const TaskSequence& sequence : sequences_) {
    add(sequence.ids);
    add(std::array{sequence.second, sequence.label, sequence.end});
    add(sequence.values);
    add(sequence.labels);
  }
  return hash.hex();
}

void TaskSplit::note(const EncodingCounts& counts, std::int64_t max_length) {
  truncated_ += counts.truncated;
  if (counts.truncated > 0)
    notes_.push_back(
        fmt::format("{}: {} of {} sequences were truncated to {} tokens ({} tokens lost); a larger "
                    "`data.sequence_length` keeps more.",
                    name_, counts.truncated, counts.sequences, max_length, counts.tokens_lost));
}

void TaskSplit::note(const Records& records) {
  if (!records.malformed.empty()) {
    constexpr std::size_t kNamed = 20;
    const auto named = std::span(records.malformed).first(std::min(kNamed, records.malformed.size()));
    notes_.push_back(fmt::format("{}: {} malformed lines were skipped: {}{}.", records.path,
                                 records.malformed.size(), fmt::join(named, ", "),
                                 named.size() < records.malformed.size() ? ", …" : ""));
  }
  const std::int64_t replaced = records.repairs.invalid_bytes + records.repairs.nul_bytes;
  if (replaced > 0)
    notes_.push_back(
        fmt::format("{}: {} bytes that are not valid UTF-8 were replaced.", records.path, replaced));
}

}  // namespace nystrom
