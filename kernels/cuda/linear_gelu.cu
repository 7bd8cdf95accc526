// A linear layer and GELU in one product by cuBLASLt (linear_gelu.h): GELU_AUX_BIAS forward, DGELU backward.
// Bytes beside the product's own: forward s an element of pre, backward as many; two launches forward, the
// first of which rounds the bias, one backward.
// Checked against the CPU through the emulation; not yet run on a GPU.

#include "kernels/cuda/ops.h"

#include "kernels/cuda/gemm_epilogues.h"

namespace nystrom::cuda {
namespace {

constexpr std::int64_t kAuxGrain = 8;  // the library's: its auxiliary matrix has a stride of whole eights

bool is_the_librarys(Activation kind, const Tensor& pre) {
  return kind == Activation::kGeluNew && pre.dtype == DType::kBF16 && pre.numel() > 0 &&
         pre.dim(1) % kAuxGrain == 0;
}

BlasLt::Product forward_product(const CudaContext& context, const LinearGelu& args) {
  BlasLt::Product product = product_of({.a = args.x, .b = args.w, .transpose_b = true, .c = args.y});
  product.epilogue = BlasLt::Epilogue::kGelu;
  product.vector = bias_like(context, args.bias, args.y.dtype).address;
  product.aux = args.pre.address;
  return product;
}

BlasLt::Product slope_product(const LinearGeluGradient& args) {
  BlasLt::Product product = product_of({.a = args.d_next, .b = args.w_next, .c = args.d_pre});
  product.epilogue = BlasLt::Epilogue::kGeluSlope;
  product.aux = args.pre.address;
  return product;
}

}  // namespace

bool is_fused(CudaContext& context, const LinearGelu& args) {
  return is_the_librarys(args.kind, args.pre) &&
         is_worth_it(
             context, forward_product(context, args), [&] { linear_gelu_forward_fused(context, args); },
             [&] {
               matmul(context,
                      {.a = args.x, .b = args.w, .transpose_b = true, .bias = args.bias, .c = args.pre});
               gelu_forward(context, args.kind, args.pre, args.y);
             });
}

void linear_gelu_forward_fused(CudaContext& context, const LinearGelu& args) {
  round_bias(context, args.bias, bias_like(context, args.bias, args.y.dtype));
  multiply(context, forward_product(context, args));
}

bool is_fused(CudaContext& context, const LinearGeluGradient& args) {
  return is_the_librarys(args.kind, args.pre) &&
         is_worth_it(
             context, slope_product(args), [&] { gelu_slope_product(context, args); },
             [&] {
               matmul(context, {.a = args.d_next, .b = args.w_next, .c = args.d_pre});
               gelu_backward(context, args.kind, args.pre, args.d_pre, args.d_pre, {});
             });
}

void gelu_slope_product(CudaContext& context, const LinearGeluGradient& args) {
  multiply(context, slope_product(args));
}

}  // namespace nystrom::cuda
