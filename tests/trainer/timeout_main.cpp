// Started by mpirun: the last rank does not come to a barrier; the others must say so in time.

#include <chrono>
#include <cstdio>
#include <thread>

#include "trainer/comm.h"

int main() {
  const auto comm = nystrom::make_comm({.timeout_seconds = 1});
  comm->set_step(42);
  if (comm->rank() == comm->ranks() - 1) std::this_thread::sleep_for(std::chrono::seconds(60));
  try {
    comm->barrier("a barrier");
  } catch (const nystrom::CommTimeout& timeout) {
    std::printf("rank %d: %s\n", comm->rank(), timeout.what());
    std::fflush(stdout);
    std::this_thread::sleep_for(std::chrono::milliseconds(500));  // let the other speak
    comm->abort(1);
  }
  return 0;
}
