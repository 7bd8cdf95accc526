// Started by mpirun on two ranks, of which the second sends nothing: the first, whose GPU waits for its part
// of a sequence, must say so in time. In a training step, or with the argument "evaluation" in one.

#include <chrono>
#include <cstdio>
#include <string_view>
#include <thread>

#include "group_run.h"

namespace nystrom::testing {
namespace {

constexpr double kTimeout = 2;  // seconds

void train(Comm& comm) {
  const Device device = Device::gpu(comm.local_rank());
  const Context context = device.context(1);
  const auto reduction = make_device_reduction(
      device, comm, {.kind = CommKind::kNccl, .timeout_seconds = kTimeout, .group_ranks = comm.ranks()});
  RankGroup group(comm, comm.ranks());
  group.use(reduction.get());
  const OwnedTensor values(DType::kF32, {100}, context.memory());
  if (comm.rank() == 1) std::this_thread::sleep_for(std::chrono::seconds(60));
  group.receive({static_cast<std::byte*>(values.view().address), values.view().bytes()}, 1);
  group.finish();
  reduction->start(values);
  reduction->finish();
  reduction->synchronize(42, kGradientSum);
}

void evaluate_alone(Comm& comm) {
  GroupRun run(toy_trainer(1),
               {.sequence_ranks = comm.ranks(), .gpu = CommKind::kNccl, .timeout_seconds = kTimeout}, comm);
  BatchBuffer buffer(run.validation->limits(), run.context, &run.group);
  if (comm.rank() == 1) std::this_thread::sleep_for(std::chrono::seconds(60));
  comm.set_step(42);
  (void)evaluate(run.context, comm, run.network, buffer, *run.validation, 1, {}, run.reduction.get());
}

}  // namespace
}  // namespace nystrom::testing

int main(int argc, char** argv) {
  const auto comm = nystrom::make_comm({.timeout_seconds = 60});
  try {
    if (argc > 1 && std::string_view(argv[1]) == "evaluation")
      nystrom::testing::evaluate_alone(*comm);
    else
      nystrom::testing::train(*comm);
  } catch (const nystrom::CommTimeout& timeout) {
    std::printf("rank %d: %s\n", comm->rank(), timeout.what());
    std::fflush(stdout);
    comm->abort(1);
  }
  return 0;
}
