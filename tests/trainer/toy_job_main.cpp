// A small pretraining as a separate process, to be killed: toy_job DIRECTORY STEPS.

#include <cstdio>
#include <cstdlib>

#include "toy_run.h"
#include "trainer/pretrain.h"

namespace nystrom {
namespace {

PretrainOptions job(const std::string& directory, std::int64_t steps) {
  PretrainOptions options;
  options.directory = directory;
  options.model = testing::toy_model();
  options.threads = 1;
  options.sequence_length = testing::kToyLongest;
  options.global_batch = 8;
  options.micro_batch = 4;
  options.training_data = [](const SourceRequest& request) -> std::unique_ptr<BatchSource> {
    return std::make_unique<testing::ToySource>(testing::ToyOptions{.global_batch = request.global_batch,
                                                                    .micro_batch = request.micro_batch,
                                                                    .rank = request.rank,
                                                                    .ranks = request.ranks});
  };
  options.trainer = testing::toy_trainer(steps);
  options.trainer.save_every = 2;
  return options;
}

}  // namespace
}  // namespace nystrom

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const auto comm = nystrom::make_comm({.timeout_seconds = 60});
  try {
    nystrom::Observer nobody;
    return nystrom::pretrain(nystrom::job(argv[1], std::atoll(argv[2])), *comm, nobody) ==
                   nystrom::StopReason::kDone
               ? 0
               : 3;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "rank %d: %s\n", comm->rank(), error.what());
    comm->abort(1);
    return 1;
  }
}
