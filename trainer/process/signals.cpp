#include "trainer/process/signals.h"

#include <pthread.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <csignal>
#include <cstddef>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>

namespace nystrom {
namespace {

// A signal handler can access globals only, and may set only such flags.
std::atomic<bool> stop{false};
std::atomic<bool> save{false};
std::atomic<bool> report{false};
std::atomic<bool> doubt{false};
std::atomic<int> interrupts{0};
std::atomic<int> arrived{0};
static_assert(std::atomic<bool>::is_always_lock_free && std::atomic<int>::is_always_lock_free);

int watches = 0;  // that exist

constexpr std::array kSignals{SIGTERM, SIGINT, SIGXCPU, SIGUSR1, SIGUSR2, SIGCONT};
std::array<struct sigaction, kSignals.size()> actions_before{};
sigset_t mask_before{};

void note(int signal) {
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

extern "C" void note_signal(int signal) {
  note(signal);
  ++arrived;
}

sigset_t watched() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : kSignals) sigaddset(&set, signal);
  return set;
}

// oneDNN 2.6's sgemm points the stack pointer at a heap buffer while it multiplies: a handler on that
// thread's stack would write its frame into the heap. So compute threads (this one, the existing OpenMP
// threads, and all that they will start) block the signals, and a sleeping thread receives them. MPI's own
// threads may receive them too.
class Taker {
 public:
  Taker() {
    const sigset_t set = watched();
#pragma omp parallel
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    thread_ = std::jthread([](const std::stop_token& over) {
      const sigset_t own = watched();
      pthread_sigmask(SIG_UNBLOCK, &own, nullptr);
      std::mutex mutex;
      std::condition_variable_any never;
      std::unique_lock held(mutex);
      (void)never.wait(held, over, [] { return false; });
    });
  }

 private:
  std::jthread thread_;
};
std::optional<Taker> taker;

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
  action.sa_flags = SA_RESTART;  // reads of shards are restarted
  sigemptyset(&action.sa_mask);
  for (std::size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &action, &actions_before[i]);
  pthread_sigmask(SIG_SETMASK, nullptr, &mask_before);
  taker.emplace();
}

SignalWatch::~SignalWatch() {
  if (--watches > 0) return;
  taker.reset();
  for (std::size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &actions_before[i], nullptr);
  pthread_sigmask(SIG_SETMASK, &mask_before, nullptr);
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

int SignalWatch::taken() {
  return arrived;
}

}  // namespace nystrom
