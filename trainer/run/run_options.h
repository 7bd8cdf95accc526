#pragma once
// Options of every run, pretraining or fine-tuning: its directory, how it resumes, when it stops.

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/core/names.h"
#include "trainer/checkpoint/run_state.h"

namespace nystrom {

enum class Resume {
  kAuto,   ///< the latest valid checkpoint of the run directory, if there is one
  kNever,  ///< a run directory with a checkpoint is refused
  kPath    ///< that checkpoint; of another run directory: a fork, or the latest checkpoint of that fork
};

/// Of the kinds that have a word; everything else is a path.
template <>
struct EnumNames<Resume> {
  static constexpr Named<Resume> kAll[] = {{Resume::kAuto, "auto"}, {Resume::kNever, "never"}};
};

struct RunOptions {
  std::string directory;  ///< run.directory
  Resume resume = Resume::kAuto;
  std::string resume_path;        ///< for Resume::kPath
  bool takeover = false;          ///< `--takeover`: the directory's lock is taken whatever its owner does
  double stop_after_seconds = 0;  ///< since the start of the process: then save and stop; 0: no limit
  /// Called with the report of all ranks that SIGUSR2 requests, on rank 0, from another thread.
  std::function<void(const std::string&)> report = {};
  /// Files that each rank reads and that must be identical everywhere: shards.
  std::vector<std::string> files;
  /// Files by the key that names them, "data.shards": a resume compares their content, not their paths.
  std::map<std::string, std::vector<std::string>> contents;
  bool accept_new_data = false;  ///< `--accept-new-data`: other content is accepted, and recorded

  /// Values of keys that the configuration of an older program lacks: it did what they say.
  Settings defaults = {};
  /// May a resume change this key? May a fork?
  std::function<bool(std::string_view)> may_change = [](std::string_view) { return false; };
  std::function<bool(std::string_view)> may_change_in_fork = [](std::string_view) { return false; };
};

}  // namespace nystrom
