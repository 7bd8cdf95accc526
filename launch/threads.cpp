#include "launch/threads.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>

namespace nystrom {

int machine_cores() {
  return static_cast<int>(std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN)));
}

int default_threads(int local_ranks) {
  cpu_set_t set;
  CPU_ZERO(&set);
  const int all = machine_cores();
  const int bound = ::sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : all;
  // A mask as wide as the machine is no binding.
  if (bound < all) return std::max(1, bound);
  return std::max(1, all / std::max(1, local_ranks));
}

}  // namespace nystrom
