// Matrix products on the device, by cuBLASLt (kernels/tensor/cuda/blaslt.h). fp32 is true fp32, without TF32;
// bf16 is summed in fp32. Checked against the CPU through the emulation; not yet run on a GPU.

#include "kernels/cuda/ops.h"

#include <algorithm>
#include <array>
#include <limits>
#include <string>

#include "kernels/cuda/gemm_epilogues.h"
#include "kernels/cuda/vectorized.h"
#include "kernels/rows.h"
#include "kernels/tensor/cuda/dispatch.h"
#include "kernels/tensor/cuda/kernel_timer.h"

namespace nystrom::cuda {
namespace {

/// c += bias in every row.
template <class T>
struct AddBias {
  T* c;
  const float* bias;            // [width]
  std::int64_t columns, width;  // of a row, and those that a bias is added to

  template <bool kRagged>
  __device__ void at(std::int64_t first, int count) const {
    Vec8 sum = load8<kRagged>(c + first, count);
#pragma unroll
    for (int i = 0; i < kEight; ++i)
      if (const std::int64_t column = (first + i) % columns; i < count && column < width)
        sum.v[i] += bias[column];
    store8<kRagged>(c + first, sum, count);
  }
};

void add_bias(CudaContext& context, const Tensor& bias, const Tensor& c) {
  dispatch_device(c.dtype, [&]<class T>(T) {
    const AddBias<T> body{c.data<T>(), bias.data<float>(), c.dim(1), bias.numel()};
    vectorized_for_each(context, "add_bias", c.numel(), whole_eights(body.c, c.numel()), body);
  });
}

}  // namespace

// c = a b of row-major matrices is c^T = b^T a^T of column-major ones: the operands change places, and each
// is transposed as it was.
BlasLt::Product product_of(const Matmul& args) {
  dispatch_device(args.a.dtype, [](auto) {});  // refuses fp64
  const MatmulSizes sizes(args);
  return {.m = sizes.n,
          .n = sizes.m,
          .k = sizes.k,
          .a = args.b.address,
          .b = args.a.address,
          .d = args.c.address,
          .a_stride = args.b.dim(1),
          .b_stride = args.a.dim(1),
          .d_stride = args.c.dim(1),
          .transpose_a = args.transpose_b,
          .transpose_b = args.transpose_a,
          .input = args.a.dtype,
          .output = args.c.dtype,
          .accumulate = args.accumulate};
}

Tensor vector_scratch(const CudaContext& context, DType type, std::int64_t count) {
  const std::size_t bytes = static_cast<std::size_t>(count) * size_of(type);
  auto* workspace = static_cast<std::byte*>(context.workspace(BlasLt::kWorkspaceBytes + bytes));
  return {workspace + BlasLt::kWorkspaceBytes, type, {count}};
}

Tensor bias_like(const CudaContext& context, const Tensor& bias, DType type) {
  return bias.dtype == type ? bias : vector_scratch(context, type, bias.numel());
}

void round_bias(CudaContext& context, const Tensor& bias, const Tensor& like) {
  if (like.address != bias.address) convert(context, bias, like);
}

bool knows(CudaContext& context, const BlasLt::Product& product) {
  return context.blas().knows(product);
}

namespace {

/// By which a product is known among the kernels that are timed: "product bf16>fp32 2304x768x65536 nt +sums".
std::string name_of(const BlasLt::Product& p) {
  constexpr std::array kEpilogues{"", " +bias", " +gelu", " +slope", " +sums"};
  return fmt::format("product {}>{} {}x{}x{} {}{}{}", nystrom::name_of(p.input), nystrom::name_of(p.output),
                     p.m, p.n, p.k, p.transpose_a ? 't' : 'n', p.transpose_b ? 't' : 'n',
                     kEpilogues[static_cast<std::size_t>(p.epilogue)]);
}

/// The best of a few times, after one that chooses algorithms and loads kernels.
double best_milliseconds(const Stream& stream, const std::function<void()>& work) {
  constexpr int kTimes = 3;
  const Event start(Event::Timing::kOn), end(Event::Timing::kOn);
  work();
  double best = std::numeric_limits<double>::infinity();
  for (int i = 0; i < kTimes; ++i) {
    stream.record(start);
    work();
    stream.record(end);
    end.synchronize();
    best = std::min(best, end.milliseconds_since(start));
  }
  return best;
}

}  // namespace

bool is_worth_it(CudaContext& context, const BlasLt::Product& product, const std::function<void()>& fused,
                 const std::function<void()>& apart) {
  BlasLt& blas = context.blas();
  if (!blas.is_undecided(context.stream(), product)) return blas.knows(product);
  const double together = best_milliseconds(context.stream(), fused);
  blas.decide(product, together <= best_milliseconds(context.stream(), apart));
  return blas.knows(product);
}

void multiply(CudaContext& context, const BlasLt::Product& product) {
  const Stream& stream = context.stream();
  timed(stream, stream.timer() == nullptr ? std::string() : name_of(product),
        [&] { context.blas().run(stream, product, context.workspace(BlasLt::kWorkspaceBytes)); });
}

void matmul(CudaContext& context, const Matmul& args) {
  const BlasLt::Product plain = product_of(args);
  if (args.bias.empty()) return multiply(context, plain);
  const Tensor bias = bias_like(context, args.bias, args.c.dtype);
  BlasLt::Product product = plain;
  product.epilogue = BlasLt::Epilogue::kBias;
  product.vector = bias.address;
  if (knows(context, product)) {
    round_bias(context, args.bias, bias);
    return multiply(context, product);
  }
  multiply(context, plain);
  add_bias(context, args.bias, args.c);
}

}  // namespace nystrom::cuda
