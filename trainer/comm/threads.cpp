#include "trainer/comm/threads.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "kernels/core/sha256.h"
#include "kernels/tensor/context.h"

namespace nystrom {
namespace {

/// Host name and the cores available to this process, as text to compare.
std::string place_of_process() {
  std::array<char, 256> host{};
  (void)::gethostname(host.data(), host.size() - 1);
  cpu_set_t cores;
  CPU_ZERO(&cores);
  std::string place = host.data();
  if (::sched_getaffinity(0, sizeof cores, &cores) != 0) return place;
  for (std::size_t core = 0; core < CPU_SETSIZE; ++core)
    if (CPU_ISSET(core, &cores)) place += fmt::format(" {}", core);
  return place;
}

}  // namespace

int threads_of_rank(Comm& comm) {
  const std::string mine = sha256_hex(place_of_process());  // constant size for any number of cores
  const auto all = comm.all_gather_text(mine, "the sharing of cores");
  if (std::getenv("OMP_NUM_THREADS") != nullptr) return std::max(1, omp_get_max_threads());
  return std::max(1, omp_get_num_procs() / static_cast<int>(std::ranges::count(all, mine)));
}

int threads_of_rank(Comm& comm, std::int64_t given) {
  return given > 0 ? static_cast<int>(given) : threads_of_rank(comm);
}

}  // namespace nystrom
