// Started by mpirun on two ranks, of which the second sends nothing: the first, whose GPU waits for its part
// of a sequence, must say so in time.

#include <array>
#include <chrono>
#include <cstdio>
#include <thread>

#include "kernels/tensor/buffer.h"
#include "kernels/tensor/device.h"
#include "trainer/comm/gpu_collectives.h"
#include "trainer/comm/rank_group.h"

int main() {
  using namespace nystrom;
  const auto comm = make_comm({.timeout_seconds = 60});
  const Device device = Device::gpu(comm->local_rank());
  const Context context = device.context(1);
  {
    const auto reduction = make_device_reduction(
        device, *comm, {.kind = CommKind::kNccl, .timeout_seconds = 2, .group_ranks = comm->ranks()});
    RankGroup group(*comm, comm->ranks());
    group.use(reduction.get());
    const OwnedTensor values(DType::kF32, {100}, context.memory());
    if (comm->rank() == 1) std::this_thread::sleep_for(std::chrono::seconds(60));
    try {
      group.receive({static_cast<std::byte*>(values.view().address), values.view().bytes()}, 1);
      group.finish();
      reduction->start(values);
      reduction->finish();
      reduction->synchronize(42, kGradientSum);
    } catch (const CommTimeout& timeout) {
      std::printf("rank %d: %s\n", comm->rank(), timeout.what());
      std::fflush(stdout);
      comm->abort(1);
    }
  }
  return 0;
}
