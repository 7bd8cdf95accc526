// A layer's weight gradient with its bias gradient in one product, where cuBLASLt knows how (BGRADB): it sums
// the columns of d_y while it reads them anyway. Else column sums by a kernel (column_sums.h), s bytes an
// element, bound by memory. The other products of linear.h are matmul's (matmul.cu).
// Checked against the CPU through the emulation; not yet run on a GPU.

#include "kernels/cuda/ops.h"

#include "kernels/cuda/column_sums.h"
#include "kernels/cuda/gemm_epilogues.h"
#include "kernels/tensor/cuda/dispatch.h"

namespace nystrom::cuda {
namespace {

template <class T>
struct Load {
  const T* x;

  template <bool kRagged>
  __device__ Vec8 at(std::int64_t first, int count) const {
    return load8<kRagged>(x + first, count);
  }
};

/// The product whose second operand, to the library, is d_y; it overwrites the sums, so that they go to
/// scratch.
BlasLt::Product with_sums(const CudaContext& context, const Tensor& d_y, const Tensor& x, const Tensor& d_w) {
  BlasLt::Product product = product_of({.a = d_y, .b = x, .transpose_a = true, .c = d_w, .accumulate = true});
  product.epilogue = BlasLt::Epilogue::kSumsOfB;
  product.vector = vector_scratch(context, d_w.dtype, d_w.dim(0)).address;
  return product;
}

/// Compares both ways on separate gradients, since these are added to. Without memory for them: the
/// product.
bool is_worth_it_beside(CudaContext& context, const BlasLt::Product& product, const Tensor& d_y,
                        const Tensor& x, const Tensor& d_w, const Tensor& d_bias) {
  try {
    const OwnedTensor w_like(d_w.dtype, d_w.shape, context.memory()),
        bias_like(d_bias.dtype, d_bias.shape, context.memory());
    return is_worth_it(
        context, product, [&] { linear_backward_weight(context, d_y, x, w_like, bias_like); },
        [&] {
          matmul(context, {.a = d_y, .b = x, .transpose_a = true, .c = w_like, .accumulate = true});
          column_sums(context, d_y, bias_like);
        });
  } catch (const OutOfMemory&) {
    return true;
  }
}

}  // namespace

bool sums_in_product(CudaContext& context, const Tensor& d_y, const Tensor& x, const Tensor& d_w,
                     const Tensor& d_bias) {
  if (d_y.dtype != DType::kBF16 || d_y.numel() == 0 || d_bias.empty()) return false;
  const BlasLt::Product product = with_sums(context, d_y, x, d_w);
  if (!context.blas().is_undecided(context.stream(), product)) return knows(context, product);
  return is_worth_it_beside(context, product, d_y, x, d_w, d_bias);
}

void linear_backward_weight(CudaContext& context, const Tensor& d_y, const Tensor& x, const Tensor& d_w,
                            const Tensor& d_bias) {
  const BlasLt::Product product = with_sums(context, d_y, x, d_w);
  multiply(context, product);
  add_column_partials(context, static_cast<const float*>(product.vector), 1, d_bias.numel(),
                      {d_bias.data<float>(), nullptr, nullptr}, 1);
}

void column_sums(CudaContext& context, const Tensor& d_y, const Tensor& d_bias) {
  dispatch_device(d_y.dtype, [&]<class T>(T) {
    const Load<T> body{d_y.data<T>()};
    sum_columns(context, "column_sums", d_y.dim(0), d_bias.numel(), d_y.dim(1),
                whole_eights(body.x, d_y.dim(1)), body, d_bias.data<float>());
  });
}

}  // namespace nystrom::cuda
