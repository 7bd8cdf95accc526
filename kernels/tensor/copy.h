#pragma once
// Copies between tensors, on the device of a context.

#include "kernels/tensor/context.h"
#include "kernels/tensor/tensor.h"

namespace nystrom {

/// to = from, of as many bytes, both in the context's memory, after its ops so far. On a GPU the host does
/// not wait; on the CPU its threads share the work.
void copy_bytes(Context& context, const Tensor& from, const Tensor& to);

}  // namespace nystrom
