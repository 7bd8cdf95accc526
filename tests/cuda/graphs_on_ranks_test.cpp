// Training with graphs against training without, with as many ranks as mpirun starts: the same bits.

#include <gtest/gtest.h>

#include "emulation.h"
#include "ranks.h"
#include "toy_run.h"

namespace nystrom::testing {
namespace {

/// A trainer on this rank's GPU.
struct DeviceRun {
  DeviceRun(const TrainerOptions& options, CommKind kind, const ToyOptions& toy)
      : device(Device::gpu(ranks().local_rank())),
        context(device.context(1)),
        network(toy_model(), HeadKind::kPretraining, DType::kBF16, true, context.memory()),
        source(toy),
        reduction(make_device_reduction(device, ranks(), {.kind = kind, .timeout_seconds = 60})) {
    network.initialize(options.seed);
    network.plan(source.limits(), 1);
    trainer = std::make_unique<Trainer>(
        options, TrainerDependencies{context, ranks(), network, source, nullptr, recorder, reduction.get()});
  }
  [[nodiscard]] std::vector<float> weights() {
    const HostValues values(network.parameters().weights(), context.memory());
    const auto span = values.view().span<float>();
    return {span.begin(), span.end()};
  }

  Device device;
  Context context;
  Network network;
  ToySource source;
  Recorder recorder;
  std::unique_ptr<DeviceReduction> reduction;
  std::unique_ptr<Trainer> trainer;
};

struct Result {
  std::vector<double> losses, norms;
  std::vector<float> weights;
  emulation::Statistics statistics;
};

Result train(TrainerOptions options, CommKind kind, const ToyOptions& toy, std::uint64_t seed) {
  emulation::set_seed(seed);
  const emulation::Statistics before = emulation::statistics();
  DeviceRun run(options, kind, toy);
  (void)run.trainer->run();
  Result result;
  for (const StepReport& step : run.recorder.steps) {
    result.losses.push_back(step.losses.loss);
    result.norms.push_back(step.gradient_norm);
  }
  result.weights = run.weights();
  result.statistics = emulation::statistics();
  result.statistics.graphs_made -= before.graphs_made;
  result.statistics.graphs_updated -= before.graphs_updated;
  return result;
}

/// Ragged rows in micro-batches of three, so that the last is smaller; several buckets.
ToyOptions rows() {
  return {.global_batch = 7 * ranks().ranks() + 1,
          .micro_batch = 3,
          .rank = ranks().rank(),
          .ranks = ranks().ranks()};
}

void expect_the_bits_of_a_run_without(const TrainerOptions& plain, const ToyOptions& toy,
                                      CommKind kind = CommKind::kNccl) {
  TrainerOptions recorded = plain;
  recorded.cuda_graph = true;
  const Result with = train(recorded, kind, toy, 11), without = train(plain, kind, toy, 12);
  EXPECT_EQ(with.losses, without.losses);
  EXPECT_EQ(with.norms, without.norms);
  EXPECT_EQ(with.weights, without.weights);
  EXPECT_EQ(without.statistics.graphs_made, 0);
  if (toy.global_batch < ranks().ranks()) return;  // some have nothing to record
  // With several ranks the last micro-batch is recorded in pieces.
  EXPECT_GE(with.statistics.graphs_made, ranks().ranks() > 1 ? 3 : 1);
  EXPECT_GT(with.statistics.graphs_updated, 0);
}

TEST(GraphsOnRanks, train_to_the_same_bits) {
  expect_the_bits_of_a_run_without(toy_trainer(4), rows());
}

TEST(GraphsOnRanks, train_to_the_same_bits_over_mpi) {
  if (ranks().ranks() == 1) GTEST_SKIP() << "With one rank nothing is summed.";
  expect_the_bits_of_a_run_without(toy_trainer(3), rows(), CommKind::kMpi);
}

TEST(GraphsOnRanks, train_to_the_same_bits_with_sharded_states_and_sums_in_bf16) {
  TrainerOptions options = toy_trainer(3);
  options.zero = options.bf16_reduction = true;
  expect_the_bits_of_a_run_without(options, rows());
}

TEST(GraphsOnRanks, continue_alongside_checks_and_residuals) {
  TrainerOptions options = toy_trainer(4);
  options.check_every = 2;
  options.pinv_residual_every = 3;
  expect_the_bits_of_a_run_without(options, rows());
}

TEST(GraphsOnRanks, leave_a_rank_without_rows_alone) {
  ToyOptions one_row = rows();
  one_row.global_batch = 1;
  expect_the_bits_of_a_run_without(toy_trainer(3), one_row);
}

}  // namespace
}  // namespace nystrom::testing
