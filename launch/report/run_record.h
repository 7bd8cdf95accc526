#pragma once
// Record of a run, from the files of its directory except its metrics (history.h). The files are untrusted,
// half written or corrupt: what cannot be read is skipped, and `problems` names it.

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "trainer/tasks/task_details.h"
#include "trainer/tasks/task_results.h"

namespace nystrom {

enum class RunPhase {
  kRunning,  ///< a job holds the directory
  kStopped,  ///< none does, and steps are left
  kDone
};

/// A corpus that the run trains on.
struct CorpusRecord {
  std::string name;
  double share = 0;            ///< of the run's sequences
  std::int64_t sequences = 0;  ///< in an epoch of the corpus
};

/// A start of the run: an object of run.json.
struct RunStart {
  std::string date, version, command, host, cpu, precision, resumed_from, departure, libraries;
  std::int64_t first_step = 1, steps = 0, ranks = 0, threads = 0, parameters = 0,
               memory_bytes = 0;  ///< 0: unknown
  std::vector<CorpusRecord> corpora = {};
};

struct CheckpointFile {
  std::string name;  ///< step-00001000.h5
  std::int64_t step = 0;
  std::uint64_t bytes = 0;
};

/// A key of the configuration.
struct Setting {
  std::string key, value, standard;  ///< standard: the default
};

struct RunRecord {
  std::string directory;
  std::string name;                    ///< its last part
  std::string yaml = {};               ///< config.yaml
  std::vector<Setting> settings = {};  ///< in the table's order; empty where config.yaml cannot be read
  std::vector<RunStart> starts = {};
  std::vector<CheckpointFile> checkpoints = {};  ///< by step
  bool has_best = false;                         ///< checkpoints/best.h5
  bool locked = false;
  std::string results = {};                      ///< results.json
  std::vector<TaskEvaluation> evaluations = {};  ///< of fine-tuning
  TaskDetails details = {};
  std::vector<std::string> problems = {};  ///< sentences

  [[nodiscard]] std::int64_t steps() const;  ///< of the whole run; 0: not known
  [[nodiscard]] const Setting* setting(std::string_view key) const;
  [[nodiscard]] RunPhase phase(std::int64_t last_step) const;
};

[[nodiscard]] RunRecord read_run_record(const std::string& directory);

/// Is this the directory of a run: has it metrics, or results?
[[nodiscard]] bool is_run_directory(const std::string& directory);

/// The runs directly below a directory, by name; at most `most` of them. Links are not followed.
[[nodiscard]] std::vector<std::string> runs_below(const std::string& directory, std::size_t most);

}  // namespace nystrom
