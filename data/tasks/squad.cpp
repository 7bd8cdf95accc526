#include "data/tasks/squad.h"

#include "data/tasks/records.h"
#include "kernels/core/check.h"
#include "kernels/core/json.h"
#include "kernels/core/stage.h"

namespace nystrom {
namespace {

using Json = nlohmann::json;

/// Byte of each code point of valid UTF-8, and of the end.
std::vector<std::int64_t> code_points(const std::string& text) {
  std::vector<std::int64_t> at;
  for (std::size_t i = 0; i < text.size(); i += utf8_sequence(std::string_view(text).substr(i)))
    at.push_back(static_cast<std::int64_t>(i));
  at.push_back(static_cast<std::int64_t>(text.size()));
  return at;
}

class Reader {
 public:
  explicit Reader(std::string path) : path_(std::move(path)) {}

  SquadFile read() {
    std::int64_t lone_surrogates = 0;
    const Json root = try_parse_python_json(read_text_file(path_, file_.repairs), lone_surrogates);
    file_.repairs.invalid_bytes += kSurrogateBytes * lone_surrogates;
    if (!root.is_object() || !root.contains("data") || !root["data"].is_array())
      refuse("{} is not a SQuAD file: it is not a JSON object with an array `data`.", path_);
    for (const Json& article : root["data"])
      for (const Json& paragraph : array(article, "paragraphs", "an article")) take(paragraph);
    if (file_.questions.empty()) refuse("{} has no questions.", path_);
    return std::move(file_);
  }

 private:
  const Json& array(const Json& object, const char* key, const std::string& where) const {
    if (!object.is_object() || !object.contains(key) || !object[key].is_array())
      refuse("{}: {} has no array `{}`.", path_, where, key);
    return object[key];
  }
  std::string text(const Json& object, const char* key, const std::string& where) const {
    if (!object.is_object() || !object.contains(key) || !object[key].is_string())
      refuse("{}: {} has no text `{}`.", path_, where, key);
    return object[key].get<std::string>();
  }

  /// Some converters number the questions.
  std::string id(const Json& question, const std::string& where) const {
    if (question.is_object() && question.contains("id") && question["id"].is_number_integer())
      return question["id"].dump();
    return text(question, "id", where);
  }

  void take(const Json& paragraph) {
    const std::string where = fmt::format("paragraph {}", file_.contexts.size() + 1);
    Repairs& repairs = file_.repairs;
    file_.contexts.push_back(repair_utf8(text(paragraph, "context", where), repairs));
    points_ = code_points(file_.contexts.back());
    for (const Json& qa : array(paragraph, "qas", where)) take_question(qa, where);
  }

  void take_question(const Json& qa, const std::string& paragraph) {
    SquadQuestion question{.id = id(qa, "a question of " + paragraph),
                           .question = {},
                           .context = file_.contexts.size() - 1,
                           .answers = {}};
    const std::string where = "question " + question.id;
    question.question = repair_utf8(text(qa, "question", where), file_.repairs);
    if (qa.contains("is_impossible") && qa["is_impossible"].is_boolean()) {
      file_.answered = true;
      file_.unanswerable = file_.unanswerable || qa["is_impossible"].get<bool>();
    }
    if (qa.contains("answers"))
      for (const Json& answer : array(qa, "answers", where)) take_answer(answer, where, question);
    file_.answered = file_.answered || !question.answers.empty();
    file_.questions.push_back(std::move(question));
  }

  void take_answer(const Json& json, const std::string& where, SquadQuestion& question) {
    Answer answer{text(json, "text", "an answer of " + where), 0};
    if (!json.contains("answer_start") || !json["answer_start"].is_number_integer())
      refuse("{}: an answer of {} has no whole number `answer_start`.", path_, where);
    const auto start = json["answer_start"].get<std::int64_t>();
    const std::string& context = file_.contexts.back();
    if (start < 0 || start >= static_cast<std::int64_t>(points_.size()) - 1 ||
        context.compare(static_cast<std::size_t>(points_[static_cast<std::size_t>(start)]),
                        answer.text.size(), answer.text) != 0) {
      ++file_.misplaced;
      answer.begin = -1;
    } else {
      answer.begin = points_[static_cast<std::size_t>(start)];
    }
    question.answers.push_back(std::move(answer));
  }

  std::string path_;
  SquadFile file_;
  std::vector<std::int64_t> points_;
};

}  // namespace

SquadFile read_squad(const std::string& path) {
  const Stage stage(fmt::format("reading {}", path));
  return Reader(path).read();
}

}  // namespace nystrom
