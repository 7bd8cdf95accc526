// fill_zero on the device.

#include "kernels/fill.h"

#include "cuda/on_device.h"
#include "op_support.h"

namespace nystrom::testing {
namespace {

TEST(FillOnDevice, zeroes_every_byte_and_nothing_beyond) {
  OnDevice device;
  for (const std::int64_t count : {1, 31, 1000}) {
    const DeviceTensor x = device.fresh(DType::kF32, {count + 1});
    fill_zero(device.context(), x.view().first(count));
    const OwnedTensor host = device.fetch(x);
    for (std::int64_t i = 0; i < count; ++i) EXPECT_EQ(value(host, i), 0) << i << " of " << count;
    EXPECT_TRUE(std::isnan(value(host, count)));
  }
}

}  // namespace
}  // namespace nystrom::testing
