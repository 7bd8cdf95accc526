#pragma once
// Options of every run, whatever it trains: its directory, how it resumes, when it stops.

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "trainer/checkpoint/run_state.h"

namespace nystrom {

enum class Resume {
  kAuto,   ///< the newest whole checkpoint of the run directory, if there is one
  kNever,  ///< refused in a run directory that was used
  kPath    ///< that checkpoint
};

struct RunOptions {
  std::string directory;  ///< run.directory
  Resume resume = Resume::kAuto;
  std::string resume_path;        ///< for Resume::kPath
  double stop_after_seconds = 0;  ///< since the process was started: then save and stop; 0: no limit
  /// Receives the report of all ranks that SIGUSR2 asks for, on rank 0, from another thread.
  std::function<void(const std::string&)> report = {};
  /// Files that each rank reads separately and that must be the same everywhere: shards.
  std::vector<std::string> files;

  /// May a resumed run have another value of this key?
  std::function<bool(std::string_view)> may_change = [](std::string_view) { return false; };
  /// The flat form of a config.yaml, to compare with that of a run directory without checkpoint.
  std::function<Settings(const std::string& yaml)> read_settings;
};

}  // namespace nystrom
