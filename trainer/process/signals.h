#pragma once
// Requests from outside: SIGTERM, SIGINT and SIGXCPU (schedulers' notice, and what launch/mpirun.sh sends)
// ask to save and stop, SIGUSR1 to save and go on, SIGUSR2 for a report of what the ranks do. SIGCONT is what
// Open MPI sends first when it ends a job, seconds before SIGTERM, and what follows a suspension: a reason to
// look whether the other ranks are alive.

namespace nystrom {

/// While one lives, the signals set flags instead of ending the process; the handlers that were there before
/// come back with the end of the last. One inside another changes nothing: a run that watches from its start
/// loses no request that came before its first step. To be made and ended by one thread, which then blocks
/// them: handlers run in a thread of the watch's own, in no thread that computes. A child process inherits
/// the block. A second SIGINT ends the process at once, as a user expects of Ctrl-C.
class SignalWatch {
 public:
  SignalWatch();
  ~SignalWatch();
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

  /// SIGTERM, SIGINT or SIGXCPU has come.
  [[nodiscard]] static bool stop_requested();
  /// SIGUSR1 has come since the last call.
  [[nodiscard]] static bool take_save_request();
  /// SIGUSR2 has come since the last call.
  [[nodiscard]] static bool take_report_request();
  /// Something has happened to the job: a request to stop, or SIGCONT.
  [[nodiscard]] static bool peers_in_doubt();
  /// Signals that have come in this process's life. They come to another thread, so who sends one to itself
  /// waits for this to grow.
  [[nodiscard]] static int taken();
};

}  // namespace nystrom
