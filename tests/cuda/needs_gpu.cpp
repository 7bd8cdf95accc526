// Linked into tests that compute on a GPU: on a machine without one they are skipped, saying why.

#include <gtest/gtest.h>

#include "kernels/tensor/device.h"

namespace nystrom::testing {
namespace {

class NeedsGpu final : public ::testing::Environment {
 public:
  void SetUp() override {
    const GpuSearch search = find_gpus();
    // The mark is what CTest knows a skipped test by.
    if (search.gpus.empty()) GTEST_SKIP() << "[  SKIPPED ] " << search.problem;
  }
};

[[maybe_unused]] auto* const kRegistered = ::testing::AddGlobalTestEnvironment(new NeedsGpu);

}  // namespace
}  // namespace nystrom::testing
