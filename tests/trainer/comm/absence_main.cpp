// Started by mpirun: the last rank does not come to a barrier, since it sleeps ("late") or is dead ("dead",
// "dead_unannounced"), or for the same reasons does not send its part of a shared sequence
// ("..._in_a_group"); the others must say so in time. Where a rank is dead mpirun signals the others, and
// kills them later; with "dead_unannounced..." it does neither (--enable-recovery), and they signal
// themselves.

#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <string_view>
#include <thread>

#include "trainer/comm/comm.h"
#include "trainer/comm/rank_group.h"
#include "trainer/process/signals.h"

int main(int argc, char** argv) {
  const std::string_view how = argc > 1 ? argv[1] : "";
  const bool dead = how.starts_with("dead");
  const nystrom::SignalWatch watch;
  const auto comm = nystrom::make_comm({.timeout_seconds = dead ? 600.0 : 1.0});
  comm->set_step(42);
  comm->barrier("the start");
  if (comm->rank() == comm->ranks() - 1) {
    if (dead) std::raise(SIGKILL);
    std::this_thread::sleep_for(std::chrono::seconds(60));
  }
  if (how.starts_with("dead_unannounced")) ::kill(::getpid(), SIGTERM);
  try {
    if (how.ends_with("_in_a_group")) {
      nystrom::RankGroup group(*comm, comm->ranks());
      std::array<std::byte, 100000> bytes{};
      group.receive(bytes, comm->ranks() - 1);
    }
    comm->barrier("a barrier");
  } catch (const nystrom::CommTimeout& timeout) {
    std::printf("rank %d: %s\n", comm->rank(), timeout.what());
    std::fflush(stdout);
    std::this_thread::sleep_for(std::chrono::milliseconds(500));  // let the other speak
    comm->abort(1);
  }
  return 0;
}
