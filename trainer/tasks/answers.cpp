#include "trainer/tasks/answers.h"

#include <algorithm>
#include <array>
#include <utility>

#include "data/tasks/examples.h"
#include "data/tasks/sequence_split.h"
#include "kernels/core/check.h"
#include "model/heads/head_registry.h"

namespace nystrom {
namespace {

using enum AnswerColumn::Naming;
using Columns = std::vector<AnswerColumn>;
using Sizes = std::vector<std::size_t>;

std::size_t count_sequences(const HostBatch& batch) {
  return static_cast<std::size_t>(batch.sequences());
}

// One label, or one number, for each class of a sequence.

void append_class(const TaskSequence& sequence, std::size_t, HostBatch& to) {
  to.sequence_labels.push_back(sequence.label);
}

Sizes sizes_of_sequences(const HostBatch& batch, const TaskSplit&, std::size_t labels) {
  return Sizes(count_sequences(batch), labels);
}

Columns columns_of_texts() {
  return {{"text", kRole, false, {"text", "sentence", "sentence1", "question1", "premise", "question"}},
          {"pair", kSecond, true, {"pair", "sentence2", "question2", "hypothesis"}},
          {"id", kRole, true, {"id", "index"}}};
}

std::unique_ptr<TaskSplit> split_of_texts(AnswerExamples examples) {
  std::vector<TextExample> texts;
  for (std::size_t i = 0; i < examples.cells.size(); ++i) {
    auto& cells = examples.cells[i];
    texts.push_back({.id = examples.id(i, cells[2]), .text = std::move(cells[0])});
    if (examples.present[1]) texts.back().pair = std::move(cells[1]);
  }
  return std::make_unique<SequenceSplit>("input", examples.info, std::move(texts), examples.encoder);
}

// A label for each word.

Sizes sizes_of_tags(const HostBatch& batch, const TaskSplit&, std::size_t labels) {
  Sizes sizes;
  for (std::size_t i = 0; i < count_sequences(batch); ++i)
    sizes.push_back(labels *
                    static_cast<std::size_t>(std::ranges::count_if(batch.label_rows, [&](std::int32_t row) {
                      return row >= batch.offsets[i] && row < batch.offsets[i + 1];
                    })));
  return sizes;
}

Columns columns_of_words() {
  return {{"words", kFixed, false, {"words", "tokens", "text", "sentence"}}};
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

std::unique_ptr<TaskSplit> split_of_words(AnswerExamples examples) {
  std::vector<WordExample> sentences;
  for (const auto& cells : examples.cells) sentences.push_back({words_of(cells[0])});
  return make_token_split("input", examples.info, std::move(sentences), examples.encoder, examples.first);
}

// First and last token of an answer in the context.

void append_span(const TaskSequence& sequence, std::size_t, HostBatch& to) {
  to.sequence_labels.push_back(sequence.label);
  to.sequence_ends.push_back(sequence.end);
}

Sizes sizes_of_spans(const HostBatch& batch, const TaskSplit&, std::size_t) {
  Sizes sizes;
  for (std::size_t i = 0; i < count_sequences(batch); ++i)
    sizes.push_back(2 * static_cast<std::size_t>(batch.lengths[i]));
  return sizes;
}

Columns columns_of_questions() {
  return {{"question", kFixed, false, {"question"}},
          {"context", kFixed, false, {"context"}},
          {"id", kFixed, true, {"id"}}};
}

std::unique_ptr<TaskSplit> split_of_questions(AnswerExamples examples) {
  SquadFile file;
  file.unanswerable = examples.info.unanswerable;
  for (std::size_t i = 0; i < examples.cells.size(); ++i) {
    auto& cells = examples.cells[i];
    if (file.contexts.empty() || file.contexts.back() != cells[1])
      file.contexts.push_back(std::move(cells[1]));
    file.questions.push_back({.id = examples.id(i, cells[2]),
                              .question = cells[0],
                              .context = file.contexts.size() - 1,
                              .answers = {}});
  }
  return make_answer_split("input", examples.config, std::move(file), examples.encoder);
}

// One of a row's sequences.

void append_choice(const TaskSequence& sequence, std::size_t choice, HostBatch& to) {
  if (choice == 0) to.sequence_labels.push_back(sequence.label);
}

Sizes sizes_of_choices(const HostBatch& batch, const TaskSplit& split, std::size_t) {
  const auto choices = static_cast<std::size_t>(split.choices());
  return Sizes(count_sequences(batch) / choices, choices);
}

Columns columns_of_choices() {
  return {{"text", kRole, false, {"text", "sent1"}},
          {"beginning", kSecond, true, {"sent2"}},
          {"id", kRole, true, {"id", "video-id"}},
          {"choices", kChoices}};
}

std::unique_ptr<TaskSplit> split_of_choices(AnswerExamples examples) {
  std::vector<ChoiceExample> questions;
  for (std::size_t i = 0; i < examples.cells.size(); ++i) {
    auto& cells = examples.cells[i];
    questions.push_back({.id = examples.id(i, cells[2]), .context = cells[0], .beginning = cells[1]});
    questions.back().choices.assign(cells.begin() + 3, cells.end());
  }
  return make_choice_split("input", examples.info, std::move(questions), examples.encoder);
}

// One class for the two sequences of a row.

Sizes sizes_of_pairs(const HostBatch& batch, const TaskSplit&, std::size_t labels) {
  return Sizes(count_sequences(batch) / 2, labels);
}

Columns columns_of_pairs() {
  Columns columns = columns_of_texts();
  columns[1].optional = false;
  return columns;
}

std::unique_ptr<TaskSplit> split_of_pairs(AnswerExamples examples) {
  std::vector<TextExample> pairs;
  for (std::size_t i = 0; i < examples.cells.size(); ++i) {
    auto& cells = examples.cells[i];
    pairs.push_back(
        {.id = examples.id(i, cells[2]), .text = std::move(cells[0]), .pair = std::move(cells[1])});
  }
  return make_pair_split("input", examples.info, std::move(pairs), examples.encoder);
}

// A vector for each sequence of a row. `predict` writes the vectors of single texts without a task.

Sizes sizes_of_vectors(const HostBatch& batch, const TaskSplit& split, std::size_t width) {
  const auto row_sequences = static_cast<std::size_t>(split.choices());
  return Sizes(count_sequences(batch) / row_sequences, row_sequences * width);
}

constexpr AnswerEntry of_texts(AnswerKind kind, Problem problem, std::int64_t logits) {
  const bool one_class = problem == Problem::kSingleLabel;
  return {.kind = kind,
          .head = HeadKind::kSequenceClassification,
          .problem = problem,
          .logits = logits,
          .append_labels = one_class ? &append_class : nullptr,
          .entry_sizes = &sizes_of_sequences,
          .columns = &columns_of_texts,
          .make_split = &split_of_texts,
          .takes_token_ids = true,
          .predicts_label = one_class,
          .predicts_number = problem == Problem::kRegression,
          .has_rows_per_element = false};
}

constexpr std::array kAnswers{
    of_texts(AnswerKind::kClass, Problem::kSingleLabel, 0),
    of_texts(AnswerKind::kLabels, Problem::kMultiLabel, 0),
    of_texts(AnswerKind::kValue, Problem::kRegression, 1),
    AnswerEntry{.kind = AnswerKind::kTags,
                .head = HeadKind::kTokenClassification,
                .problem = Problem::kSingleLabel,
                .logits = 0,
                .append_labels = nullptr,
                .entry_sizes = &sizes_of_tags,
                .columns = &columns_of_words,
                .make_split = &split_of_words,
                .takes_token_ids = false,
                .predicts_label = true,
                .predicts_number = false,
                .has_rows_per_element = true},
    AnswerEntry{.kind = AnswerKind::kSpan,
                .head = HeadKind::kQuestionAnswering,
                .problem = Problem::kSingleLabel,
                .logits = 2,
                .append_labels = &append_span,
                .entry_sizes = &sizes_of_spans,
                .columns = &columns_of_questions,
                .make_split = &split_of_questions,
                .takes_token_ids = false,
                .predicts_label = false,
                .predicts_number = false,
                .has_rows_per_element = false},
    AnswerEntry{.kind = AnswerKind::kChoice,
                .head = HeadKind::kMultipleChoice,
                .problem = Problem::kSingleLabel,
                .logits = 1,
                .append_labels = &append_choice,
                .entry_sizes = &sizes_of_choices,
                .columns = &columns_of_choices,
                .make_split = &split_of_choices,
                .takes_token_ids = false,
                .predicts_label = false,
                .predicts_number = true,
                .has_rows_per_element = false},
    AnswerEntry{.kind = AnswerKind::kPair,
                .head = HeadKind::kPairClassification,
                .problem = Problem::kSingleLabel,
                .logits = 0,
                .append_labels = &append_choice,
                .entry_sizes = &sizes_of_pairs,
                .columns = &columns_of_pairs,
                .make_split = &split_of_pairs,
                .takes_token_ids = false,
                .predicts_label = true,
                .predicts_number = false,
                .has_rows_per_element = false},
    AnswerEntry{.kind = AnswerKind::kVector,
                .head = HeadKind::kEmbedding,
                .problem = Problem::kSingleLabel,
                .logits = 1,
                .append_labels = nullptr,
                .entry_sizes = &sizes_of_vectors,
                .columns = nullptr,
                .make_split = nullptr,
                .takes_token_ids = false,
                .predicts_label = false,
                .predicts_number = false,
                .has_rows_per_element = false},
};

}  // namespace

std::string AnswerExamples::id(std::size_t example, const std::string& given) const {
  return given.empty() ? std::to_string(first + static_cast<std::int64_t>(example)) : given;
}

std::span<const AnswerEntry> answer_registry() {
  return kAnswers;
}

const AnswerEntry& entry_of(AnswerKind kind) {
  const auto found = std::ranges::find(kAnswers, kind, &AnswerEntry::kind);
  NYSTROM_CHECK(found != kAnswers.end(), "answer kind {} is not registered", static_cast<int>(kind));
  return *found;
}

const AnswerEntry* find_answer(const HeadConfig& head) {
  const bool has_problem = entry_of(head.kind).has_problem;
  const auto found = std::ranges::find_if(kAnswers, [&](const AnswerEntry& entry) {
    return entry.head == head.kind && (!has_problem || entry.problem == head.problem);
  });
  return found == kAnswers.end() ? nullptr : &*found;
}

HeadConfig head_for(const TaskInfo& info) {
  const AnswerEntry& answer = entry_of(info.answer);
  return {answer.head, answer.has_labels() ? std::ssize(info.labels) : answer.logits, answer.problem};
}

}  // namespace nystrom
