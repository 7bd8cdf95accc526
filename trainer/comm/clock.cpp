#include "trainer/comm/clock.h"

#include "kernels/core/trace.h"

namespace nystrom {
namespace {

constexpr int kQuestions = 64;
constexpr std::string_view kClocks = "the comparison of the ranks' clocks";

void answer(Comm& comm, int asker) {
  for (int i = 0; i < kQuestions; ++i) {
    char question = 0;
    comm.wait(comm.start_receive(std::as_writable_bytes(std::span(&question, 1)), asker, kClocks));
    const std::int64_t time = Trace::now();
    comm.wait(comm.start_send(std::as_bytes(std::span(&time, 1)), asker, kClocks));
  }
}

ClockOffset ask(Comm& comm) {
  ClockOffset best;
  for (int i = 0; i < kQuestions; ++i) {
    const char question = 0;
    std::int64_t time = 0;
    const std::int64_t asked = Trace::now();
    comm.wait(comm.start_send(std::as_bytes(std::span(&question, 1)), 0, kClocks));
    comm.wait(comm.start_receive(std::as_writable_bytes(std::span(&time, 1)), 0, kClocks));
    const std::int64_t told = Trace::now(), error = (told - asked) / 2;
    if (i == 0 || error < best.error)
      best = {.at = asked + error, .offset = time - (asked + error), .error = error};
  }
  return best;
}

}  // namespace

ClockOffset measure_clock(Comm& comm) {
  if (comm.rank() > 0) return ask(comm);
  for (int rank = 1; rank < comm.ranks(); ++rank) answer(comm, rank);
  return {.at = Trace::now()};
}

}  // namespace nystrom
