#pragma once
// Fixture of tasks: writes their files into a folder, loads splits of them, catches what is refused.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "data/tasks/scores.h"
#include "data/tasks/task.h"
#include "data/tokenizer/training.h"
#include "kernels/core/check.h"
#include "letter_tokenizer.h"
#include "temporary_folder.h"

namespace nystrom::testing {

namespace fs = std::filesystem;

class Tasks : public ::testing::Test {
 protected:
  void write(const std::string& name, const std::string& text) {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name, std::ios::binary) << text;
  }
  [[nodiscard]] TaskConfig config(const std::string& kind, const std::string& name = "") const {
    TaskConfig c;
    c.kind = kind;
    c.name = name;
    c.path = folder_.string();
    return c;
  }
  static const TextEncoder& encoder() {
    static const TextEncoder encoder(letter_tokenizer(), 24);
    return encoder;
  }
  /// The only one of a task's splits.
  static std::unique_ptr<TaskSplit> one(Task& task, Split split) {
    auto splits = task.load(split, encoder());
    EXPECT_EQ(splits.size(), 1U);
    return std::move(splits.at(0));
  }
  /// The sentence with which loading the training split is refused.
  static std::string refusal(const TaskConfig& config, Split split = Split::kTrain) {
    try {
      const auto task = open_task(config);
      if (split != Split::kTrain) (void)task->load(Split::kTrain, encoder());
      (void)task->load(split, encoder());
    } catch (const InputError& error) {
      return error.what();
    }
    return "not refused";
  }
  static std::string text_of(const TaskSequence& sequence) {
    return encoder().tokenizer().decode(sequence.ids);
  }

  TemporaryFolder root_;
  const fs::path folder_ = root_.path();
};

inline Outputs outputs_of(const std::vector<std::vector<float>>& rows) {
  Outputs outputs;
  for (const auto& row : rows) outputs.append(row);
  return outputs;
}

inline double score_of(const std::vector<Score>& scores, const std::string& name) {
  for (const auto& score : scores)
    if (score.name == name) return score.value;
  ADD_FAILURE() << "no score " << name;
  return 0;
}

}  // namespace nystrom::testing
