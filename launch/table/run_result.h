#pragma once
// Result of a finished fine-tuning run, from the files of its directory.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace nystrom {

struct RunResult {
  std::string directory;
  std::string task;    ///< "LRA ListOps"
  std::string data;    ///< what its examples are; empty: unknown
  std::string metric;  ///< "accuracy"
  double score = 0;    ///< of the last labelled split
  std::string split;   ///< its name
  std::int64_t seed = 0;
  std::int64_t classes = 0, examples = 0;                ///< of that split; 0: its predictions have no labels
  double majority = 0;                                   ///< share of its most frequent class
  std::optional<std::int64_t> parameters, memory_bytes;  ///< memory: planned, of a rank
  std::optional<double> tokens_per_second, minutes;      ///< of training; tokens: the median over steps
  std::map<std::string, std::string> settings;           ///< keys of the configuration that make the result

  [[nodiscard]] std::string setting(const std::string& key) const;
  /// "nystrom 64, convolution 35"
  [[nodiscard]] std::string attention() const;
};

/// The finished runs at `path`: that run, or the runs of a grid. Refuses a folder that has none.
[[nodiscard]] std::vector<RunResult> read_runs(const std::string& path);

}  // namespace nystrom
