// The CUDA backend against PyTorch's numbers and against the CPU backend, on every folder of reference
// numbers.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "launch/verify/verification.h"
#include "shared_folder.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;

class GoldenOnCuda : public ::testing::Test {
 protected:
  void SetUp() override {
    const fs::path root = testing::shared_folder("golden");
    if (root.empty()) GTEST_SKIP() << "there are no reference numbers next to this checkout (NYSTROM_SHARED)";
    if (find_gpus().gpus.empty()) GTEST_SKIP() << find_gpus().problem;
    // Kinds of attention and options of the network are in a separate folder.
    for (const fs::path& folder : {root, root / "kinds"}) {
      if (!fs::is_directory(folder)) continue;
      for (const auto& entry : fs::directory_iterator(folder))
        if (fs::exists(entry.path() / "case.h5")) cases_.push_back(entry.path().string());
    }
    std::ranges::sort(cases_);
    ASSERT_FALSE(cases_.empty());
  }

  void expect_all_within(DType precision, bool against_cpu, double tolerance = 0) {
    const Device device = Device::gpu(0);
    for (const std::string& folder : cases_) {
      const Verification result = verify({.model = folder,
                                          .case_file = folder + "/case.h5",
                                          .gradients = true,
                                          .precision = precision,
                                          .tolerance = tolerance,
                                          .threads = 1,
                                          .device = device,
                                          .against_cpu = against_cpu});
      EXPECT_GE(result.outputs.size(), 3U);
      EXPECT_FALSE(result.gradients.empty());
      for (const auto* distances : {&result.outputs, &result.gradients})
        for (const Distance& d : *distances) EXPECT_LE(d.value, d.limit) << folder << ": " << d.name;
    }
  }

  std::vector<std::string> cases_;
};

TEST_F(GoldenOnCuda, outputs_and_gradients_in_fp32_are_those_of_pytorch) {
  expect_all_within(DType::kF32, false);
}
TEST_F(GoldenOnCuda, outputs_and_gradients_in_bf16_are_near_those_of_pytorch) {
  expect_all_within(DType::kBF16, false);
}
TEST_F(GoldenOnCuda, outputs_and_gradients_in_fp32_are_those_of_the_processor) {
  expect_all_within(DType::kF32, true);
}

#ifdef NYSTROM_EMULATION
TEST_F(GoldenOnCuda, a_library_with_plain_products_suffices_in_bf16) {
  ::setenv("NYSTROM_EMULATION_EPILOGUES", "none", 1);
  expect_all_within(DType::kBF16, false);
  ::unsetenv("NYSTROM_EMULATION_EPILOGUES");
}
#endif

TEST_F(GoldenOnCuda, fp64_is_refused) {
  EXPECT_THROW((void)verify({.model = cases_.front(),
                             .case_file = cases_.front() + "/case.h5",
                             .gradients = false,
                             .precision = DType::kF64,
                             .device = Device::gpu(0)}),
               InputError);
}

}  // namespace
}  // namespace nystrom
