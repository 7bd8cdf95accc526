#include "kernels/cpu/matmul_bf16.h"

#include <cstdlib>

#include "kernels/cpu/product_of.h"
#include "kernels/cpu/products/amx.h"
#include "kernels/cpu/products/bf16.h"
#include "kernels/cpu/products/fp32.h"
#include "kernels/rows.h"
#include "kernels/tensor/buffer.h"
#include "kernels/tensor/cpu_features.h"

namespace nystrom {
namespace {

/// By kernels of our own.
void multiply_by(void (*product)(Context&, const Product&, bool rounded), Context& context,
                 const Matmul& args) {
  if (args.c.dtype == DType::kF32) return product(context, product_of(args), false);
  if (MatmulSizes(args).k <= kMaxRoundedK) return product(context, product_of(args), true);
  const OwnedTensor c(DType::kF32, args.c.shape);
  if (args.accumulate) convert(context, args.c, c);
  Matmul wide = args;
  wide.c = c;
  product(context, product_of(wide), false);
  convert(context, c, args.c);
}

Bf16Matmul fastest_implementation() {
  if (!bf16_is_native()) return {"fp32", &matmul_bf16_by_f32};
  const char* wish = std::getenv("NYSTROM_PRODUCTS");
  const bool onednn = wish != nullptr && std::string_view(wish) == "onednn";
  if (!onednn && amx_is_usable()) return {"AMX", &matmul_bf16_by_amx};
  const CpuFeatures features = CpuFeatures::detect();
  if (!onednn && !features.amx_bf16) return {"AVX512-BF16", &matmul_bf16_by_avx512};
  return {"oneDNN", &matmul_bf16_by_onednn};
}

}  // namespace

void matmul_bf16_by_amx(Context& context, const Matmul& args) {
  multiply_by(product_amx, context, args);
}

void matmul_bf16_by_emulated_amx(Context& context, const Matmul& args) {
  multiply_by(product_amx_emulated, context, args);
}

void matmul_bf16_by_avx512(Context& context, const Matmul& args) {
  multiply_by(product_bf16, context, args);
}

void matmul_bf16_by_f32(Context& context, const Matmul& args) {
  const auto widened = [&](const Tensor& from, bool filled) {
    OwnedTensor wide(DType::kF32, from.shape);
    if (filled) convert(context, from, wide);
    return wide;
  };
  const OwnedTensor a = widened(args.a, true), b = widened(args.b, true);
  const bool narrow = args.c.dtype == DType::kBF16;
  const OwnedTensor c = narrow ? widened(args.c, args.accumulate) : OwnedTensor();
  Matmul wide = args;
  wide.a = a;
  wide.b = b;
  if (narrow) wide.c = c;
  product_fp32(context, product_of(wide));
  if (narrow) convert(context, c, args.c);
}

std::string_view bf16_products() {
  return bf16_matmul().name;
}

bool computes_on_context_threads(DType precision) {
  return precision != DType::kBF16 || bf16_matmul().run != &matmul_bf16_by_onednn;
}

const Bf16Matmul& bf16_matmul() {
  static const Bf16Matmul chosen = fastest_implementation();
  return chosen;
}

}  // namespace nystrom
