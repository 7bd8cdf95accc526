#include "data/tasks/own_files.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>

#include "kernels/core/check.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;

std::string found_in_folder(const TaskConfig& config, Part part) {
  Names names{split_name(part)};
  if (part == Part::kValidation) names.insert(names.end(), {"valid", "dev"});
  for (const auto& name : names)
    for (const char* ending : {".tsv", ".csv", ".jsonl", ".json", ".conll", ".txt"})
      if (const auto path = fs::path(config.path) / (name + ending); fs::is_regular_file(path))
        return path.string();
  return {};
}

}  // namespace

const char* split_name(Part part) {
  switch (part) {
    case Part::kTrain:
      return "train";
    case Part::kValidation:
      return "validation";
    case Part::kTest:
      return "test";
  }
  return "";
}

std::string own_file(const TaskConfig& config, Part part) {
  const std::string& given = part == Part::kTrain        ? config.train
                             : part == Part::kValidation ? config.validation
                                                         : config.test;
  if (!given.empty()) {
    const std::string path = config.path.empty() ? given : (fs::path(config.path) / given).string();
    if (!fs::is_regular_file(path)) refuse("task.{} ({}) is no file.", split_name(part), path);
    return path;
  }
  std::string path = fs::is_directory(config.path) ? found_in_folder(config, part) : std::string();
  if (path.empty() && part == Part::kTrain)
    refuse(
        "task.train is missing: the file to learn from ({} holds no train.tsv, .csv, .jsonl, .json, .conll "
        "or "
        ".txt).",
        config.path.empty() ? "task.path" : config.path);
  return path;
}

void check_columns(const TaskConfig& config, std::initializer_list<std::string_view> roles) {
  for (const auto& [role, column] : config.columns)
    if (std::ranges::find(roles, role) == roles.end())
      refuse("task.columns.{} is no column of a task of kind {}; it has {}.", role, config.kind,
             fmt::join(roles, ", "));
}

}  // namespace nystrom
