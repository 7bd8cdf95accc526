#pragma once
// Fixture of the Long Range Arena: official files in miniature.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "data/pictures/png.h"
#include "data/tasks/task.h"
#include "kernels/core/check.h"
#include "temporary_folder.h"

namespace nystrom::testing {

namespace fs = std::filesystem;
using Ids = std::vector<std::int32_t>;

class LongRangeArena : public ::testing::Test {
 protected:
  void write(const std::string& name, const std::string& bytes) const {
    const fs::path path = folder_ / name;
    fs::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << bytes;
  }
  [[nodiscard]] TaskConfig config(const std::string& name, const std::string& path = "") const {
    TaskConfig c;
    c.kind = "lra";
    c.name = name;
    c.path = path.empty() ? folder_.path() : path;
    c.validation_fraction = 0.1;
    return c;
  }
  static std::unique_ptr<TaskSplit> load(Task& task, Split split, std::int64_t length = 8000) {
    auto splits = task.load(split, TextEncoder({}, length));
    return splits.empty() ? nullptr : std::move(splits.at(0));
  }
  static std::unique_ptr<TaskSplit> load(const TaskConfig& config, Split split = Split::kTrain,
                                         std::int64_t length = 8000) {
    return load(*open_task(config), split, length);
  }
  static std::string refusal(const TaskConfig& config, Split split = Split::kTrain,
                             std::int64_t length = 8000) {
    try {
      (void)load(config, split, length);
    } catch (const InputError& error) {
      return error.what();
    }
    return "not refused";
  }
  static std::vector<std::int64_t> class_counts(const TaskSplit& split, std::size_t classes) {
    std::vector<std::int64_t> counts(classes);
    for (std::size_t i = 0; i < split.sequence_count(); i += static_cast<std::size_t>(split.choices()))
      ++counts[static_cast<std::size_t>(split.label_of(i))];
    return counts;
  }

  void write_listops(const std::string& folder, const std::string& train) const {
    write(folder + "/basic_train.tsv", "Source\tTarget\r\n" + train);
    write(folder + "/basic_val.tsv", "Source\tTarget\r\n3\t3\r\n");
    write(folder + "/basic_test.tsv", "Source\tTarget\r\n( ( ( [MIN 0 ) 4 ) ] )\t0\r\n");
  }
  void write_pathfinder(const std::string& folder, int pictures) const {
    std::string lines;
    for (int i = 0; i < pictures; ++i) {
      write(fmt::format("{}/imgs/0/sample_{}.png", folder, i), png_of(static_cast<std::uint8_t>(i + 1)));
      lines += fmt::format("imgs/0 sample_{}.png {} {} 1.0 9 3 2 0.5 1 1\n", i, i, i % 2);
    }
    write(folder + "/metadata/0.npy", lines);
  }
  static std::string png_of(std::uint8_t level) { return png_bytes({2, 2, {0, level, level, 0}}); }

  TemporaryFolder folder_{fast_place()};
};

}  // namespace nystrom::testing
