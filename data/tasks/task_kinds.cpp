#include "data/tasks/task_kinds.h"

#include <algorithm>
#include <array>

#include "data/tasks/examples.h"

namespace nystrom {
namespace {

TaskColumns columns_of_glue(const std::string& task) {
  GlueColumns columns = glue_columns(task);
  return {.first = columns.first,
          .second = columns.second,
          .id = {"index", "id", "pairID"},
          .second_optional = columns.second.empty()};
}

TaskColumns columns_of_imdb(const std::string&) {
  return {.first = {"text", "sentence", "sentence1", "question1", "premise", "question"},
          .second = {},
          .id = {"id", "index"}};
}

TaskColumns columns_of_texts(const std::string&) {
  return {.first = {"text"}, .second = {"pair"}, .id = {"id"}};
}

TaskColumns columns_of_choices(const std::string&) {
  return {.first = {"sent1"}, .second = {"sent2"}, .id = {"video-id"}};
}

constexpr bool kKnownFiles = false, kOwnFiles = true;
constexpr std::array kKinds{
    TaskKind{"glue", &open_glue, kKnownFiles, &columns_of_glue},
    TaskKind{"imdb", &open_imdb, kKnownFiles, &columns_of_imdb},
    TaskKind{"lra", &open_lra, kKnownFiles, nullptr, 0.1, &check_lra_files},
    TaskKind{"classification", &open_classification, kOwnFiles, &columns_of_texts},
    TaskKind{"regression", &open_regression, kOwnFiles, &columns_of_texts},
    TaskKind{"tokens", &open_tokens, kOwnFiles, nullptr},
    TaskKind{"question_answering", &open_question_answering, kOwnFiles, nullptr},
    TaskKind{"multiple_choice", &open_multiple_choice, kOwnFiles, &columns_of_choices},
    TaskKind{"embeddings", &open_embeddings, kOwnFiles, nullptr},
};

}  // namespace

std::span<const TaskKind> task_kinds() {
  return kKinds;
}

const TaskKind* find_task_kind(std::string_view name) {
  const auto found = std::ranges::find(kKinds, name, &TaskKind::name);
  return found == kKinds.end() ? nullptr : &*found;
}

}  // namespace nystrom
