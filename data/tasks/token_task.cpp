// Token classification from CoNLL columns: a word a line, its tag in another column, a blank line between
// sentences, perhaps comments before them. Scored by entities, as seqeval counts.

#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "data/tasks/conll.h"
#include "data/tasks/examples.h"
#include "data/tasks/metrics/classification.h"
#include "data/tasks/metrics/entities.h"
#include "data/tasks/own_files.h"
#include "data/tasks/sequence_answer.h"
#include "kernels/core/check.h"
#include "kernels/core/stage.h"

namespace nystrom {
namespace {

using Sentence = WordExample;

class TokenSplit final : public TaskSplit {
 public:
  TokenSplit(std::string name, const TaskInfo& info, std::vector<Sentence> sentences,
             const TextEncoder& encoder, std::int64_t first = 0)
      : TaskSplit(std::move(name)), info_(info), sentences_(std::move(sentences)), first_(first) {
    EncodingCounts counts;
    labelled_ = !sentences_.empty();
    Stage stage(fmt::format("tokenizing {}", this->name()), static_cast<double>(sentences_.size()));
    for (const auto& sentence : sentences_) {
      stage.advance();
      labelled_ = labelled_ && !sentence.tags.empty();
      TaskSequence sequence = encoder.words(sentence.words, counts);
      for (std::size_t w = 0; w < sequence.label_rows.size(); ++w)
        sequence.labels.push_back(sentence.tags.empty() ? -1 : tag_number(sentence.tags[w]));
      sequences_.push_back(std::move(sequence));
    }
    note(counts, encoder.max_length());
  }

  using TaskSplit::note;
  void add_note(std::string sentence) { notes_.push_back(std::move(sentence)); }

  [[nodiscard]] std::vector<Score> score(const Outputs& outputs) const override {
    EntityCounts counts;
    double right = 0, words = 0;
    for (std::size_t i = 0; i < sentences_.size(); ++i) {
      const auto predicted = predicted_tags(i, outputs[i]);
      counts.add(sentences_[i].tags, predicted);
      for (std::size_t w = 0; w < predicted.size(); ++w)
        right += predicted[w] == sentences_[i].tags[w] ? 1 : 0;
      words += static_cast<double>(predicted.size());
    }
    const auto scored = [](const char* name, double value, const char* why) {
      return Score{name, value, std::isnan(value) ? why : std::string()};
    };
    return {scored("f1", counts.f1(), "there are no entities, neither in truth nor in prediction"),
            scored("precision", counts.precision(), "no entity was predicted"),
            scored("recall", counts.recall(), "there are no entities in truth"),
            scored("accuracy", right / words, "there are no words")};
  }

  /// A row a word.
  [[nodiscard]] PredictionTable predictions(const Outputs& outputs) const override {
    PredictionTable table{{"sentence", "word", "prediction"}, {}};
    if (labelled_) table.columns.emplace_back("label");
    for (std::size_t i = 0; i < sentences_.size(); ++i) {
      const auto tags = predicted_tags(i, outputs[i]);
      for (std::size_t w = 0; w < tags.size(); ++w) {
        std::vector<std::string> row{std::to_string(first_ + static_cast<std::int64_t>(i)),
                                     sentences_[i].words[w], tags[w]};
        if (labelled_) row.push_back(sentences_[i].tags[w]);
        table.rows.push_back(std::move(row));
      }
    }
    return table;
  }

 private:
  [[nodiscard]] std::int32_t tag_number(const std::string& tag) const {
    const auto found = std::ranges::find(info_.labels, tag);
    return found == info_.labels.end() ? -1 : static_cast<std::int32_t>(found - info_.labels.begin());
  }

  /// Truncated words are outside of every entity.
  [[nodiscard]] std::vector<std::string> predicted_tags(std::size_t i, std::span<const float> logits) const {
    const std::size_t labels = info_.labels.size();
    std::vector<std::string> tags;
    for (std::size_t at = 0; at < logits.size(); at += labels)
      tags.push_back(info_.labels[argmax(logits.subspan(at, labels))]);
    tags.resize(sentences_[i].words.size(), "O");
    return tags;
  }

  TaskInfo info_;
  std::vector<Sentence> sentences_;
  std::int64_t first_;
};

/// Reads sentences; a line's number is known where it is malformed.
class ConllReader {
 public:
  /// `known`: the only tags that there may be; none: any.
  explicit ConllReader(const TaskConfig& config, Names known = {})
      : config_(config), known_(std::move(known)), word_(column("word", 0)), tag_(column("tag", -1)) {}

  /// Columns of the first word; 0: there is none.
  [[nodiscard]] static std::size_t width(const std::string& path) {
    Repairs repairs;
    const auto lines = split_lines(read_text_file(path, repairs));
    const ConllLines conll = format_of(lines);
    for (const auto& line : lines)
      if (conll.kind(line, 0, false) == ConllLine::kWord) return conll_columns(line).size();
    return 0;
  }
  /// Does a file with this many columns have one for tags besides the words?
  [[nodiscard]] bool has_tags(std::size_t width) const {
    const auto count = static_cast<std::int64_t>(width);
    const std::int64_t word = word_ < 0 ? word_ + count : word_, tag = tag_ < 0 ? tag_ + count : tag_;
    return tag >= 0 && tag < count && tag != word;
  }

  std::vector<Sentence> read(const std::string& path, bool tags) {
    const auto lines = split_lines(read_text_file(path, repairs_));
    const ConllLines conll = format_of(lines);
    std::vector<Sentence> sentences;
    Sentence sentence;
    const auto finish = [&] {
      if (!sentence.words.empty()) sentences.push_back(std::move(sentence));
      sentence = {};
    };
    std::int64_t number = 0;
    for (const auto& line : lines) {
      ++number;
      switch (conll.kind(line, word_, !sentence.words.empty())) {
        case ConllLine::kWord:
          take(path, number, conll_columns(line), tags, sentence);
          break;
        case ConllLine::kEnd:
          finish();
          break;
        case ConllLine::kComment:
          ++comments_;
          break;
        case ConllLine::kNoWord:
          ++no_words_;
          break;
      }
    }
    finish();
    if (sentences.empty()) refuse("{} has no sentences.", path);
    return sentences;
  }

  [[nodiscard]] Records found(const std::string& path) const {
    Records records;
    records.path = path;
    records.malformed = malformed_;
    records.repairs = repairs_;
    return records;
  }
  /// What was left out, in a sentence; empty: nothing.
  [[nodiscard]] std::string left_out(const std::string& path) const {
    if (comments_ + no_words_ == 0) return {};
    return fmt::format("{}: {} comment lines and {} ranges and empty nodes were skipped: they are not words.",
                       path, comments_, no_words_);
  }

 private:
  [[nodiscard]] static ConllLines format_of(const std::vector<std::string>& lines) {
    ConllLines conll;
    (void)std::ranges::any_of(lines, [&](const auto& line) { return conll.see(line); });
    return conll;
  }
  /// A column's number from 0; negative: from the end.
  [[nodiscard]] std::int64_t column(const char* role, std::int64_t otherwise) const {
    const auto given = config_.columns.find(role);
    if (given == config_.columns.end()) return otherwise;
    double number = 0;
    if (!parse_number(given->second, number) || number != std::floor(number))
      refuse("`task.columns.{}` is {}; for tokens it is a column's number, from 0, or from -1 backwards.",
             role, given->second);
    return static_cast<std::int64_t>(number);
  }

  void take(const std::string& path, std::int64_t number, const std::vector<std::string>& columns, bool tags,
            Sentence& sentence) {
    const auto count = static_cast<std::int64_t>(columns.size());
    const std::int64_t word = word_ < 0 ? word_ + count : word_, tag = tag_ < 0 ? tag_ + count : tag_;
    const bool bad = word < 0 || word >= count || columns[static_cast<std::size_t>(word)].empty() ||
                     (tags && (tag < 0 || tag >= count || tag == word));
    if (bad && config_.malformed == Malformed::kRefuse)
      refuse(
          "{}, line {}: {} columns, so no word and tag in columns {} and {}. Fix the line, or set "
          "`task.malformed` to skip.",
          path, number, count, word_, tag_);
    if (bad) return malformed_.push_back(number);
    if (tags && !known_.empty() &&
        std::ranges::find(known_, columns[static_cast<std::size_t>(tag)]) == known_.end())
      refuse("{}, line {}: the tag `{}` is not in `task.labels` ({}). Add it there, or fix the line.", path,
             number, columns[static_cast<std::size_t>(tag)], fmt::join(known_, ", "));
    sentence.words.push_back(columns[static_cast<std::size_t>(word)]);
    if (tags) sentence.tags.push_back(columns[static_cast<std::size_t>(tag)]);
  }

  const TaskConfig& config_;
  Names known_;
  std::int64_t word_, tag_;
  std::vector<std::int64_t> malformed_;
  std::int64_t comments_ = 0, no_words_ = 0;
  Repairs repairs_;
};

class TokenTask final : public Task {
 public:
  explicit TokenTask(const TaskConfig& config) : config_(config) {
    info_ = {.name = config.name.empty() ? config.kind : config.name,
             .answer = AnswerKind::kTags,
             .labels = config.labels,
             .metrics = {"f1", "precision", "recall", "accuracy"}};
    check_columns(config, {"word", "tag"});
  }

  Splits load(Split split, const TextEncoder& encoder) override {
    Splits splits;
    const bool fraction = split != Split::kTest && holds_out(config_);
    const std::string path = own_file(config_, fraction ? Split::kTrain : split);
    if (path.empty()) return splits;
    ConllReader reader(config_, split == Split::kTrain ? config_.labels : Names());
    const std::size_t width = ConllReader::width(path);
    if (split == Split::kTrain) training_width_ = width;
    auto sentences =
        reader.read(path, split != Split::kTest || (width >= training_width_ && reader.has_tags(width)));
    if (info_.labels.empty()) learn_labels(sentences);
    if (fraction) keep_split(sentences, config_, split);
    const std::size_t unknown = split == Split::kTrain ? 0 : unknown_tags(sentences);
    auto loaded = std::make_unique<TokenSplit>(split_name(split), info_, std::move(sentences), encoder);
    loaded->note(reader.found(path));
    if (auto said = reader.left_out(path); !said.empty()) loaded->add_note(std::move(said));
    if (unknown > 0)
      loaded->add_note(
          fmt::format("{}: {} words have a tag that the training split lacks; they cannot be predicted "
                      "and are scored as wrong.",
                      path, unknown));
    splits.push_back(std::move(loaded));
    return splits;
  }

 private:
  void learn_labels(const std::vector<Sentence>& sentences) {
    std::set<std::string> tags;
    for (const auto& sentence : sentences) tags.insert(sentence.tags.begin(), sentence.tags.end());
    info_.labels.assign(tags.begin(), tags.end());
  }

  [[nodiscard]] std::size_t unknown_tags(const std::vector<Sentence>& sentences) const {
    std::size_t count = 0;
    for (const auto& sentence : sentences)
      for (const auto& tag : sentence.tags)
        count += std::ranges::find(info_.labels, tag) == info_.labels.end() ? 1 : 0;
    return count;
  }

  TaskConfig config_;
  std::size_t training_width_ = 0;  // columns of the training file; a test file without tags has fewer
};

}  // namespace

std::unique_ptr<TaskSplit> make_token_split(std::string name, const TaskInfo& info,
                                            std::vector<WordExample> sentences, const TextEncoder& encoder,
                                            std::int64_t first) {
  return std::make_unique<TokenSplit>(std::move(name), info, std::move(sentences), encoder, first);
}

std::unique_ptr<Task> open_tokens(const TaskConfig& config) {
  return std::make_unique<TokenTask>(config);
}

}  // namespace nystrom
