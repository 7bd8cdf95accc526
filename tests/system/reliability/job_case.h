#pragma once
// What the tests of jobs share: commands, folders, and how two runs are compared.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "job.h"
#include "kernels/core/json.h"
#include "temporary_folder.h"
#include "trainer/checkpoint/checkpoint.h"

namespace nystrom::testing {

/// Lines of a run's metrics without what differs from run to run.
inline std::vector<nlohmann::json> metrics_of(const std::string& directory) {
  std::vector<nlohmann::json> lines;
  std::istringstream text(read_bytes(directory + "/metrics.jsonl"));
  for (std::string line; std::getline(text, line);) {
    lines.push_back(parse_json<nlohmann::json>(line));
    for (const char* key : {"seconds", "tokens_per_second", "validation_seconds"}) lines.back().erase(key);
  }
  return lines;
}

/// Two finished runs have the same last weights, bit for bit, and the same metrics; nothing is left lying
/// about.
inline void expect_same_end(const std::string& a, const std::string& b, std::int64_t steps) {
  const CheckpointReader first(checkpoint_path(a + "/checkpoints", steps)),
      second(checkpoint_path(b + "/checkpoints", steps));
  for (const auto& tensor : first.tensors())
    EXPECT_EQ(first.read_tensor(tensor.name), second.read_tensor(tensor.name)) << tensor.name;
  EXPECT_EQ(metrics_of(a), metrics_of(b));
  for (const auto& entry : std::filesystem::recursive_directory_iterator(b))
    EXPECT_EQ(entry.path().string().find(".tmp-"), std::string::npos) << entry.path();
  EXPECT_FALSE(std::filesystem::exists(b + "/lock"));
  EXPECT_FALSE(std::filesystem::exists(b + "/ranks"));
}

class JobCase : public ::testing::Test {
 protected:
  using Words = std::vector<std::string>;

  /// The job on `ranks` ranks in DIRECTORY of the test's folder.
  [[nodiscard]] Words command(int ranks, const std::string& directory, const Words& arguments = {}) const {
    Words words{NYSTROM_MPIRUN, "--oversubscribe",     "--bind-to",         "none",
                "-n",           std::to_string(ranks), NYSTROM_PLANTED_JOB, folder / directory};
    words.insert(words.end(), arguments.begin(), arguments.end());
    return words;
  }
  /// The same under launch/mpirun.sh.
  [[nodiscard]] Words script(int ranks, const std::string& directory, const Words& arguments = {}) const {
    Words words{NYSTROM_MPIRUN_SCRIPT, std::to_string(ranks), NYSTROM_PLANTED_JOB, folder / directory};
    words.insert(words.end(), arguments.begin(), arguments.end());
    return words;
  }
  [[nodiscard]] std::string output() const { return folder / "output.txt"; }
  /// Runs a command to its end and gives its status; `said` is what it printed.
  int run(const Words& words, const std::string& fault = "") {
    Job job(words, output(), fault);
    const int status = job.wait();
    said = job.output();
    seconds = job.seconds();
    return status;
  }
  [[nodiscard]] std::string checkpoint(const std::string& directory, std::int64_t step) const {
    return checkpoint_path((folder / directory) + "/checkpoints", step);
  }

  TemporaryFolder folder;
  std::string said;
  double seconds = 0;
};

}  // namespace nystrom::testing
