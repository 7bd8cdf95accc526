#pragma once

#include <unistd.h>

#include <csignal>
#include <thread>

#include "trainer/process/signals.h"

namespace nystrom::testing {

/// Sends this process a signal that a SignalWatch takes, and waits until it has.
inline void send_signal(int signal) {
  const int before = SignalWatch::taken();
  ::kill(::getpid(), signal);
  while (SignalWatch::taken() == before) std::this_thread::yield();
}

}  // namespace nystrom::testing
