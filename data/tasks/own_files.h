#pragma once
// Files, columns and held-out examples of custom datasets.

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "data/tasks/task.h"

namespace nystrom {

using Names = std::vector<std::string>;

/// "train", "validation" or "test".
[[nodiscard]] const char* split_name(Split split);

/// The file of a split: task.train, …, below task.path; without these keys and with a folder as task.path,
/// the one file of that name there is in it (train.tsv, .csv, .jsonl, .json, .conll, .conllu, .parquet,
/// .arrow, .txt, perhaps compressed). Empty: none. Refuses a missing training file and a named file that is
/// not there.
[[nodiscard]] std::string own_file(const TaskConfig& config, Split split);

/// What to do with empty cells in the column of labels: those of a test file that has no others mean
/// no labels; elsewhere an empty one is a malformed line, refused or skipped.
void settle_labels(Records& records, std::size_t column, Split split, Malformed malformed);

/// Is a fraction of the training split held out for validation? If task.validation_fraction is above 0 and
/// there is no file for validation.
[[nodiscard]] bool holds_out(const TaskConfig& config);

/// Which of `count` examples are held out: round(fraction * count), chosen by the seed. Refuses a fraction
/// outside [0, 1) and one that takes none or all of them.
[[nodiscard]] std::vector<bool> held_out(const TaskConfig& config, std::size_t count);

/// Keeps the examples of `split`: the held out ones for validation, the others for training.
template <class Example>
void keep_split(std::vector<Example>& examples, const TaskConfig& config, Split split) {
  const std::vector<bool> held = held_out(config, examples.size());
  std::vector<Example> kept;
  for (std::size_t i = 0; i < examples.size(); ++i)
    if (held[i] == (split == Split::kValidation)) kept.push_back(std::move(examples[i]));
  examples = std::move(kept);
}

/// Refuses roles in task.columns that the kind does not know.
void check_columns(const TaskConfig& config, std::initializer_list<std::string_view> roles);

}  // namespace nystrom
