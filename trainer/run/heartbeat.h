#pragma once
// Each rank leaves a small file in the run directory that says what it is doing; a thread keeps it fresh, so
// that it tells the truth while a collective hangs. `nystrom doctor --job DIR` and SIGUSR2 read them.
//
//   DIR/ranks/rank-00003      "key=value" lines, padded to a fixed size, overwritten in place
//
// A few hundred bytes a rank and beat; beats are rarer the more ranks there are, so that the file system
// sees the same number of them a second however large the job is.

#include <cstdint>
#include <string>
#include <vector>

#include "trainer/process/activity.h"

namespace nystrom {

struct Heartbeat {
  int rank = 0, ranks = 1;
  std::string host;
  std::int64_t process = 0;
  Activity::Now doing;
  double written = 0;  ///< seconds since 1970, by the clock of `host`
  double every = 1;    ///< seconds between two beats
};

/// Seconds between two beats of a rank in a job of so many.
[[nodiscard]] double heartbeat_seconds(int ranks);

[[nodiscard]] std::string heartbeat_folder(const std::string& directory);
[[nodiscard]] std::string heartbeat_path(const std::string& directory, int rank);

/// Writes the file; false where that failed (the next beat tries again).
bool write_heartbeat(const std::string& directory, const Heartbeat& beat) noexcept;
/// Of all ranks that left one, in the order of ranks; what cannot be read is left out.
[[nodiscard]] std::vector<Heartbeat> read_heartbeats(const std::string& directory);
/// What a job that was killed left behind.
void remove_heartbeats(const std::string& directory);

/// A table of the ranks, and a sentence on the one to look at: the one that others wait for, or that gives no
/// sign of life. `now` in seconds since 1970. Empty where there are no heartbeats.
[[nodiscard]] std::string job_report(const std::vector<Heartbeat>& beats, double now);
/// The same of a run directory, now. Refuses (InputError) one in which no job runs.
[[nodiscard]] std::string job_report(const std::string& directory);

/// Seconds since 1970.
[[nodiscard]] double unix_seconds();

}  // namespace nystrom
