#pragma once
// Matrix products with what cuBLASLt can do on the way out of their sums, for the ops that ask for more than
// matmul().

#include <functional>

#include "kernels/matmul.h"
#include "kernels/tensor/cuda/context.h"

namespace nystrom::cuda {

/// c = op(a) op(b) (+ c), as the library takes it; the bias is left out.
[[nodiscard]] BlasLt::Product product_of(const Matmul& args);

/// [count]: scratch for a product's vector, always in the same place of the workspace, behind the library's.
[[nodiscard]] Tensor vector_scratch(const CudaContext& context, DType type, std::int64_t count);

/// A bias [n] in the dtype of what it is added to, the only one that the library takes: itself, or
/// vector_scratch(), into which round_bias() puts it.
[[nodiscard]] Tensor bias_like(const CudaContext& context, const Tensor& bias, DType type);
void round_bias(CudaContext& context, const Tensor& bias, const Tensor& like);

[[nodiscard]] bool knows(CudaContext& context, const BlasLt::Product& product);
/// Whether a product with an epilogue is to be taken: the library knows it and, where products are timed,
/// `apart` (the same in separate steps) was not faster than `fused` when its kind first came. Both may be run
/// a few times, so they must overwrite what they write.
[[nodiscard]] bool is_worth_it(CudaContext& context, const BlasLt::Product& product,
                               const std::function<void()>& fused, const std::function<void()>& apart);
void multiply(CudaContext& context, const BlasLt::Product& product);

}  // namespace nystrom::cuda
