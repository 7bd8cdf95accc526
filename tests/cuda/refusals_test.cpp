// Messages about GPUs that are missing, too old, too small, too few or broken: the program, with
// the emulation playing the machine.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <utility>

#include "launch/setup/backend.h"
#include "program.h"
#include "shared_folder.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::Outcome;
using testing::run_in;
using testing::TemporaryFolder;
using ::testing::ThrowsMessage;

class Refusals : public ::testing::Test {
 protected:
  void SetUp() override {
    const fs::path root = testing::shared_folder("golden");
    if (root.empty()) GTEST_SKIP() << "there are no reference numbers next to this checkout (NYSTROM_SHARED)";
    golden_ = fs::absolute(root).string();
  }

  /// One step of pre-training on the GPU, with more configuration and the emulation's variables.
  Outcome pretrain(const std::string& environment, const std::string& settings = {}, int ranks = 1) {
    const std::string program =
        ranks == 1 ? "$nystrom" : "mpirun --oversubscribe -n " + std::to_string(ranks) + " $nystrom";
    return run_in(
        folder_, "rm -rf run; printf 'run: {directory: run}\\ndata: {shards: [\"" + golden_ +
                     "/trajectory/shards/*.hdf5\"]}\\ntraining: {steps: 1, global_batch: 8, precision: fp32, "
                     "backend: cuda}\\nmodel: {from: \"" +
                     golden_ +
                     "/trajectory/model\"}\\n' >c.yaml; export OMPI_ALLOW_RUN_AS_ROOT=1 "
                     "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMP_NUM_THREADS=1; " +
                     environment + " " + program + " pretrain c.yaml " + settings);
  }

  std::string golden_;
  TemporaryFolder folder_;
};

TEST(SplitSequencesOnGpus, what_they_cannot_share_is_refused_by_name) {
  const Backend gpu{.cuda = true, .time_products = false, .notes = {}};
  Config config;
  ModelConfig model;
  config.communication.sequence_ranks = 2;
  check_split_sequences(config, model, gpu);
  model.attention.kind = "softmax";
  check_split_sequences(config, model, {});
  EXPECT_THAT([&] { check_split_sequences(config, model, gpu); },
              ThrowsMessage<InputError>(
                  HasSubstr("only attention of kind nystrom lies on several ranks, not softmax")));
  model.attention.kind = "nystrom";
  config.training.cuda_graph = true;
  EXPECT_THAT([&] { check_split_sequences(config, model, gpu); },
              ThrowsMessage<InputError>(HasSubstr("with `training.cuda_graph` ranks cannot exchange")));
  config.training.cuda_graph = false;
  config.communication.sequence_ranks = 128;
  EXPECT_THAT([&] { check_split_sequences(config, model, gpu); },
              ThrowsMessage<InputError>(HasSubstr("a sequence lies on at most 64 GPUs")));
}

TEST_F(Refusals, a_machine_without_a_gpu_is_reported_and_auto_uses_the_cpu) {
  const Outcome refused = pretrain("NYSTROM_EMULATION_DEVICES=0");
  EXPECT_EQ(refused.status, 2);
  EXPECT_THAT(refused.err, HasSubstr("`training.backend` is cuda, but this machine has no GPU"));
  const Outcome automatic = pretrain("NYSTROM_EMULATION_DEVICES=0", "--set training.backend=auto");
  EXPECT_EQ(automatic.status, 0) << automatic.err;
  EXPECT_THAT(automatic.err, HasSubstr("this machine has no GPU of NVIDIA's: the CPU computes"));
}

TEST_F(Refusals, a_driver_older_than_the_program_is_reported_with_both_versions) {
  const Outcome outcome = pretrain("NYSTROM_EMULATION_DRIVER=12020");
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.err, HasSubstr("the driver is made for CUDA 12.2, this program for 13.0"));
}

TEST_F(Refusals, a_gpu_older_than_supported_is_reported) {
  const Outcome outcome = pretrain("NYSTROM_EMULATION_CAPABILITY=70");
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.err, HasSubstr("has compute capability 7.0, and at least 8.0 is needed"));
}

TEST_F(Refusals, a_micro_batch_that_does_not_fit_is_reported_before_the_first_step_with_one_that_does) {
  const Outcome outcome = pretrain("NYSTROM_EMULATION_MEMORY=1128",
                                   "--set training.global_batch=4000 --set training.micro_batch=4000");
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("A micro-batch of 4000 sequences takes"),
                                 HasSubstr("`training.micro_batch` can be at most")));
}

TEST_F(Refusals, ranks_that_would_share_a_gpu_over_nccl_are_reported) {
  const Outcome outcome = pretrain("NYSTROM_EMULATION_DEVICES=1", "--set communication.kind=nccl", 2);
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.err, HasSubstr("This machine has 2 ranks and 1 GPU for them"));
}

TEST_F(Refusals, missing_nccl_is_reported_and_auto_uses_mpi) {
  const std::string without = "NYSTROM_EMULATION_DEVICES=2 NYSTROM_EMULATION_NCCL=missing";
  const Outcome refused = pretrain(without, "--set communication.kind=nccl", 2);
  EXPECT_EQ(refused.status, 2);
  EXPECT_THAT(refused.err, HasSubstr("`communication.kind` is nccl, but this machine has no libnccl.so.2"));
  const Outcome automatic = pretrain(without, {}, 2);
  EXPECT_EQ(automatic.status, 0) << automatic.err;
}

TEST_F(Refusals, nccl_that_hangs_ends_the_run_within_its_timeout_wherever_it_hangs) {
  const std::string short_timeout = "--set communication.timeout=15 --set communication.kind=nccl";
  // Of the rank that hangs or of the one that waits for it: whoever is first ends the job.
  const std::pair<const char*, const char*> places[] = {
      {"start:1", "NCCL's start"}, {"first:1", "NCCL's first sum"}, {"destroy:1", "'s end"}};
  for (const auto& [place, sentence] : places) {
    const auto begun = std::chrono::steady_clock::now();
    const Outcome outcome = pretrain(
        "NYSTROM_EMULATION_DEVICES=2 NYSTROM_EMULATION_NCCL=" + std::string(place), short_timeout, 2);
    EXPECT_NE(outcome.status, 0) << place;
    EXPECT_THAT(outcome.err, AllOf(HasSubstr("waited 15 s"), HasSubstr(sentence))) << place;
    EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::minutes(2)) << place;
  }
}

TEST_F(Refusals, a_rank_that_fails_leaves_nccl_without_waiting_for_the_others) {
  const std::string failing =
      "NYSTROM_EMULATION_DEVICES=2 NYSTROM_EMULATION_NCCL=destroy:1 NYSTROM_CUDA_SYNCHRONOUS=1 "
      "NYSTROM_EMULATION_FAILURE=adamw_step:1";
  const Outcome outcome =
      pretrain(failing, "--set communication.timeout=600 --set communication.kind=nccl", 2);
  EXPECT_NE(outcome.status, 0);
  EXPECT_THAT(outcome.err, HasSubstr("The GPU failed at adamw_step"));
}

TEST_F(Refusals, a_kernel_that_fails_is_named_with_rank_and_step) {
  const Outcome outcome =
      pretrain("NYSTROM_CUDA_SYNCHRONOUS=1 NYSTROM_EMULATION_FAILURE=adamw_step:2", "--set training.steps=3");
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.err,
              HasSubstr("Rank 0 at step 2: The GPU failed at adamw_step: the failure of a kernel"));
}

TEST_F(Refusals, an_asynchronous_kernel_failure_is_reported_with_how_to_find_its_op) {
  const Outcome outcome = pretrain("NYSTROM_EMULATION_FAILURE=gelu_backward:1");
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.err,
              AllOf(HasSubstr("at step 1: The GPU failed at"), HasSubstr("NYSTROM_CUDA_SYNCHRONOUS=1")));
}

TEST_F(Refusals, graphs_are_for_gpus) {
  const Outcome outcome = pretrain({}, "--set training.cuda_graph=true --set training.backend=cpu");
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.err, HasSubstr("`training.cuda_graph` is true, but the CPU computes"));
}

TEST_F(Refusals, a_graph_that_cannot_be_started_is_reported_with_its_step) {
  const std::string failing = "NYSTROM_EMULATION_FAILURE=graph:2", steps = "--set training.steps=3";
  const Outcome outcome = pretrain(failing, steps + " --set training.cuda_graph=true");
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.err, HasSubstr("Rank 0 at step 3: The GPU failed at starting a graph"));
  EXPECT_EQ(pretrain(failing, steps + " --set run.directory=without").status, 0) << "no graphs, no failure";
}

TEST_F(Refusals, the_all_reduce_between_gpus_is_measured_by_doctor) {
  const std::string doctor =
      "OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 mpirun --oversubscribe -n 2 $nystrom doctor";
  const Outcome own = run_in(folder_, "NYSTROM_EMULATION_DEVICES=2 " + doctor);
  EXPECT_EQ(own.status, 0) << own.err;
  EXPECT_THAT(own.out,
              AllOf(HasSubstr("2 ranks over mpi: 4 MiB in"), HasSubstr("2 ranks over nccl: 4 MiB in")));
  const Outcome shared = run_in(folder_, "NYSTROM_EMULATION_DEVICES=1 " + doctor);
  EXPECT_EQ(shared.status, 0) << shared.err;
  EXPECT_THAT(shared.out, HasSubstr("2 ranks over mpi through the host: 4 MiB in"));
}

TEST_F(Refusals, fp64_is_for_the_processor) {
  const std::string model = golden_ + "/exact-ragged";
  const Outcome outcome =
      run_in(folder_, "$nystrom verify " + model + " " + model + "/case.h5 --backend cuda --precision fp64");
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.err, HasSubstr("fp64 needs the CPU"));
}

}  // namespace
}  // namespace nystrom
