#include "data/tasks/own_files.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numeric>

#include "kernels/core/check.h"
#include "kernels/core/philox.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;

std::string found_in_folder(const TaskConfig& config, Split split) {
  Names names{split_name(split)};
  if (split == Split::kValidation) names.insert(names.end(), {"valid", "dev"});
  for (const auto& name : names)
    for (const char* ending :
         {".tsv", ".csv", ".jsonl", ".json", ".conll", ".conllu", ".parquet", ".arrow", ".txt"})
      for (const char* packed : {"", ".gz", ".bz2", ".xz", ".zst"})
        if (const auto path = fs::path(config.path) / (name + ending + packed); fs::is_regular_file(path))
          return path.string();
  return {};
}

}  // namespace

const char* split_name(Split split) {
  switch (split) {
    case Split::kTrain:
      return "train";
    case Split::kValidation:
      return "validation";
    case Split::kTest:
      return "test";
  }
  return "";
}

std::string own_file(const TaskConfig& config, Split split) {
  const std::string& given = split == Split::kTrain        ? config.train
                             : split == Split::kValidation ? config.validation
                                                           : config.test;
  if (!given.empty()) {
    const std::string path = config.path.empty() ? given : (fs::path(config.path) / given).string();
    if (!fs::is_regular_file(path)) refuse("`task.{}` ({}) is not a file.", split_name(split), path);
    return path;
  }
  std::string path = fs::is_directory(config.path) ? found_in_folder(config, split) : std::string();
  if (path.empty() && split == Split::kTrain)
    refuse(
        "`task.train` is missing: the training file ({} has no train.tsv, .csv, .jsonl, .json, .conll, "
        ".conllu, .parquet, .arrow or .txt).",
        config.path.empty() ? "task.path" : config.path);
  return path;
}

void settle_labels(Records& records, std::size_t column, Split split, Malformed malformed) {
  if (!records.present[column]) return;
  const auto is_empty = [column](const Record& record) { return trimmed_cell(record.cells[column]).empty(); };
  if (split == Split::kTest && std::ranges::all_of(records.rows, is_empty)) {
    records.present[column] = false;
    return;
  }
  for (const auto& record : records.rows) {
    if (!is_empty(record)) continue;
    if (malformed == Malformed::kRefuse)
      refuse("{}, line {}: the label is empty. Fix the line, or set `task.malformed` to skip.", records.path,
             record.line);
    records.malformed.push_back(record.line);
  }
  std::erase_if(records.rows, is_empty);
  if (records.rows.empty()) refuse("{} has no row with a label.", records.path);
}

bool holds_out(const TaskConfig& config) {
  return config.validation_fraction != 0 && own_file(config, Split::kValidation).empty();
}

std::vector<bool> held_out(const TaskConfig& config, std::size_t count) {
  const double fraction = config.validation_fraction;
  if (!(fraction >= 0 && fraction < 1))
    refuse("`task.validation_fraction` is {}; it must be in [0, 1).", fraction);
  const auto taken = static_cast<std::size_t>(std::llround(fraction * static_cast<double>(count)));
  if (fraction > 0 && (taken == 0 || taken == count))
    refuse("`task.validation_fraction` is {}, which holds out {} of {} examples; give another fraction.",
           fraction, taken, count);
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), std::size_t{0});
  Random random(config.seed, Purpose::kTask, 0);
  for (std::size_t i = 0; i < taken; ++i) std::swap(order[i], order[i + random.below(count - i)]);
  std::vector<bool> chosen(count);
  for (std::size_t i = 0; i < taken; ++i) chosen[order[i]] = true;
  return chosen;
}

void check_columns(const TaskConfig& config, std::initializer_list<std::string_view> roles) {
  for (const auto& [role, column] : config.columns)
    if (std::ranges::find(roles, role) == roles.end())
      refuse("`task.columns.{}` does not apply to tasks of kind {}; they have {}.", role, config.kind,
             fmt::join(roles, ", "));
}

}  // namespace nystrom
