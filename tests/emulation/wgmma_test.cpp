// The twin of wgmma, and when kernels with it are taken.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <vector>

#include "emulation.h"
#include "kernels/tensor/cuda/context.h"
#include "kernels/tensor/cuda/launch.h"
#include "kernels/tensor/cuda/wgmma.h"

namespace nystrom::cuda {
namespace {

using ::testing::HasSubstr;

class Wgmma : public ::testing::Test {
 protected:
  ~Wgmma() override {
    ::unsetenv("NYSTROM_EMULATION_CAPABILITY");
    ::unsetenv("NYSTROM_WGMMA");
  }
};

TEST_F(Wgmma, is_taken_on_hopper_where_its_products_are_right_and_nobody_switches_it_off) {
  EXPECT_TRUE(CudaContext().has_wgmma());
  for (const char* const other : {"80", "89", "100", "120"}) {
    ::setenv("NYSTROM_EMULATION_CAPABILITY", other, 1);
    EXPECT_EQ(CudaContext().wgmma(), WgmmaState::kOtherGpu) << other;
  }
  ::unsetenv("NYSTROM_EMULATION_CAPABILITY");
  ::setenv("NYSTROM_WGMMA", "off", 1);
  EXPECT_EQ(CudaContext().wgmma(), WgmmaState::kSwitchedOff);
}

/// Four warps multiply the identity by b [64, 64], b being the number of the element; what they see of the
/// sums meanwhile.
__global__ void identity_kernel(float* out, int* finite_meanwhile, int offset) {
  auto* const a = reinterpret_cast<BF16*>(shared_memory<std::byte>() + offset);
  BF16* const b = a + kGroupTileElements;
  for (int e = static_cast<int>(threadIdx.x); e < kGroupTileElements; e += 128) {
    const int i = e / kGroupTile, j = e % kGroupTile;
    a[swizzled(i, j)] = BF16(i == j ? 1.0F : 0.0F);
    b[swizzled(i, j)] = BF16(static_cast<float>(i % 16 * 16 + j % 16));
  }
  publish_tiles();
  __syncthreads();
  float c[8][4] = {};
  start_products(c);
  for (int k = 0; k < 4; ++k)
    add_group_product<BF16, Inner::kAlongRows, Inner::kAlongColumns>(
        c, tile_descriptor(a).from<Inner::kAlongRows>(k), tile_descriptor(b).from<Inner::kAlongColumns>(k),
        true);
  if (std::isfinite(c[0][0])) atomicAdd(finite_meanwhile, 1);
  finish_products(c);
  for (int j = 0; j < 8; ++j)
    for (int e = 0; e < 4; ++e)
      out[(warp_index() * 16 + lane_index() / 4 + e / 2 * 8) * kGroupTile + 8 * j + lane_index() % 4 * 2 +
          e % 2] = c[j][e];
}

class Identity {
 public:
  explicit Identity(int offset) {
    launch(cuda_.stream(), 1, 128, 4 * kGroupTileElements + 1024, "identity", identity_kernel, out(),
           finite(), offset);
    cuda_.stream().synchronize();
  }
  [[nodiscard]] std::vector<float> product() {
    std::vector<float> values(kGroupTileElements);
    cuda_.memory().read(values.data(), out(), values.size() * sizeof(float));
    return values;
  }
  [[nodiscard]] int finite_meanwhile() {
    int count = -1;
    cuda_.memory().read(&count, finite(), sizeof count);
    return count;
  }

 private:
  [[nodiscard]] float* out() { return reinterpret_cast<float*>(out_.data()); }
  [[nodiscard]] int* finite() { return reinterpret_cast<int*>(finite_.data()); }

  CudaContext cuda_;
  Buffer out_{kGroupTileElements * sizeof(float), cuda_.memory()}, finite_{sizeof(int), cuda_.memory()};
};

TEST_F(Wgmma, gives_its_sums_when_they_are_finished) {
  Identity run(0);
  const std::vector<float> product = run.product();
  for (int i = 0; i < kGroupTile; ++i)
    for (int j = 0; j < kGroupTile; ++j)
      ASSERT_EQ(product[static_cast<std::size_t>(i * kGroupTile + j)],
                static_cast<float>(i % 16 * 16 + j % 16))
          << i << ", " << j;
  EXPECT_EQ(run.finite_meanwhile(), 0);
}

TEST_F(Wgmma, of_a_tile_that_lies_askew_is_told) {
  EXPECT_THROW(Identity(512), DeviceError);
  EXPECT_THAT(emulation::take_fault(), HasSubstr("which is no multiple of 1024"));
}

}  // namespace
}  // namespace nystrom::cuda
