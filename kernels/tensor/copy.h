#pragma once
// Bytes from one tensor to another, where ops work on them.

#include "kernels/tensor/context.h"
#include "kernels/tensor/tensor.h"

namespace nystrom {

/// to = from, of as many bytes, both in the context's memory, after its ops so far. On a GPU the host does
/// not wait; on the processor its threads share the work.
void copy_bytes(Context& context, const Tensor& from, const Tensor& to);

}  // namespace nystrom
