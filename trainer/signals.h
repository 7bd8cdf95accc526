#pragma once
// Requests from outside: SIGTERM and SIGINT ask to save and stop, SIGUSR1 to save and go on.

namespace nystrom {

/// While one lives, the signals set flags instead of ending the process. One at a time; the handlers that
/// were there before come back with its end. A second SIGINT ends the process at once, as a user expects of
/// Ctrl-C.
class SignalWatch {
 public:
  SignalWatch();
  ~SignalWatch();
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

  /// SIGTERM or SIGINT has come.
  [[nodiscard]] static bool stop_requested();
  /// SIGUSR1 has come since the last call.
  [[nodiscard]] static bool take_save_request();
};

}  // namespace nystrom
