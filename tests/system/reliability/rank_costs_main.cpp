// What the number of ranks costs, as JSON on rank 0; tests/system/reliability/rank-costs.sh runs it on 1, 2,
// 4, ... of them.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <vector>

#include "kernels/tensor/buffer.h"
#include "trainer/comm/comm.h"
#include "trainer/comm/threads.h"
#include "trainer/guards/consistency.h"
#include "trainer/process/process_info.h"

namespace nystrom {
namespace {

/// The median of several runs, in microseconds.
template <class Work>
double microseconds(Comm& comm, int times, const Work& work) {
  std::vector<double> all;
  for (int i = 0; i < times; ++i) {
    comm.barrier("a measurement");
    const auto start = std::chrono::steady_clock::now();
    work();
    all.push_back(
        std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count());
  }
  std::ranges::sort(all);
  return all[all.size() / 2];
}

void measure() {
  const double before = process_seconds();
  const auto comm = make_comm({.timeout_seconds = 300});
  const double started = process_seconds() - before;
  const std::string text(64, 'x');
  OwnedTensor megabyte(DType::kF32, {std::int64_t{1} << 18U});
  const double barrier = microseconds(*comm, 21, [&] { comm->barrier("a measurement"); });
  const double agreement = microseconds(*comm, 21, [&] { require_agreement(*comm, {{"text", text}}); });
  const double gather = microseconds(*comm, 21, [&] { (void)comm->all_gather_text(text, "a measurement"); });
  const double broadcast = microseconds(*comm, 11, [&] {
    comm->broadcast({static_cast<std::byte*>(megabyte.view().address), megabyte.view().bytes()}, 0,
                    "a measurement");
  });
  const double sum = microseconds(*comm, 11, [&] { comm->all_reduce(megabyte.view(), "a measurement"); });
  const double program = microseconds(*comm, 1, [&] { (void)digest_of_program(); });
  if (comm->rank() == 0)
    std::printf(
        "{\"ranks\": %d, \"start_ms\": %.0f, \"barrier_us\": %.0f, \"agreement_us\": %.0f, "
        "\"gather_64_bytes_us\": %.0f, \"broadcast_1_mib_us\": %.0f, \"sum_1_mib_us\": %.0f, "
        "\"digest_of_program_ms\": %.0f}\n",
        comm->ranks(), 1000 * started, barrier, agreement, gather, broadcast, sum, program / 1000);
}

}  // namespace
}  // namespace nystrom

int main() {
  nystrom::measure();
  return 0;
}
