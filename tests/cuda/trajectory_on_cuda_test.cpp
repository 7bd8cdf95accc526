// Twenty steps of the program on the CUDA backend against PyTorch's: alone, and on two ranks over NCCL and
// over MPI.

#include <set>

#include "kernels/tensor/device.h"
#include "optimizer_trajectory.h"

namespace nystrom::testing {
namespace {

class TrajectoryOnCuda : public TrajectoryTest {
 protected:
  void SetUp() override {
    TrajectoryTest::SetUp();
    if (find_gpus().gpus.empty()) GTEST_SKIP() << find_gpus().problem;
  }

  [[nodiscard]] Json on_cuda(std::int64_t micro_batch, const char* communication = "auto") const {
    Json config = recipe(micro_batch);
    config["training"]["backend"] = "cuda";
    config["communication"]["kind"] = communication;
    return config;
  }
};

TEST_F(TrajectoryOnCuda, is_that_of_pytorch) {
  train(1, on_cuda(8));
  expect_reference();
}

TEST_F(TrajectoryOnCuda, with_accumulation_is_that_of_pytorch) {
  train(1, on_cuda(3), "NYSTROM_EMULATION_SEED=2");
  expect_reference();
}

TEST_F(TrajectoryOnCuda, of_two_ranks_over_nccl_is_that_of_pytorch) {
#ifndef NYSTROM_EMULATION
  if (find_gpus().gpus.size() < 2) GTEST_SKIP() << "this machine has one GPU";
#endif
  train(2, on_cuda(2, "nccl"), "NYSTROM_EMULATION_DEVICES=2 NYSTROM_EMULATION_SEED=3");
  expect_reference();
}

TEST_F(TrajectoryOnCuda, of_two_ranks_that_share_a_gpu_is_that_of_pytorch) {
  train(2, on_cuda(4, "mpi"), "NYSTROM_EMULATION_SEED=4");
  expect_reference();
}

TEST_F(TrajectoryOnCuda, two_ranks_with_zero_over_nccl_match_pytorch) {
#ifndef NYSTROM_EMULATION
  if (find_gpus().gpus.size() < 2) GTEST_SKIP() << "this machine has one GPU";
#endif
  Json config = on_cuda(4, "nccl");
  config["training"]["zero"] = true;
  train(2, config, "NYSTROM_EMULATION_DEVICES=2 NYSTROM_EMULATION_SEED=5");
  expect_reference();
}

TEST_F(TrajectoryOnCuda, two_ranks_with_zero_over_mpi_match_pytorch) {
  Json config = on_cuda(4, "mpi");
  config["training"]["zero"] = true;
  train(2, config, "NYSTROM_EMULATION_SEED=6");
  expect_reference();
}

TEST_F(TrajectoryOnCuda, of_two_ranks_that_share_micro_batches_is_that_of_pytorch) {
#ifndef NYSTROM_EMULATION
  if (find_gpus().gpus.size() < 2) GTEST_SKIP() << "this machine has one GPU";
#endif
  Json config = on_cuda(4, "nccl");
  config["communication"]["sequence_ranks"] = 2;
  train(2, config, "NYSTROM_EMULATION_DEVICES=2 NYSTROM_EMULATION_SEED=7");
  expect_reference();
}

TEST_F(TrajectoryOnCuda, profiled_steps_say_how_the_gpu_is_used) {
  Json config = on_cuda(8);
  config["run"]["profile_steps"] = "2-3";
  config["training"]["steps"] = 3;
  config["schedule"]["warmup_steps"] = 1;
  train(1, config);
  for (const Json& line : lines_of(folder_ / "run/metrics.jsonl")) {
    const bool profiled = line["step"] >= 2;
    ASSERT_EQ(line.contains("mfu"), profiled) << line;
    if (!profiled) continue;
    EXPECT_GT(line["mfu"].get<double>(), 0);
    EXPECT_GT(line["share_of_bound"].get<double>(), 0);
  }
}

/// A case of each optimizer, and the one that averages weights.
class OptimizersOnCuda : public ::testing::Test {
 protected:
  void SetUp() override {
    std::set<std::string> kinds;
    for (OptimizerCase& one : optimizer_cases())
      if (kinds.insert(one.reference["recipe"]["optimizer"]["kind"]).second || one.averages())
        cases_.push_back(std::move(one));
    if (cases_.empty())
      GTEST_SKIP() << "there are no reference numbers of optimizers next to this checkout (NYSTROM_SHARED)";
    if (find_gpus().gpus.empty()) GTEST_SKIP() << find_gpus().problem;
  }

  /// `kind`: of this optimizer alone.
  void expect_references(int ranks, const char* communication, const std::string& environment,
                         const std::string& kind = {}) {
    for (const OptimizerCase& one : cases_) {
      if (!kind.empty() && one.reference["recipe"]["optimizer"]["kind"] != kind) continue;
      SCOPED_TRACE(one.name());
      const std::string run = folder_ / one.name();
      Json config = one.configuration(4, run);
      config["training"]["backend"] = "cuda";
      config["training"]["zero"] = ranks > 1;
      config["communication"]["kind"] = communication;
      train_in(folder_, ranks, config, environment);
      if (HasFatalFailure()) return;
      expect_steps(run, one.reference["steps"]);
      EXPECT_LT(distance_of_weights(run + "/checkpoints/step-00000020.h5", one.folder / "final.safetensors"),
                1e-4);
    }
  }

  std::vector<OptimizerCase> cases_;
  TemporaryFolder folder_;
};

TEST_F(OptimizersOnCuda, have_pytorchs_trajectories) {
  expect_references(1, "auto", "");
}

TEST_F(OptimizersOnCuda, on_two_ranks_with_zero_over_nccl_match_pytorch) {
#ifndef NYSTROM_EMULATION
  if (find_gpus().gpus.size() < 2) GTEST_SKIP() << "this machine has one GPU";
#endif
  expect_references(2, "nccl", "NYSTROM_EMULATION_DEVICES=2 NYSTROM_EMULATION_SEED=8");
}

// Over MPI the sums take another way, which is the same for every optimizer.
TEST_F(OptimizersOnCuda, on_two_ranks_with_zero_over_mpi_match_pytorch) {
  expect_references(2, "mpi", "NYSTROM_EMULATION_SEED=9", "lamb");
}

/// What a few steps in bf16 with dropout, of ragged micro-batches, leave behind.
struct Left {
  std::vector<std::string> numbers;  // of each step
  std::vector<std::byte> weights;
  bool operator==(const Left&) const = default;
};

class GraphsOnCuda : public TrajectoryOnCuda {
 protected:
  Left train_few(int ranks, const char* communication, bool graphs, const std::string& environment = {}) {
    Json config = on_cuda(3, communication);
    config["run"]["directory"] = folder_ / (graphs ? "with" : "without");
    config["model"]["dropout"] = 0.1;
    config["training"]["precision"] = "bf16";
    config["training"]["steps"] = 4;
    config["schedule"]["warmup_steps"] = 2;
    config["training"]["cuda_graph"] = graphs;
    train(ranks, config, environment);
    const std::string run = config["run"]["directory"];
    Left left;
    for (const Json& step : lines_of(fs::path(run) / "metrics.jsonl"))
      left.numbers.push_back(step["loss"].dump() + " " + step["gradient_norm"].dump());
    const ModelSource source(run + "/checkpoints/step-00000004.h5");
    for (const TensorToWrite& tensor : source.stored_tensors())
      std::ranges::copy(tensor.bytes(), std::back_inserter(left.weights));
    return left;
  }
};

TEST_F(GraphsOnCuda, have_the_bits_of_a_run_without) {
  const Left with = train_few(1, "auto", true), without = train_few(1, "auto", false);
  EXPECT_EQ(with.numbers.size(), 4U);
  EXPECT_EQ(with.numbers, without.numbers);
  EXPECT_TRUE(with == without);
}

// Rounding gradients moves the losses by little; on_cuda computes everything else in fp32.
TEST_F(TrajectoryOnCuda, of_two_ranks_that_sum_in_bf16_is_near_that_of_pytorch) {
  for (const char* communication : {"nccl", "mpi"}) {
#ifndef NYSTROM_EMULATION
    if (communication == std::string("nccl") && find_gpus().gpus.size() < 2) continue;
#endif
    Json config = on_cuda(4, communication);
    config["communication"]["reduction"] = "bf16";
    config["run"]["directory"] = folder_ / communication;
    train(2, config, "NYSTROM_EMULATION_DEVICES=2 NYSTROM_EMULATION_SEED=7");
    const auto steps = lines_of(fs::path(folder_ / communication) / "metrics.jsonl");
    ASSERT_EQ(steps.size(), reference_["steps"].size());
    double moved = 0;
    for (std::size_t s = 0; s < steps.size(); ++s) {
      const double ours = steps[s]["loss"], theirs = reference_["steps"][s]["loss"];
      EXPECT_NEAR(ours, theirs, 5e-3 * theirs) << "step " << s + 1;
      moved = std::max(moved, std::abs(ours / theirs - 1));
    }
    EXPECT_GT(moved, 1e-6) << "nothing was rounded";
  }
}

}  // namespace
}  // namespace nystrom::testing
