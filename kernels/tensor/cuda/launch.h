#pragma once
// The one way in which kernels are started:
//
//   launch(context.stream(), dim3(blocks), dim3(256), shared_bytes, "gelu_forward", gelu_kernel<T>, params);
//
// By nvcc it is cudaLaunchKernelEx; in the emulation (tests/emulation) the CPU runs it. A launch that
// is refused throws DeviceError with the op's name; what goes wrong while it runs is reported by the next
// call that waits. A stream with a timer has each kernel timed (kernel_timer.h).

#include <cuda_runtime.h>

#include <cstddef>
#include <type_traits>

#include "kernels/tensor/cuda/check.h"
#include "kernels/tensor/cuda/kernel_timer.h"
#include "kernels/tensor/cuda/stream.h"
#ifdef NYSTROM_EMULATION
#include "emulation.h"
#endif

namespace nystrom::cuda {

/// Up to here a block gets dynamic shared memory without asking.
inline constexpr std::size_t kPlainSharedBytes = 48 * 1024;

namespace detail {

#ifdef NYSTROM_EMULATION

template <class... Params, class... Arguments>
cudaError_t start(const Stream& stream, dim3 grid, dim3 block, std::size_t shared_bytes, const char* name,
                  void (*kernel)(Params...), const Arguments&... arguments) {
  const auto enqueue = [&](Params... values) {
    (__builtin_clear_padding(&values), ...);  // what was there before may look like an address
    (emulation::check_parameter(name, &values, sizeof values), ...);
    return emulation::enqueue_kernel(
        stream, grid, block, shared_bytes, name, [=] { kernel(values...); },
        reinterpret_cast<const void*>(kernel));
  };
  return enqueue(arguments...);
}

#else

template <class... Params, class... Arguments>
cudaError_t start(const Stream& stream, dim3 grid, dim3 block, std::size_t shared_bytes, const char* /*name*/,
                  void (*kernel)(Params...), const Arguments&... arguments) {
  cudaLaunchConfig_t config{};
  config.gridDim = grid;
  config.blockDim = block;
  config.dynamicSmemBytes = shared_bytes;
  config.stream = stream;
  return cudaLaunchKernelEx(&config, kernel, static_cast<Params>(arguments)...);
}

#endif

}  // namespace detail

template <class... Params, class... Arguments>
void launch(const Stream& stream, dim3 grid, dim3 block, std::size_t shared_bytes, const char* name,
            void (*kernel)(Params...), const Arguments&... arguments) {
  static_assert((std::is_trivially_copyable_v<Params> && ...), "a kernel's parameters are copied as bytes");
  if (shared_bytes > kPlainSharedBytes)
    check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                               static_cast<int>(shared_bytes)),
          name);
  timed(stream, name,
        [&] { check(detail::start(stream, grid, block, shared_bytes, name, kernel, arguments...), name); });
  if (synchronous_launches()) check(cudaStreamSynchronize(stream), name);
}

}  // namespace nystrom::cuda
