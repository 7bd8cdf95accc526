#include "kernels/core/threads.h"

#include <sched.h>

#include <algorithm>
#include <cstdlib>

namespace nystrom {

int available_threads() {
  if (const char* given = std::getenv("OMP_NUM_THREADS"))
    if (const long threads = std::strtol(given, nullptr, 10); threads > 0) return static_cast<int>(threads);
  cpu_set_t cores;
  CPU_ZERO(&cores);
  if (::sched_getaffinity(0, sizeof cores, &cores) != 0) return 1;
  return std::max(1, CPU_COUNT(&cores));
}

}  // namespace nystrom
