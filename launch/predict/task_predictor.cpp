#include "launch/predict/task_predictor.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cmath>

#include "data/tasks/sequence_split.h"
#include "data/tasks/task_kinds.h"
#include "launch/config/options.h"
#include "trainer/batches/micro_batch.h"
#include "trainer/comm/threads.h"
#include "trainer/tasks/answers.h"
#include "trainer/tasks/task_outputs.h"

namespace nystrom {
namespace {

using Names = std::vector<std::string>;
using Naming = AnswerColumn::Naming;
constexpr std::int64_t kSequencesAtOnce = 128;

const AnswerEntry& answer_of(const ModelSource& source) {
  const AnswerEntry* answer = find_answer(source.head());
  if (answer == nullptr)
    refuse("{} has a {} head; fine-tune it first, or use `--task fill_mask` or `--task embeddings`.",
           source.path(), entry_of(source.head().kind).name);
  return *answer;
}

TaskInfo info_of(const ModelSource& source, const TaskConfig& task) {
  const AnswerEntry& answer = answer_of(source);
  const std::int64_t logits = source.head().labels;
  TaskInfo info{.name = "predict", .answer = answer.kind};
  if (answer.has_labels()) {
    info.labels = source.label_names();
    if (std::ssize(info.labels) != logits)
      for (info.labels.clear(); std::ssize(info.labels) < logits;)
        info.labels.push_back(fmt::format("LABEL_{}", info.labels.size()));
  } else if (logits != answer.logits && entry_of(source.head().kind).labels_from_config) {
    refuse("{} predicts {} numbers per example; predict supports models with {}.", source.path(), logits,
           answer.logits);
  }
  const auto is_choices = [](const AnswerColumn& column) { return column.naming == Naming::kChoices; };
  if (std::ranges::any_of(answer.columns(), is_choices)) info.choices = std::ssize(task.choices);
  if (answer.kind == AnswerKind::kPair) info.choices = 2;
  info.unanswerable = task.unanswerable;
  return info;
}

/// Sequence length: of the configuration, or else of fine-tuning.
std::int64_t length_of(const ModelSource& source, const Config& config) {
  const std::int64_t max_positions = source.config().max_positions;
  if (config.data.sequence_length) return sequence_length(config, source.config());
  double trained = 0;
  if (!parse_number(source.setting("data.sequence_length"), trained)) return max_positions;
  return std::min(max_positions, static_cast<std::int64_t>(trained));
}

/// A list in YAML; empty if it is not one.
Names list_of(const std::string& yaml) {
  try {
    return YAML::Load(yaml).as<Names>(Names());
  } catch (const YAML::Exception&) {
    return {};
  }
}

TaskConfig task_of(const ModelSource& source, const Config& config) {
  TaskConfig task = task_options(config);
  double number = 0;
  if (!config.gives("task.window_overlap") && parse_number(source.setting("task.window_overlap"), number))
    task.window_overlap = static_cast<std::int64_t>(number);
  if (!config.gives("task.max_answer_tokens") &&
      parse_number(source.setting("task.max_answer_tokens"), number))
    task.max_answer_tokens = static_cast<std::int64_t>(number);
  if (task.choices.empty()) task.choices = list_of(source.setting("task.choices"));
  if (task.choices.empty()) task.choices = {"ending0", "ending1", "ending2", "ending3"};
  if (const auto word = source.setting("task.columns.word"); !word.empty() && word != "auto")
    task.columns.emplace("word", word);  // unless it is given
  if (const auto separator = source.setting("task.label_separator");
      !config.gives("task.label_separator") && !separator.empty())
    task.label_separator = separator;
  return task;
}

std::int64_t word_column(const TaskConfig& task) {
  const auto found = task.columns.find("word");
  double number = 0;
  if (found != task.columns.end() && (!parse_number(found->second, number) || number != std::floor(number)))
    refuse("`task.columns.word` is {}; it is a column's number, from 0, or from -1 backwards.",
           found->second);
  return static_cast<std::int64_t>(number);
}

/// Column names of the input: those of --set, or of the files that the model was trained on, or the usual
/// ones.
class ColumnFinder {
 public:
  ColumnFinder(const ModelSource& source, std::map<std::string, std::string> given)
      : source_(source), given_(std::move(given)), pairs_(source.setting("task.pair")) {
    const TaskKind* kind = find_task_kind(source.setting("task.kind"));
    if (kind != nullptr && kind->columns != nullptr) trained_ = kind->columns(source.setting("task.name"));
  }

  [[nodiscard]] InputColumn find(const AnswerColumn& column) const {
    const std::string role(column.role);
    if (column.naming == Naming::kFixed) return {role, column.usual_names, column.optional};
    const auto given = given_.find(role);
    const bool second = column.naming == Naming::kSecond;
    if (second && pairs_ == "false") {
      if (given != given_.end())
        refuse("{} was trained without a second text; leave out `task.columns.{}`.", source_.path(), role);
      return {role, {}, true};
    }
    if (given != given_.end()) return {role, {given->second}, false};
    const std::string trained = source_.setting("task.columns." + role);
    if (!trained.empty() && trained != "auto") return {role, {trained}, role == "id"};
    return usual(column);
  }

 private:
  [[nodiscard]] InputColumn usual(const AnswerColumn& column) const {
    InputColumn input{std::string(column.role), column.usual_names, column.optional};
    const bool second = column.naming == Naming::kSecond;
    if (trained_)
      input.names = second ? trained_->second : input.role == "id" ? trained_->id : trained_->first;
    if (second && trained_) input.optional = trained_->second_optional;
    // A second text is needed where training read one.
    if (second) input.optional = input.optional && pairs_.empty();
    return input;
  }

  const ModelSource& source_;
  std::map<std::string, std::string> given_;
  std::string pairs_;  // did training read a second text? "true", "false", or not known
  std::optional<TaskColumns> trained_;
};

}  // namespace

TaskPredictor::TaskPredictor(const ModelSource& source, Tokenizer tokenizer, const Config& config,
                             bool may_have_no_answer, const Backend& backend, Comm& comm)
    : comm_(comm),
      task_(task_of(source, config)),
      encoder_(std::move(tokenizer), length_of(source, config)),
      session_(open_device(backend, CommKind::kMpi, comm),  // no gradients: ranks may share a GPU
               threads_of_rank(comm, config.run.threads.value_or(0)),
               {.model = source.config(), .head = source.head(), .precision = precision(config, backend)}) {
  task_.unanswerable = may_have_no_answer || source.setting("task.unanswerable") == "true";
  info_ = info_of(source, task_);
  if (encoder_.tokenizer().vocabulary_size() > source.config().vocabulary_size)
    refuse("The tokenizer has {} tokens, but the model of {} embeds {}: they do not belong together.",
           encoder_.tokenizer().vocabulary_size(), source.path(), source.config().vocabulary_size);
  choose_columns(source, config);
  loaded_ = source.load(session_.network);
  session_.plan({.sequences = std::max(kSequencesAtOnce, info_.choices),
                 .tokens = std::max(kTokensAtOnce, encoder_.max_length() * info_.choices),
                 .longest = encoder_.max_length(),
                 .labels = std::max(kTokensAtOnce, encoder_.max_length())});
}

void TaskPredictor::choose_columns(const ModelSource& source, const Config& config) {
  const ColumnFinder finder(source, task_options(config).columns);
  for (const AnswerColumn& column : entry_of(info_.answer).columns()) {
    if (column.naming == Naming::kChoices) {
      for (const auto& choice : task_.choices) columns_.push_back({choice, {choice}, false});
      continue;
    }
    InputColumn found = finder.find(column);
    // One column is not both texts because its name is usual for the second.
    if (column.naming == Naming::kSecond && found.optional)
      std::erase(found.names, columns_.front().names.front());
    columns_.push_back(std::move(found));
  }
}

InputOptions TaskPredictor::input() const {
  return {.path = {},
          .columns = columns_,
          .malformed = task_.malformed,
          .separator = task_.label_separator,
          .word_column = word_column(task_)};
}

AnswerForm TaskPredictor::form() const {
  const AnswerEntry& answer = entry_of(info_.answer);
  AnswerForm form{
      .format = "tsv", .number_columns = {"score"}, .integer_columns = {"begin", "end", "sentence"}};
  if (answer.predicts_number) form.number_columns.emplace_back("prediction");
  if (answer.predicts_label) form.labels = info_.labels;
  form.grouped = answer.has_rows_per_element;
  return form;
}

std::unique_ptr<TaskSplit> TaskPredictor::split_of(InputRows rows) const {
  const AnswerEntry& answer = entry_of(info_.answer);
  AnswerExamples examples{info_, task_, encoder_, rows.first, rows.present, rows.cells};
  if (rows.encoded.empty()) return answer.make_split(std::move(examples));
  if (!answer.takes_token_ids)
    refuse("This model needs texts: token ids are accepted for classes and numbers only.");
  Names ids;
  for (std::size_t i = 0; i < rows.encoded.size(); ++i) {
    ids.push_back(examples.id(i));
    if (std::ssize(rows.encoded[i].ids) > encoder_.max_length())
      refuse("Example {} has {} tokens; the model takes {}.", ids.back(), rows.encoded[i].ids.size(),
             encoder_.max_length());
    for (const std::int32_t token : rows.encoded[i].ids)
      if (token < 0 || token >= session_.network.config().vocabulary_size)
        refuse("Example {} holds the token id {}; the model has {} tokens.", ids.back(), token,
               session_.network.config().vocabulary_size);
  }
  return std::make_unique<SequenceSplit>("input", info_, std::move(rows.encoded), std::move(ids));
}

AnswerPiece TaskPredictor::predict(InputRows rows) {
  AnswerPiece piece;
  const bool grouped = entry_of(info_.answer).has_rows_per_element;
  for (std::size_t i = 0; i < rows.cells.size() && grouped; ++i)
    piece.groups.push_back(std::to_string(rows.first + static_cast<std::int64_t>(i)));
  const std::unique_ptr<TaskSplit> split = split_of(std::move(rows));
  examples_ += static_cast<std::int64_t>(split->sequences().size());
  truncated_ += split->truncated();
  const SplitOutputs result = compute_outputs(session_, comm_, *split, info_.answer);
  piece.table = split->predictions(result.outputs);
  return piece;
}

std::vector<std::string> TaskPredictor::notes() const {
  std::vector<std::string> notes = loaded_;
  if (truncated_ > 0)
    notes.push_back(fmt::format("{} of {} sequences had more than {} tokens and were truncated.", truncated_,
                                examples_, encoder_.max_length()));
  return notes;
}

}  // namespace nystrom
