#pragma once
// Fine-tuning task: loads files as encoded splits; turns a network's outputs into metrics and predictions.
//
//   const auto task = open_task(config);
//   for (const auto& split : task->load(Split::kTrain, encoder)) use(split->sequence(0));
//   std::vector<Score> scores = split->score(outputs);
//
// Its kinds: task_kinds.h.

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/split.h"
#include "data/tasks/encoding.h"
#include "data/tasks/outputs.h"
#include "data/tasks/records.h"

namespace nystrom {

/// What becomes of the end of a list in ListOps. (Its round brackets carry nothing and are always dropped.)
enum class Brackets { kKeep, kDrop };

template <>
struct EnumNames<Brackets> {
  static constexpr Named<Brackets> kAll[] = {{Brackets::kKeep, "keep"}, {Brackets::kDrop, "drop"}};
};

/// What becomes of a picture's black pixels.
enum class Zero { kToken, kAbsent };

template <>
struct EnumNames<Zero> {
  static constexpr Named<Zero> kAll[] = {{Zero::kToken, "token"}, {Zero::kAbsent, "absent"}};
};

/// What becomes of the two texts of an example.
enum class Pairs { kApart, kJoined };

template <>
struct EnumNames<Pairs> {
  static constexpr Named<Pairs> kAll[] = {{Pairs::kApart, "apart"}, {Pairs::kJoined, "joined"}};
};

/// The section `task` of the configuration (docs/finetuning.md).
struct TaskConfig {
  std::string kind;                     ///< one of task_kinds()
  std::string name;                     ///< glue: "SST-2"
  std::string path;                     ///< directory of the task; imdb: the tree or its tar
  std::string train, validation, test;  ///< custom dataset: files, relative to `path` if that is given
  std::map<std::string, std::string>
      columns;                       ///< custom dataset: role -> column ("text", "pair", "label", "id", …)
  std::vector<std::string> choices;  ///< multiple_choice: columns of the choices
  std::vector<std::string> labels;  ///< custom dataset: their names in order; empty: those of `train`, sorted
  bool multi_label = false;         ///< classification: any number of labels per example
  std::string label_separator = ",";       ///< between them
  std::vector<std::string> class_weights;  ///< empty, `balanced`, or a number per label
  double validation_fraction = 0;          ///< of the training split, where there is no file for validation
  std::uint64_t seed = 1;                  ///< of the random choice of that fraction
  Malformed malformed = Malformed::kRefuse;
  std::int64_t window_overlap =
      128;  ///< question_answering: tokens shared by consecutive windows (at most half a window)
  std::int64_t max_answer_tokens = 30;  ///< question_answering: length of the longest answer
  bool unanswerable =
      false;  ///< question_answering: predictions may be empty even if no question is marked so
  double temperature = 0.05;            ///< embeddings: cosines are divided by it
  std::vector<std::string> sizes;       ///< embeddings: Matryoshka sizes; empty: that of the vectors alone
  Brackets brackets = Brackets::kKeep;  ///< lra, listops
  Zero zero = Zero::kToken;             ///< lra, image and pathfinder
  Pairs pairs = Pairs::kApart;          ///< lra, retrieval: two sequences, or one
  std::int64_t split_seed = 1;          ///< lra: of splits that its files do not have
};

/// What an example is labelled with; trainer/tasks/answers.h has the head that learns it.
enum class AnswerKind {
  kClass,   ///< one of labels
  kLabels,  ///< each of labels or not
  kValue,   ///< a number
  kTags,    ///< a label per word
  kSpan,    ///< a span of the context
  kChoice,  ///< one of the sequences of a row
  kPair,    ///< one of labels, of the two sequences of a row together
  kVector   ///< an embedding of each sequence of a row
};

struct TaskInfo {
  std::string name;  ///< display name: "SST-2"
  AnswerKind answer = AnswerKind::kClass;
  std::vector<std::string> labels =
      {};                    ///< kClass, kLabels, kTags, kPair; known once Split::kTrain was loaded
  std::int64_t choices = 1;  ///< sequences per row
  std::vector<std::string> metrics = {};  ///< of score(); by default the first selects the best checkpoint
  std::string label_separator = ",";      ///< kLabels: between the labels of an example, in predictions
  bool unanswerable = false;  ///< kSpan: there may be no answer; known once Split::kTrain was loaded
  /// Of a task whose files are not text: its tokens are 0 to vocabulary - 1, where 0 is padding, and there is
  /// no tokenizer. 0: a tokenizer makes the tokens.
  std::int64_t vocabulary = 0;
  std::int64_t length = 0;               ///< of such a task: the usual data.sequence_length
  std::int64_t width = 0;                ///< where examples are pictures, pixels of a row; 0: not known
  std::vector<std::int64_t> sizes = {};  ///< kVector: TaskConfig::sizes, largest first
};

/// A metric; NaN if undefined, with the reason in `why`.
struct Score {
  std::string name;  ///< "accuracy", "f1", "matthews_correlation"
  double value = 0;
  std::string why = {};
};

/// Predictions as text: predictions.tsv.
struct PredictionTable {
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;
};

/// Predictions in a leaderboard's format: leaderboard/`file`.
struct LeaderboardFile {
  std::string file;
  PredictionTable table;
};

/// Confusion matrix: counts [truth][prediction].
struct Confusion {
  std::vector<std::string> labels;
  std::vector<std::vector<std::int64_t>> counts;
};

/// What a sequence uses of a batch.
struct SequenceSize {
  std::int64_t tokens = 0;
  std::int64_t labels = 0;  ///< of tokens
  std::int64_t values = 0;
};

/// Encoded examples, held in memory in sequences_ unless a split says where else. A batch counts rows; each
/// row has `choices` consecutive sequences.
class TaskSplit {
 public:
  virtual ~TaskSplit() = default;
  TaskSplit(const TaskSplit&) = delete;
  TaskSplit& operator=(const TaskSplit&) = delete;

  /// "train", "validation", "validation_mismatched", "test"
  [[nodiscard]] const std::string& name() const { return name_; }
  /// Those in memory.
  [[nodiscard]] const std::vector<TaskSequence>& sequences() const { return sequences_; }
  [[nodiscard]] virtual std::size_t sequence_count() const { return sequences_.size(); }
  [[nodiscard]] virtual TaskSequence sequence(std::size_t i) const { return sequences_.at(i); }
  [[nodiscard]] virtual SequenceSize size_of(std::size_t i) const;
  /// The class of sequence i, without reading its tokens; -1: none.
  [[nodiscard]] virtual std::int32_t label_of(std::size_t i) const { return sequences_.at(i).label; }
  /// Differs for other examples or labels, and for another order.
  [[nodiscard]] virtual std::string fingerprint() const;
  [[nodiscard]] std::int64_t choices() const { return choices_; }
  [[nodiscard]] std::int64_t rows() const { return static_cast<std::int64_t>(sequence_count()) / choices_; }
  /// Are there labels to score against?
  [[nodiscard]] bool labelled() const { return labelled_; }
  /// Notes for the log: truncated texts, skipped lines.
  [[nodiscard]] const std::vector<std::string>& notes() const { return notes_; }
  /// Do examples have a second text? Unset where the kind does not allow it.
  [[nodiscard]] std::optional<bool> pairs() const { return pairs_; }
  /// Number of truncated sequences.
  [[nodiscard]] std::int64_t truncated() const { return truncated_; }

  /// Metrics of a network's outputs, one entry per sequence (kChoice, kPair, kVector: per row). Precondition:
  /// labelled().
  [[nodiscard]] virtual std::vector<Score> score(const Outputs& outputs) const = 0;
  [[nodiscard]] virtual PredictionTable predictions(const Outputs& outputs) const = 0;
  /// Empty `file`: the task has no leaderboard.
  [[nodiscard]] virtual LeaderboardFile leaderboard(const Outputs& /*outputs*/) const { return {}; }
  /// Truth and prediction of each example, where the answers are numbers and the truth is known.
  [[nodiscard]] virtual std::vector<std::array<double, 2>> points(const Outputs& /*outputs*/) const {
    return {};
  }
  /// Empty unless answers are classes.
  [[nodiscard]] virtual Confusion confusion(const Outputs& /*outputs*/) const { return {}; }

 protected:
  explicit TaskSplit(std::string name, std::int64_t choices = 1)
      : name_(std::move(name)), choices_(choices) {}
  /// Adds notes on truncation, on repaired bytes and on skipped lines.
  void note(const EncodingCounts& counts, std::int64_t max_length);
  void note(const Records& records);

  std::string name_;
  std::int64_t choices_;
  std::vector<TaskSequence> sequences_;
  bool labelled_ = false;
  std::optional<bool> pairs_;
  std::vector<std::string> notes_;
  std::int64_t truncated_ = 0;
};

using Splits = std::vector<std::unique_ptr<TaskSplit>>;

class Task {
 public:
  virtual ~Task() = default;
  [[nodiscard]] const TaskInfo& info() const { return info_; }
  /// Reads and encodes; refuses (InputError) bad files with their names and lines. Several where the task
  /// has them (MNLI's validation splits), none where it lacks them. Load kTrain first: it may define the
  /// labels.
  [[nodiscard]] virtual Splits load(Split split, const TextEncoder& encoder) = 0;
  /// What the examples are, where they come from and how they were split, for results; empty: the kind does
  /// not say.
  [[nodiscard]] virtual std::string data() const { return {}; }

 protected:
  TaskInfo info_;
};

/// Weights of the labels' gradients as config.class_weights has them, [labels], with mean 1 over the labelled
/// examples (or tags) of `train`; empty for none. Refuses, naming task.class_weights, another number of
/// weights, text, a label without examples for `balanced`, and answers other than classes and tags.
[[nodiscard]] std::vector<float> class_weights(const TaskConfig& config, const TaskInfo& info,
                                               const TaskSplit& train);

/// Refuses an unknown kind or name and columns that do not fit the kind, with a sentence.
[[nodiscard]] std::unique_ptr<Task> open_task(const TaskConfig& config);

/// Refuses (InputError) files that may be anybody's and are corrupt or malicious, from a child process. To be
/// called before MPI and before threads.
void check_task_files(const TaskConfig& config);

/// Refuses keys for custom datasets (files, labels, columns) where the kind has files of a known form.
void check_task_keys(const TaskConfig& config);

/// `metric`, or the task's first if that is empty. Refuses one that the task does not have.
[[nodiscard]] std::string chosen_metric(const TaskInfo& info, const std::string& metric);

// Each kind's file defines one of these; task_kinds.cpp lists them.
std::unique_ptr<Task> open_glue(const TaskConfig& config);
std::unique_ptr<Task> open_imdb(const TaskConfig& config);
std::unique_ptr<Task> open_classification(const TaskConfig& config);
std::unique_ptr<Task> open_regression(const TaskConfig& config);
std::unique_ptr<Task> open_tokens(const TaskConfig& config);
std::unique_ptr<Task> open_question_answering(const TaskConfig& config);
std::unique_ptr<Task> open_multiple_choice(const TaskConfig& config);
std::unique_ptr<Task> open_embeddings(const TaskConfig& config);
std::unique_ptr<Task> open_lra(const TaskConfig& config);
void check_lra_files(const TaskConfig& config);

}  // namespace nystrom
