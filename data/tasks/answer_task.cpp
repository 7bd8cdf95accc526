// Question answering over SQuAD's files: <s> question </s> context </s>, the answer a stretch of the
// context's tokens. A context that does not fit comes in overlapping windows; a window without the answer,
// and a question without one, points at <s>.

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "data/tasks/examples.h"
#include "data/tasks/metrics/answers.h"
#include "data/tasks/own_files.h"
#include "data/tasks/sequence_answer.h"
#include "data/tasks/squad.h"
#include "kernels/core/check.h"
#include "kernels/core/stage.h"

namespace nystrom {
namespace {

constexpr std::int64_t kMaxQuestionTokens = 64;  // as in BERT's scripts; longer questions are truncated

/// One window: its question, and the offsets of its context tokens in the text.
struct Window {
  std::size_t question = 0;
  std::int32_t first = 0;         // sequence position of the first context token
  std::vector<PieceSpan> pieces;  // the context's tokens in this window
};

struct Candidate {
  std::string text;
  double score = -std::numeric_limits<double>::infinity();
  std::int64_t begin = -1;  // byte of the context; -1: no answer
};

/// Characters (code points) of the first `bytes` of a text.
std::int64_t characters(std::string_view text, std::int64_t bytes) {
  return std::ranges::count_if(text.substr(0, static_cast<std::size_t>(bytes)),
                               [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; });
}

class AnswerSplit final : public TaskSplit {
 public:
  AnswerSplit(std::string name, const TaskConfig& config, SquadFile file, const TextEncoder& encoder)
      : TaskSplit(std::move(name)), config_(config), file_(std::move(file)) {
    labelled_ = file_.answered;
    std::vector<std::vector<PieceSpan>> contexts;
    Stage stage(fmt::format("tokenizing {}", this->name()),
                static_cast<double>(file_.contexts.size() + file_.questions.size()));
    for (const auto& context : file_.contexts) {
      contexts.push_back(encoder.tokenizer().encode_spans(context));
      stage.advance();
    }
    for (std::size_t q = 0; q < file_.questions.size(); ++q) {
      add_question(q, contexts[file_.questions[q].context], encoder);
      stage.advance();
    }
    write_notes(encoder.max_length());
  }
  using TaskSplit::note;

  [[nodiscard]] std::vector<Score> score(const Outputs& outputs) const override {
    const auto answers = best_answers(outputs);
    double exact = 0, f1 = 0;
    for (std::size_t q = 0; q < answers.size(); ++q) {
      std::vector<std::string> truths;
      for (const auto& answer : file_.questions[q].answers) truths.push_back(answer.text);
      const AnswerScore one = score_answer(answers[q].text, truths);
      exact += one.exact;
      f1 += one.f1;
    }
    const auto n = static_cast<double>(answers.size());
    return {{"f1", f1 / n}, {"exact_match", exact / n}};
  }

  [[nodiscard]] PredictionTable predictions(const Outputs& outputs) const override {
    PredictionTable table{{"id", "prediction", "score", "begin", "end"}, {}};
    if (labelled_) table.columns.emplace_back("answers");
    const auto answers = best_answers(outputs);
    for (std::size_t q = 0; q < answers.size(); ++q) {
      std::vector<std::string> row{file_.questions[q].id, answers[q].text,
                                   number_text(static_cast<float>(answers[q].score))};
      for (const std::int64_t at : place_of(file_.questions[q], answers[q]))
        row.push_back(std::to_string(at));
      std::string truths;
      for (const auto& answer : file_.questions[q].answers)
        truths += (truths.empty() ? "" : " | ") + answer.text;
      if (labelled_) row.push_back(truths);
      table.rows.push_back(std::move(row));
    }
    return table;
  }

 private:
  /// The answer's characters [begin, end) of the context; -1, -1 where there is none.
  [[nodiscard]] std::array<std::int64_t, 2> place_of(const SquadQuestion& question,
                                                     const Candidate& answer) const {
    if (answer.begin < 0) return {-1, -1};
    const std::int64_t begin = characters(file_.contexts[question.context], answer.begin);
    return {begin, begin + characters(answer.text, static_cast<std::int64_t>(answer.text.size()))};
  }

  void add_question(std::size_t q, const std::vector<PieceSpan>& context, const TextEncoder& encoder) {
    auto ids = encoder.tokenizer().encode(file_.questions[q].question);
    const auto max_ids = static_cast<std::size_t>(std::min(kMaxQuestionTokens, encoder.max_length() / 2));
    if (ids.size() > max_ids) ++questions_cut_;
    ids.resize(std::min(ids.size(), max_ids));
    const std::size_t room = static_cast<std::size_t>(encoder.max_length()) - 3 - ids.size();
    const std::size_t stride = room - std::min(static_cast<std::size_t>(config_.window_overlap), room / 2);
    for (std::size_t begin = 0;; begin += stride) {
      const std::size_t count = std::min(room, context.size() - begin);
      add_window(q, ids, std::span(context).subspan(begin, count), encoder.tokenizer().special());
      if (begin + count >= context.size()) break;
    }
  }

  void add_window(std::size_t q, const std::vector<std::int32_t>& question, std::span<const PieceSpan> pieces,
                  const SpecialIds& special) {
    std::vector<std::int32_t> ids;
    for (const auto& piece : pieces) ids.push_back(piece.id);
    TaskSequence sequence = joined(special, question, ids);
    Window window{q, sequence.second, {pieces.begin(), pieces.end()}};
    const auto& answers = file_.questions[q].answers;
    const auto placed = std::ranges::find_if(answers, [](const Answer& a) { return a.begin >= 0; });
    // A question whose answers are not where its file says is scored by their text, but not trained on.
    if (labelled_ && (answers.empty() || placed != answers.end())) sequence.label = sequence.end = 0;
    if (labelled_ && placed != answers.end()) locate(*placed, window, sequence);
    sequences_.push_back(std::move(sequence));
    windows_.push_back(std::move(window));
  }

  /// The tokens that hold the answer's first and last byte, if both are in the window.
  static void locate(const Answer& answer, const Window& window, TaskSequence& sequence) {
    const std::int64_t last = answer.begin + static_cast<std::int64_t>(answer.text.size()) - 1;
    std::int32_t start = -1, end = -1;
    for (std::size_t t = 0; t < window.pieces.size(); ++t) {
      const PieceSpan& piece = window.pieces[t];
      if (piece.begin <= answer.begin && answer.begin < piece.end)
        start = window.first + static_cast<std::int32_t>(t);
      if (piece.begin <= last && last < piece.end) end = window.first + static_cast<std::int32_t>(t);
    }
    if (start < 0 || end < start) return;
    sequence.label = start;
    sequence.end = end;
  }

  /// The best stretch of each question over its windows; "" where pointing at <s> scores higher and the file
  /// has unanswerable questions, and where the context is empty.
  [[nodiscard]] std::vector<Candidate> best_answers(const Outputs& outputs) const {
    NYSTROM_CHECK(outputs.size() == windows_.size(), "{} outputs of {} windows", outputs.size(),
                  windows_.size());
    std::vector<Candidate> best(file_.questions.size());
    std::vector<double> none(file_.questions.size(), std::numeric_limits<double>::infinity());
    for (std::size_t w = 0; w < windows_.size(); ++w) {
      const std::size_t q = windows_[w].question;
      const auto logits = outputs[w];
      none[q] = std::min(none[q], static_cast<double>(logits[0]) + static_cast<double>(logits[1]));
      Candidate candidate = best_stretch(windows_[w], logits);
      if (candidate.score > best[q].score) best[q] = std::move(candidate);
    }
    for (std::size_t q = 0; q < best.size(); ++q)
      if ((file_.unanswerable || best[q].begin < 0) && none[q] >= best[q].score) best[q] = {"", none[q], -1};
    return best;
  }

  [[nodiscard]] Candidate best_stretch(const Window& window, std::span<const float> logits) const {
    const auto count = window.pieces.size(), first = static_cast<std::size_t>(window.first);
    const auto longest = static_cast<std::size_t>(config_.max_answer_tokens);
    std::size_t best_start = 0, best_end = 0;
    double best = -std::numeric_limits<double>::infinity();
    for (std::size_t s = 0; s < count; ++s)
      for (std::size_t e = s; e < std::min(count, s + longest); ++e) {
        const double score =
            static_cast<double>(logits[2 * (first + s)]) + static_cast<double>(logits[2 * (first + e) + 1]);
        if (score <= best) continue;
        best = score;
        best_start = s;
        best_end = e;
      }
    if (count == 0) return {};
    const std::string& context = file_.contexts[file_.questions[window.question].context];
    const auto begin = static_cast<std::size_t>(window.pieces[best_start].begin);
    const auto end = static_cast<std::size_t>(window.pieces[best_end].end);
    const std::string_view stretch = std::string_view(context).substr(begin, end - begin);
    std::string text = trimmed_cell(stretch);
    const std::size_t at = begin + (text.empty() ? 0 : stretch.find(text));
    return {std::move(text), best, static_cast<std::int64_t>(at)};
  }

  void write_notes(std::int64_t max_length) {
    if (windows_.size() > file_.questions.size())
      notes_.push_back(fmt::format("{}: {} questions became {} windows of at most {} tokens.", name_,
                                   file_.questions.size(), windows_.size(), max_length));
    if (questions_cut_ > 0)
      notes_.push_back(fmt::format("{}: {} questions were truncated to {} tokens.", name_, questions_cut_,
                                   std::min(kMaxQuestionTokens, max_length / 2)));
    if (file_.misplaced > 0)
      notes_.push_back(
          fmt::format("{}: {} answers are not at their offset in the context; they are scored, "
                      "but not used for training.",
                      name_, file_.misplaced));
  }

  TaskConfig config_;
  SquadFile file_;
  std::vector<Window> windows_;  // one a sequence
  std::int64_t questions_cut_ = 0;
};

class AnswerTask final : public Task {
 public:
  explicit AnswerTask(const TaskConfig& config) : config_(config) {
    if (config.max_answer_tokens < 1)
      refuse("`task.max_answer_tokens` is {}; it must be at least 1.", config.max_answer_tokens);
    if (config.window_overlap < 0)
      refuse("`task.window_overlap` is {}; it must be at least 0.", config.window_overlap);
    info_ = {.name = config.name.empty() ? config.kind : config.name,
             .answer = AnswerKind::kSpan,
             .metrics = {"f1", "exact_match"},
             .unanswerable = config.unanswerable};
    check_columns(config, {});
  }

  Splits load(Split split, const TextEncoder& encoder) override {
    Splits splits;
    const bool fraction = split != Split::kTest && holds_out(config_);
    const std::string path = own_file(config_, fraction ? Split::kTrain : split);
    if (path.empty()) return splits;
    SquadFile file = read_squad(path);
    if (split == Split::kTrain) {
      info_.unanswerable = info_.unanswerable || file.unanswerable;
      if (!teaches(file))
        refuse(
            "{} has no training targets: no question has an answer at its offset in the context, and none is "
            "marked as unanswerable.",
            path);
    }
    file.unanswerable = file.unanswerable || info_.unanswerable;
    if (fraction) keep_contexts(file, split);
    splits.push_back(std::make_unique<AnswerSplit>(split_name(split), config_, std::move(file), encoder));
    return splits;
  }

 private:
  [[nodiscard]] static bool teaches(const SquadFile& file) {
    return file.unanswerable || std::ranges::any_of(file.questions, [](const SquadQuestion& question) {
             return std::ranges::any_of(question.answers, [](const Answer& a) { return a.begin >= 0; });
           });
  }

  /// Validation holds out whole contexts, so that none is seen in training.
  void keep_contexts(SquadFile& file, Split split) const {
    const std::vector<bool> held = held_out(config_, file.contexts.size());
    std::erase_if(file.questions, [&](const SquadQuestion& question) {
      return held[question.context] != (split == Split::kValidation);
    });
  }

  TaskConfig config_;
};

}  // namespace

std::unique_ptr<TaskSplit> make_answer_split(std::string name, const TaskConfig& config, SquadFile questions,
                                             const TextEncoder& encoder) {
  return std::make_unique<AnswerSplit>(std::move(name), config, std::move(questions), encoder);
}

std::unique_ptr<Task> open_question_answering(const TaskConfig& config) {
  return std::make_unique<AnswerTask>(config);
}

}  // namespace nystrom
