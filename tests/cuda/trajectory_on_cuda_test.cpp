// Twenty steps of the program on the CUDA backend against PyTorch's: alone, and on two ranks over NCCL and
// over MPI.

#include "kernels/core/device.h"
#include "model/trajectory.h"

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

}  // namespace
}  // namespace nystrom::testing
