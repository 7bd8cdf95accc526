#include "launch/predict/task_predictor.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cmath>

#include "data/tasks/examples.h"
#include "data/tasks/sequence_split.h"
#include "launch/config/options.h"
#include "launch/setup/finetune_setup.h"
#include "trainer/batches/micro_batch.h"
#include "trainer/comm/threads.h"
#include "trainer/tasks/task_outputs.h"

namespace nystrom {
namespace {

using Names = std::vector<std::string>;
constexpr std::int64_t kSequencesAtOnce = 128;

AnswerKind answer_of(const ModelSource& source) {
  const HeadConfig& head = source.head();
  switch (head.kind) {
    case HeadKind::kSequenceClassification:
      return head.problem == Problem::kSingleLabel  ? AnswerKind::kClass
             : head.problem == Problem::kMultiLabel ? AnswerKind::kLabels
                                                    : AnswerKind::kValue;
    case HeadKind::kTokenClassification:
      return AnswerKind::kTags;
    case HeadKind::kQuestionAnswering:
      return AnswerKind::kSpan;
    case HeadKind::kMultipleChoice:
      return AnswerKind::kChoice;
    default:
      refuse("{} has a {} head; fine-tune it first, or use --task fill_mask or embeddings.", source.path(),
             entry_of(head.kind).name);
  }
}

TaskInfo info_of(const ModelSource& source, const Names& choices) {
  TaskInfo info{.name = "predict", .answer = answer_of(source), .labels = source.label_names()};
  const std::int64_t labels = source.head().labels;
  if (info.answer == AnswerKind::kValue && labels != 1)
    refuse("{} gives {} numbers an example; predict writes models of one.", source.path(), labels);
  if (info.answer == AnswerKind::kValue || info.answer == AnswerKind::kSpan) info.labels.clear();
  if (std::ssize(info.labels) != labels)
    for (info.labels.clear(); std::ssize(info.labels) < labels;)
      info.labels.push_back(fmt::format("LABEL_{}", info.labels.size()));
  if (info.answer == AnswerKind::kChoice) {
    info.labels.clear();
    info.choices = std::ssize(choices);
  }
  return info;
}

/// The length to which it was fine-tuned, unless the configuration says otherwise.
std::int64_t length_of(const ModelSource& source, const Config& config) {
  const std::int64_t most = source.config().max_positions;
  if (config.data.sequence_length) return sequence_length(config, source.config());
  double trained = 0;
  if (!parse_number(source.setting("data.sequence_length"), trained)) return most;
  return std::min(most, static_cast<std::int64_t>(trained));
}

/// A list as a configuration writes it; none where that is none.
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
    refuse("task.columns.word is `{}`; it is a column's number, from 0, or from -1 backwards.",
           found->second);
  return static_cast<std::int64_t>(number);
}

/// Names of the columns of a model for texts that are not given, neither now nor in its training.
struct UsualColumns {
  Names text, pair, id;
  bool pair_optional = true;
};

/// A task's columns are those that training read. Models of other programs, and those trained on files
/// without columns, take what is usual.
UsualColumns usual_columns(const std::string& kind, const std::string& name) {
  if (kind == "glue") {
    const GlueColumns glue = glue_columns(name);
    return {glue.first, glue.second, {"index", "id", "pairID"}, glue.second.empty()};
  }
  if (kind == "classification" || kind == "regression") return {{"text"}, {"pair"}, {"id"}};
  UsualColumns usual{{"text", "sentence", "sentence1", "question1", "premise", "question"},
                     {"pair", "sentence2", "question2", "hypothesis"},
                     {"id", "index"}};
  if (!kind.empty()) usual.pair.clear();
  return usual;
}

std::vector<std::string> words_of(const std::string& cell) {
  if (cell.starts_with(kElementSeparator))
    return split(std::string_view(cell).substr(std::string_view(kElementSeparator).size()),
                 kElementSeparator);
  std::vector<std::string> words;
  for (std::size_t at = 0; (at = cell.find_first_not_of(" \t", at)) != std::string::npos;) {
    const std::size_t end = std::min(cell.find_first_of(" \t", at), cell.size());
    words.push_back(cell.substr(at, end - at));
    at = end;
  }
  return words;
}

}  // namespace

TaskPredictor::TaskPredictor(const ModelSource& source, Tokenizer tokenizer, const Config& config,
                             bool may_have_no_answer, const Backend& backend, Comm& comm)
    : comm_(comm),
      task_(task_of(source, config)),
      may_have_no_answer_(may_have_no_answer || source.setting("task.unanswerable") == "true"),
      encoder_(std::move(tokenizer), length_of(source, config)),
      device_(open_device(backend, CommKind::kMpi, comm)),  // no gradients: ranks may share a GPU
      context_(device_.context(threads_of_rank(comm, config.run.threads.value_or(0)))),
      network_(source.config(), source.head(), precision(config, backend), /*training=*/false,
               context_.memory()) {
  info_ = info_of(source, task_.choices);
  if (encoder_.tokenizer().vocabulary_size() > source.config().vocabulary_size)
    refuse("The tokenizer has {} tokens, the model of {} embeds {}; they do not belong together.",
           encoder_.tokenizer().vocabulary_size(), source.path(), source.config().vocabulary_size);
  choose_columns(source, config);
  loaded_ = source.load(network_);
  limits_ = {.sequences = std::max(kSequencesAtOnce, info_.choices),
             .tokens = std::max(kTokensAtOnce, encoder_.max_length() * info_.choices),
             .longest = encoder_.max_length(),
             .labels = std::max(kTokensAtOnce, encoder_.max_length())};
  network_.plan(limits_, context_.host_threads());
  buffer_.emplace(limits_, context_);
}

void TaskPredictor::choose_columns(const ModelSource& source, const Config& config) {
  const auto& given = task_options(config).columns;
  const std::string kind = source.setting("task.kind"), pairs = source.setting("task.pair");
  // What a column is called: as --set says, as the model's own files had it, or as usual.
  const auto named = [&](const std::string& role, bool optional, const Names& usual) {
    if (const auto found = given.find(role); found != given.end())
      return InputColumn{role, {found->second}, false};
    const std::string trained = source.setting("task.columns." + role);
    if (!trained.empty() && trained != "auto") return InputColumn{role, {trained}, role == "id"};
    return InputColumn{role, usual, optional};
  };
  // A second text is read where training read one, and then it is needed.
  const auto second = [&](const std::string& role, bool optional, const Names& usual) {
    if (pairs == "false" && given.contains(role))
      refuse("{} was trained without a second text; leave out task.columns.{}.", source.path(), role);
    return pairs == "false" ? InputColumn{role, {}, true} : named(role, optional && pairs.empty(), usual);
  };
  switch (info_.answer) {
    case AnswerKind::kTags:
      columns_ = {{"words", {"words", "tokens", "text", "sentence"}, false}};
      break;
    case AnswerKind::kSpan:
      columns_ = {{"question", {"question"}, false}, {"context", {"context"}, false}, {"id", {"id"}, true}};
      break;
    case AnswerKind::kChoice:
      columns_ = {named("text", false, kind.empty() ? Names{"text", "sent1"} : Names{"sent1"}),
                  second("beginning", true, {"sent2"}),
                  named("id", true, kind.empty() ? Names{"id", "video-id"} : Names{"video-id"})};
      for (const auto& choice : task_.choices) columns_.push_back({choice, {choice}, false});
      break;
    default: {
      const UsualColumns usual = usual_columns(kind, source.setting("task.name"));
      columns_ = {named("text", false, usual.text), second("pair", usual.pair_optional, usual.pair),
                  named("id", true, usual.id)};
      // One column is not both texts because its name is usual for the second.
      if (columns_[1].optional) std::erase(columns_[1].names, columns_[0].names[0]);
    }
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
  AnswerForm form{.format = "tsv", .number_columns = {"score", "begin", "end", "sentence"}};
  if (info_.answer == AnswerKind::kValue || info_.answer == AnswerKind::kChoice)
    form.number_columns.emplace_back("prediction");
  if (info_.answer == AnswerKind::kClass || info_.answer == AnswerKind::kTags) form.labels = info_.labels;
  form.grouped = info_.answer == AnswerKind::kTags;
  return form;
}

SquadFile TaskPredictor::questions_of(InputRows& rows) const {
  SquadFile file;
  file.unanswerable = may_have_no_answer_;
  for (std::size_t i = 0; i < rows.cells.size(); ++i) {
    auto& cells = rows.cells[i];
    if (file.contexts.empty() || file.contexts.back() != cells[1])
      file.contexts.push_back(std::move(cells[1]));
    file.questions.push_back(
        {.id = cells[2].empty() ? std::to_string(rows.first + static_cast<std::int64_t>(i)) : cells[2],
         .question = cells[0],
         .context = file.contexts.size() - 1,
         .answers = {}});
  }
  return file;
}

std::unique_ptr<TaskSplit> TaskPredictor::split_of(InputRows rows) {
  const auto id = [&](std::size_t i, const std::string& given) {
    return given.empty() ? std::to_string(rows.first + static_cast<std::int64_t>(i)) : given;
  };
  if (!rows.encoded.empty()) {
    if (info_.answer == AnswerKind::kSpan || info_.answer == AnswerKind::kTags ||
        info_.answer == AnswerKind::kChoice)
      refuse("Token ids are enough for classes and numbers alone; give this model texts.");
    Names ids;
    for (std::size_t i = 0; i < rows.encoded.size(); ++i) {
      ids.push_back(id(i, {}));
      if (std::ssize(rows.encoded[i].ids) > encoder_.max_length())
        refuse("Example {} has {} tokens; the model takes {}.", ids.back(), rows.encoded[i].ids.size(),
               encoder_.max_length());
      for (const std::int32_t token : rows.encoded[i].ids)
        if (token < 0 || token >= network_.config().vocabulary_size)
          refuse("Example {} holds the token id {}; the model has {} tokens.", ids.back(), token,
                 network_.config().vocabulary_size);
    }
    return std::make_unique<SequenceSplit>("input", info_, std::move(rows.encoded), std::move(ids));
  }
  if (info_.answer == AnswerKind::kSpan)
    return make_answer_split("input", task_, questions_of(rows), encoder_);
  if (info_.answer == AnswerKind::kTags) {
    std::vector<WordExample> sentences;
    for (const auto& cells : rows.cells) sentences.push_back({words_of(cells[0])});
    return make_token_split("input", info_, std::move(sentences), encoder_, rows.first);
  }
  if (info_.answer == AnswerKind::kChoice) {
    std::vector<ChoiceExample> questions;
    for (std::size_t i = 0; i < rows.cells.size(); ++i) {
      auto& cells = rows.cells[i];
      questions.push_back({.id = id(i, cells[2]), .context = cells[0], .beginning = cells[1]});
      questions.back().choices.assign(cells.begin() + 3, cells.end());
    }
    return make_choice_split("input", info_, std::move(questions), encoder_);
  }
  std::vector<TextExample> examples;
  for (std::size_t i = 0; i < rows.cells.size(); ++i) {
    auto& cells = rows.cells[i];
    examples.push_back({.id = id(i, cells[2]), .text = std::move(cells[0])});
    if (rows.present[1]) examples.back().pair = std::move(cells[1]);
  }
  return std::make_unique<SequenceSplit>("input", info_, std::move(examples), encoder_);
}

AnswerPiece TaskPredictor::predict(InputRows rows) {
  AnswerPiece piece;
  for (std::size_t i = 0; i < rows.cells.size() && info_.answer == AnswerKind::kTags; ++i)
    piece.groups.push_back(std::to_string(rows.first + static_cast<std::int64_t>(i)));
  const std::unique_ptr<TaskSplit> split = split_of(std::move(rows));
  examples_ += static_cast<std::int64_t>(split->sequences().size());
  truncated_ += split->truncated();
  const SplitOutputs result =
      compute_outputs(context_, comm_, network_, *buffer_, limits_, *split, info_.answer);
  piece.table = split->predictions(result.outputs);
  return piece;
}

std::vector<std::string> TaskPredictor::notes() const {
  std::vector<std::string> notes = loaded_;
  if (truncated_ > 0)
    notes.push_back(fmt::format("{} of {} sequences had more than {} tokens and were cut.", truncated_,
                                examples_, encoder_.max_length()));
  return notes;
}

}  // namespace nystrom
