#pragma once
// From a dtype to a kernel's template argument.

#include "kernels/tensor/dtype.h"

namespace nystrom::cuda {

/// Calls f(T{}) with the activation type T of `type`: float or BF16. The GPU computes in no other.
template <class F>
decltype(auto) dispatch_device(DType type, F&& f) {
  switch (type) {
    case DType::kF32:
      return f(float{});
    case DType::kBF16:
      return f(BF16{});
    default:
      break;
  }
  throw InternalError(
      fmt::format("{} on a GPU, which computes in fp32 and bf16 alone; use the CPU backend.", name_of(type)));
}

}  // namespace nystrom::cuda
