// `nystrom bench` on a GPU, with the emulation playing it: what it says is the device's.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "program.h"

namespace nystrom {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::Outcome;
using testing::run_in;
using testing::TemporaryFolder;

/// A step or two of a small model, with heads of `width` channels.
std::string bench(int width, int heads, const std::string& backend) {
  return "$nystrom bench --json --steps 2 --set model.layers=1 --set model.hidden_size=" +
         std::to_string(width * heads) + " --set model.heads=" + std::to_string(heads) +
         " --set model.intermediate_size=128 --set model.vocabulary_size=300 --set model.attention.landmarks=16 "
         "--set data.sequence_length=64 --set training.micro_batch=2 --set training.backend=" +
         backend;
}

nlohmann::json last_line(const Outcome& done) {
  return nlohmann::json::parse(done.out.substr(done.out.rfind('\n', done.out.size() - 2) + 1));
}

TEST(BenchOnCuda, takes_ceilings_and_memory_of_the_gpu_and_a_share_of_them) {
  const TemporaryFolder folder;
  // Every product takes 20 ms: that of 256 by 256 by 256 cannot be faster than 1.7 GFLOP/s, and the
  // processor's is.
  const Outcome done =
      run_in(folder, "XDG_CACHE_HOME=$PWD NYSTROM_EMULATION_PRODUCT_MS=20 NYSTROM_EMULATION_MEMORY=2000 " +
                         bench(64, 1, "cuda") + " --kernels");
  ASSERT_EQ(done.status, 0) << done.err;
  const nlohmann::json figures = last_line(done);
  EXPECT_THAT(figures["machine"]["gpu"], HasSubstr("emulation on the CPU"));
  for (const char* type : {"bf16_gflops", "fp32_gflops"}) {
    EXPECT_LT(figures["machine"][type], 1.7) << type;
    EXPECT_GT(figures["machine"][type], 0) << type;
  }
  EXPECT_GT(figures["machine"]["copy_gigabytes_per_second"], 0);
  EXPECT_GT(figures["share_of_bound"], 0);
  EXPECT_LE(figures["share_of_bound"], 1.2);
  EXPECT_GT(figures["peak_memory_bytes"], 64e6) << "the workspace alone";
  EXPECT_LT(figures["peak_memory_bytes"], 2000.0 * 1024 * 1024);
  EXPECT_EQ(figures["kernels"]["attention_middle_forward"]["calls"], 1);
  EXPECT_GT(figures["kernels"]["attention_middle_forward"]["milliseconds"], 0);
  double products = 0;
  for (const auto& [name, kernel] : figures["kernels"].items())
    if (name.starts_with("product ")) products += kernel["calls"].get<double>();
  EXPECT_GE(products, 12) << "forward and backward of four layers";
  EXPECT_THAT(done.out, HasSubstr("measured on GPU 0, emulation on the CPU"));
}

TEST(BenchOnCuda, times_no_kernels_of_a_processor) {
  const TemporaryFolder folder;
  const Outcome done = run_in(folder, bench(64, 1, "cpu") + " --kernels");
  EXPECT_EQ(done.status, 2);
  EXPECT_THAT(done.err, HasSubstr("`--kernels` needs a GPU"));
}

TEST(BenchOnCuda, refuses_heads_that_a_gpu_has_no_shared_memory_for) {
  const TemporaryFolder folder;
  const Outcome wide = run_in(folder, "NYSTROM_EMULATION_CAPABILITY=86 " + bench(128, 1, "cuda"));
  EXPECT_EQ(wide.status, 2) << wide.err;
  EXPECT_THAT(wide.err, AllOf(HasSubstr("heads of more than 64 channels (these have 128)"),
                              HasSubstr("this one gives 99 KiB")));
  const Outcome narrow = run_in(folder, "NYSTROM_EMULATION_CAPABILITY=86 " + bench(64, 2, "cuda"));
  EXPECT_EQ(narrow.status, 0) << narrow.err;
  const Outcome large = run_in(folder, "NYSTROM_EMULATION_CAPABILITY=80 " + bench(128, 1, "cuda"));
  EXPECT_EQ(large.status, 0) << large.err;
}

}  // namespace
}  // namespace nystrom
