// Planted accesses that are not aligned (alignment.cpp).

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "emulation.h"
#include "kernels/tensor/cuda/context.h"
#include "kernels/tensor/cuda/launch.h"

namespace nystrom::cuda {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

__global__ void copy_kernel(float* to, const float* from) {
  *reinterpret_cast<uint4*>(to) = *reinterpret_cast<const uint4*>(from);
}
__global__ void double_kernel(const float* from, float* to) {
  const float2 pair = *reinterpret_cast<const float2*>(from);
  to[0] = pair.x + pair.y;
}

class Alignment : public ::testing::Test {
 protected:
  ~Alignment() override { (void)emulation::take_fault(); }

  template <class Kernel, class... Arguments>
  std::string fault_of(Kernel kernel, Arguments... arguments) {
    launch(stream_, 1, 1, 0, "planted", kernel, arguments...);
    try {
      stream_.synchronize();
    } catch (const DeviceError&) {
    }
    return emulation::take_fault();
  }
  float* x() { return reinterpret_cast<float*>(buffer_.data()); }

 private:
  Stream stream_;
  DeviceMemory memory_;
  Buffer buffer_{256, memory_};
};

TEST_F(Alignment, of_a_vector_is_its_size) {
  EXPECT_THAT(fault_of(copy_kernel, x() + 4, x() + 8), IsEmpty());
  EXPECT_THAT(fault_of(copy_kernel, x() + 4, x() + 9),
              AllOf(HasSubstr("kernel planted"), HasSubstr("at alignment_test.cpp:"), HasSubstr("uint4"),
                    HasSubstr("no multiple of 16")));
  EXPECT_THAT(fault_of(copy_kernel, x() + 2, x() + 8), HasSubstr("no multiple of 16"));
  EXPECT_THAT(fault_of(double_kernel, x() + 2, x()), IsEmpty());
  EXPECT_THAT(fault_of(double_kernel, x() + 1, x()), HasSubstr("no multiple of 8"));
}

}  // namespace
}  // namespace nystrom::cuda
