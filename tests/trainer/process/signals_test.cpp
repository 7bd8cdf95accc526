// Signals in the midst of products: where the handlers run, nothing of the program is.

#include <gtest/gtest.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <list>
#include <thread>
#include <vector>

#include "kernels/linear.h"
#include "send_signal.h"
#include "trainer/process/signals.h"

namespace nystrom {
namespace {

using namespace std::chrono_literals;

constexpr std::int64_t kRows = 64, kOut = 128, kIn = 512;
constexpr int kSignals = 1500;  // handlers on the stack of the products crash within a few hundred
constexpr auto kTimeout = 20s;  // on a busy machine

/// Multiplies while another thread sends this process signals; exit status 0 if every product was right.
[[noreturn]] void multiply_in_a_storm() {
  const SignalWatch watch;
  std::atomic<bool> done = false;
  std::thread storm([&] {
    while (!done) {
      ::kill(::getpid(), SIGCONT);
      std::this_thread::sleep_for(20us);
    }
  });
  Context context(1);
  const std::vector<float> x(kRows * kIn, 0.5F), w(kOut * kIn, 0.25F), d_y(kRows * kOut, 1.0F);
  const auto tensor = [](const std::vector<float>& values, std::int64_t rows, std::int64_t columns) {
    return Tensor(const_cast<float*>(values.data()), DType::kF32, {rows, columns});
  };
  const auto all = [](const std::vector<float>& values, float value) {
    return std::ranges::all_of(values, [value](float each) { return each == value; });
  };
  bool right = true;
  const auto end = std::chrono::steady_clock::now() + kTimeout;
  while (right && SignalWatch::taken() < kSignals && std::chrono::steady_clock::now() < end) {
    // Taken and given back, so that a damaged heap shows.
    const std::vector<float> y(kRows * kOut), d_x(kRows * kIn), d_w(kOut * kIn);
    std::list<std::vector<float>> others(20, std::vector<float>(1000, 3.0F));
    linear_forward(context, tensor(x, kRows, kIn), tensor(w, kOut, kIn), Tensor(), tensor(y, kRows, kOut));
    linear_backward_input(context, tensor(d_y, kRows, kOut), tensor(w, kOut, kIn), tensor(d_x, kRows, kIn));
    linear_backward_weight(context, tensor(d_y, kRows, kOut), tensor(x, kRows, kIn), tensor(d_w, kOut, kIn));
    right = all(y, 0.125F * kIn) && all(d_x, 0.25F * kOut) && all(d_w, 0.5F * kRows) &&
            std::ranges::all_of(others, [&](const auto& other) { return all(other, 3.0F); });
  }
  done = true;
  storm.join();
  if (SignalWatch::taken() < kSignals) std::fprintf(stderr, "only %d signals\n", SignalWatch::taken());
  std::_Exit(right && SignalWatch::taken() >= kSignals ? 0 : 1);
}

// oneDNN 2.6 keeps the stack pointer in a buffer on the heap while it multiplies in fp32.
TEST(SignalsDeathTest, do_not_corrupt_the_heap_during_matrix_products) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(multiply_in_a_storm(), ::testing::ExitedWithCode(0), "");
}

bool blocked(int signal) {
  sigset_t mask;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  return sigismember(&mask, signal) == 1;
}

TEST(Signals, are_blocked_in_compute_threads_and_restored_afterwards) {
  const auto before = std::signal(SIGTERM, SIG_IGN);
  {
    const SignalWatch watch;
    std::atomic<int> open = 0;
#pragma omp parallel num_threads(3)
    if (!blocked(SIGTERM) || !blocked(SIGCONT)) ++open;
    EXPECT_EQ(open, 0);
    testing::send_signal(SIGTERM);
    EXPECT_TRUE(SignalWatch::stop_requested());
  }
  EXPECT_FALSE(blocked(SIGTERM));
  EXPECT_EQ(std::signal(SIGTERM, before), SIG_IGN);
}

}  // namespace
}  // namespace nystrom
