#include "trainer/signals.h"

#include <csignal>

#include <array>
#include <atomic>
#include <cstddef>

namespace nystrom {
namespace {

// A handler can reach nothing but globals, and may touch nothing but such flags.
std::atomic<bool> stop{false};
std::atomic<bool> save{false};
std::atomic<bool> report{false};
std::atomic<bool> doubt{false};
std::atomic<int> interrupts{0};
static_assert(std::atomic<bool>::is_always_lock_free && std::atomic<int>::is_always_lock_free);

int watches = 0;  // that live

constexpr std::array kSignals{SIGTERM, SIGINT, SIGXCPU, SIGUSR1, SIGUSR2, SIGCONT};
std::array<struct sigaction, kSignals.size()> before{};

// oneDNN 2.6's sgemm uses the stack pointer for a buffer on the heap while it multiplies. A handler on the
// thread's own stack would then write its frame into that heap: it needs a stack of its own. (Signals to the
// process go to its first thread, which this is.)
alignas(64) std::array<std::byte, std::size_t{1} << 17U> handler_stack{};
stack_t stack_before{};

extern "C" void note_signal(int signal) {
  if (signal == SIGUSR1) {
    save = true;
    return;
  }
  if (signal == SIGUSR2) {
    report = true;
    return;
  }
  doubt = true;
  if (signal == SIGCONT) return;
  stop = true;
  if (signal == SIGINT && ++interrupts > 1) {
    std::signal(SIGINT, SIG_DFL);
    (void)std::raise(SIGINT);  // delivered when the handler returns
  }
}

}  // namespace

SignalWatch::SignalWatch() {
  if (watches++ > 0) return;
  stop = false;
  save = false;
  report = false;
  doubt = false;
  interrupts = 0;
  struct sigaction action {};
  action.sa_handler = note_signal;
  action.sa_flags = SA_RESTART | SA_ONSTACK;  // a read of a shard goes on
  stack_t own{};
  own.ss_sp = handler_stack.data();
  own.ss_size = handler_stack.size();
  sigaltstack(&own, &stack_before);
  sigemptyset(&action.sa_mask);
  for (std::size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &action, &before[i]);
}

SignalWatch::~SignalWatch() {
  if (--watches > 0) return;
  for (std::size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &before[i], nullptr);
  sigaltstack(&stack_before, nullptr);
}

bool SignalWatch::stop_requested() {
  return stop;
}

bool SignalWatch::peers_in_doubt() {
  return doubt;
}

bool SignalWatch::take_save_request() {
  return save.exchange(false);
}

bool SignalWatch::take_report_request() {
  return report.exchange(false);
}

}  // namespace nystrom
