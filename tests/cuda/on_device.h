#pragma once
// Tensors on the device for tests of CUDA ops: made from the host's, run, copied back.
//
//   OnDevice device;
//   const DeviceTensor x = device.copy(host_x), y = device.like(host_y);   // y is poisoned: 0xff
//   gelu_forward(device.context(), kind, x, y);
//   EXPECT_LT(distance(device.fetch(y), host_y), tolerance(type));

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <vector>

#include "kernels/tensor/buffer.h"
#include "kernels/tensor/context.h"
#include "kernels/tensor/cuda/context.h"

namespace nystrom::testing {

using DeviceTensor = OwnedTensor;

class OnDevice {
 public:
  explicit OnDevice(bool time_products = false)
      : cuda_(std::make_unique<CudaContext>(0, time_products)), context_(1, cuda_.get()) {}

  /// What ops are called with.
  [[nodiscard]] Context& context() { return context_; }
  [[nodiscard]] CudaContext& cuda() { return *cuda_; }

  /// A tensor of the device with the host tensor's elements. An empty one stays empty.
  [[nodiscard]] DeviceTensor copy(const Tensor& host) {
    if (host.empty()) return {};
    DeviceTensor device(host.dtype, host.shape, cuda_->memory());
    if (host.bytes() != 0)
      cuda::copy_to_device(cuda_->stream(), device.view().address, host.address, host.bytes());
    cuda_->stream().synchronize();
    return device;
  }
  template <class T>
  [[nodiscard]] DeviceTensor copy(const std::vector<T>& values) {
    return copy(
        Tensor(const_cast<T*>(values.data()), dtype_of<T>(), {static_cast<std::int64_t>(values.size())}));
  }

  /// A tensor of the device for a result: all bits set (NaN, -1), so that what is not written shows.
  [[nodiscard]] DeviceTensor fresh(DType type, Shape shape) {
    DeviceTensor device(type, shape, cuda_->memory());
    if (device.view().bytes() != 0)
      cuda::check(cudaMemsetAsync(device.view().address, 0xff, device.view().bytes(), cuda_->stream()),
                  "poisoning");
    return device;
  }
  [[nodiscard]] DeviceTensor like(const Tensor& host) { return fresh(host.dtype, host.shape); }

  /// The device tensor's elements, on the host, when all work so far is done.
  [[nodiscard]] OwnedTensor fetch(const Tensor& device) {
    OwnedTensor host(device.dtype, device.shape);
    cuda_->stream().synchronize();
    if (device.bytes() != 0)
      cuda::copy_to_host(cuda_->stream(), host.view().address, device.address, device.bytes());
    cuda_->stream().synchronize();
    return host;
  }

 private:
  std::unique_ptr<CudaContext> cuda_;
  Context context_;
};

}  // namespace nystrom::testing
