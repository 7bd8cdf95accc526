// Embeddings of a custom dataset: pairs of matching texts, or triples with a hard negative; for evaluation
// also pairs with a similarity score. Formats as of own_files.h.

#include <algorithm>
#include <cmath>
#include <functional>

#include "data/tasks/embedding_split.h"
#include "data/tasks/own_files.h"
#include "kernels/core/check.h"

namespace nystrom {
namespace {

enum Column : std::uint8_t { kAnchor, kText, kNegative, kScore, kId };

/// Rows with an empty cell in a column that the file has are malformed.
void settle_texts(Records& records, std::size_t column, const char* what, Malformed malformed) {
  const auto is_empty = [column](const Record& record) { return trimmed_cell(record.cells[column]).empty(); };
  if (!records.present[column]) return;
  for (const auto& record : records.rows) {
    if (!is_empty(record)) continue;
    if (malformed == Malformed::kRefuse)
      refuse("{}, line {}: the {} is empty. Fix the line, or set `task.malformed` to skip.", records.path,
             record.line, what);
    records.malformed.push_back(record.line);
  }
  std::erase_if(records.rows, is_empty);
  if (records.rows.empty()) refuse("{} has no row with a text in each column.", records.path);
}

std::vector<std::int64_t> embedding_sizes(const TaskConfig& config) {
  std::vector<std::int64_t> sizes;
  for (const std::string& text : config.sizes) {
    double size = 0;
    if (!parse_number(text, size) || size < 1 || size != std::floor(size) || size > 1e9)
      refuse("`task.sizes`: {} is not a number of components; give whole numbers of at least 1.", text);
    const auto number = static_cast<std::int64_t>(size);
    if (std::ranges::find(sizes, number) != sizes.end()) refuse("`task.sizes` names {} twice.", number);
    sizes.push_back(number);
  }
  std::ranges::sort(sizes, std::greater{});
  return sizes;
}

class EmbeddingTask final : public Task {
 public:
  explicit EmbeddingTask(const TaskConfig& config) : config_(config) {
    info_ = {.name = config.name.empty() ? config.kind : config.name, .answer = AnswerKind::kVector};
    check_columns(config, {"text", "pair", "negative", "score", "id"});
    if (!(config.temperature > 0))
      refuse("`task.temperature` is {}; it must be above 0.", config.temperature);
    info_.sizes = embedding_sizes(config);
    name_metrics();
  }

  Splits load(Split split, const TextEncoder& encoder) override {
    Splits splits;
    const std::string path = own_file(config_, split);
    const bool fraction = split != Split::kTest && holds_out(config_);
    if (path.empty() && !fraction) return splits;
    Records records = read_records(fraction ? own_file(config_, Split::kTrain) : path,
                                   {.columns = columns(split), .malformed = config_.malformed});
    const bool has_scores = records.present[kScore];
    settle(records, split);
    std::vector<EmbeddingExample> examples;
    for (std::size_t i = 0; i < records.rows.size(); ++i) examples.push_back(example_of(records, i));
    if (fraction) keep_split(examples, config_, split);
    const bool correlates = split != Split::kTrain && (has_scores || (correlates_ && !fraction));
    auto loaded = std::make_unique<EmbeddingSplit>(
        split_name(split), info_, correlates ? EmbeddingScores::kCorrelation : EmbeddingScores::kRetrieval,
        examples, encoder);
    loaded->note(records);
    if (split == Split::kTrain) note_training(records, has_scores, *loaded);
    splits.push_back(std::move(loaded));
    return splits;
  }

 private:
  /// Those of the validation file (without one, of the test file) come first.
  void name_metrics() {
    correlates_ = has_scores();
    const auto scores = [](bool correlation) {
      return correlation ? EmbeddingScores::kCorrelation : EmbeddingScores::kRetrieval;
    };
    for (const bool correlation : {correlates_, !correlates_}) {
      const Names names = embedding_metrics(scores(correlation));
      info_.metrics.insert(info_.metrics.end(), names.begin(), names.end());
      for (std::size_t i = 1; i < info_.sizes.size(); ++i)  // the largest is the whole vector
        info_.metrics.push_back(fmt::format("size_{}_{}", info_.sizes[i], names.front()));
    }
  }

  [[nodiscard]] bool has_scores() const {
    std::string path = own_file(config_, Split::kValidation);
    if (path.empty() && !holds_out(config_)) path = own_file(config_, Split::kTest);
    return !path.empty() &&
           read_records(path, {.columns = columns(Split::kTest), .malformed = config_.malformed})
               .present[kScore];
  }

  [[nodiscard]] WantedColumn column(const char* role, Names usual, bool optional) const {
    const auto found = config_.columns.find(role);
    if (found != config_.columns.end()) usual = {found->second};
    return {std::move(usual), optional};
  }

  [[nodiscard]] std::vector<WantedColumn> columns(Split split) const {
    const bool given_negative = config_.columns.contains("negative");
    return {column("text", {"anchor", "query", "question", "text", "sentence1"}, false),
            column("pair", {"positive", "answer", "passage", "pair", "sentence2"}, false),
            column("negative", {"negative"}, split != Split::kTrain || !given_negative),
            column("score", {"score"}, true), column("id", {"id"}, true)};
  }

  void settle(Records& records, Split split) const {
    settle_texts(records, kAnchor, "anchor", config_.malformed);
    settle_texts(records, kText, "text that matches the anchor", config_.malformed);
    settle_texts(records, kNegative, "negative", config_.malformed);
    if (split == Split::kTrain)
      records.present[kScore] = false;
    else
      settle_labels(records, kScore, split, config_.malformed);
  }

  [[nodiscard]] EmbeddingExample example_of(const Records& records, std::size_t i) const {
    const auto& cells = records.rows[i].cells;
    EmbeddingExample example{.id = cells[kId], .anchor = cells[kAnchor], .text = cells[kText]};
    if (records.present[kNegative]) example.negative = cells[kNegative];
    double score = 0;
    if (!records.present[kScore]) return example;
    if (!parse_number(cells[kScore], score))
      refuse("{}: the score `{}` is not a number.", records.place(i), cells[kScore]);
    example.score = score;
    return example;
  }

  static void note_training(const Records& records, bool has_scores, EmbeddingSplit& train) {
    if (has_scores)
      train.add_note(
          fmt::format("{}: its scores are not used in training, which takes the two texts of every row as "
                      "matching.",
                      records.path));
    if (const std::int64_t shared = train.rows_with_shared_texts(); shared > 0)
      train.add_note(fmt::format(
          "train: {} of {} rows share a text with another row; in the same batch, each counts as a "
          "negative for the other.",
          shared, train.rows()));
  }

  TaskConfig config_;
  bool correlates_ = false;  // evaluation files have scores
};

}  // namespace

std::unique_ptr<Task> open_embeddings(const TaskConfig& config) {
  return std::make_unique<EmbeddingTask>(config);
}

}  // namespace nystrom
