#pragma once
// Signal handling: SIGTERM, SIGINT and SIGXCPU (a scheduler's notice, and what launch/mpirun.sh sends)
// request save and stop, SIGUSR1 requests a checkpoint, SIGUSR2 a report of what the ranks are doing. SIGCONT
// comes from Open MPI seconds before SIGTERM when it ends a job, and after a suspension: a reason to check
// that the other ranks are alive.

namespace nystrom {

/// While one exists, the signals set flags instead of ending the process; the previous handlers are restored
/// with the last. Nesting changes nothing: a run that watches from its start loses no request that came
/// before its first step. Created and destroyed by one thread, which blocks the signals: handlers run in a
/// separate thread, never in one that computes. A child process inherits the mask. A second SIGINT ends the
/// process at once, as a user expects of Ctrl-C.
class SignalWatch {
 public:
  SignalWatch();
  ~SignalWatch();
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

  /// SIGTERM, SIGINT or SIGXCPU was received.
  [[nodiscard]] static bool stop_requested();
  /// SIGUSR1 was received since the last call.
  [[nodiscard]] static bool take_save_request();
  /// SIGUSR2 was received since the last call.
  [[nodiscard]] static bool take_report_request();
  /// Other ranks may be dead: a stop request or SIGCONT was received.
  [[nodiscard]] static bool peers_in_doubt();
  /// Signals received so far. They are handled in another thread, so a process that signals itself waits for
  /// this count to grow.
  [[nodiscard]] static int taken();
};

}  // namespace nystrom
