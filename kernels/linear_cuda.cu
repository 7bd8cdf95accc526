// Matrix products on the device, by cuBLASLt (kernels/core/cuda/blaslt.h), and column sums (columns_cuda.h).
// fp32 is true fp32, without TF32; bf16 is summed in fp32. Column sums: s bytes an element, bound by memory.
// Checked against the CPU through the emulation; not yet run on a GPU.

#include "kernels/linear.h"

#include "kernels/columns_cuda.h"
#include "kernels/core/cuda/blaslt.h"
#include "kernels/core/cuda/dispatch.h"
#include "kernels/eights_cuda.h"
#include "kernels/matmul.h"
#include "kernels/rows.h"

namespace nystrom::cuda {
namespace {

template <class T>
struct Load {
  const T* x;

  template <bool kRagged>
  __device__ Eight at(std::int64_t first, int count) const {
    return load8<kRagged>(x + first, count);
  }
};

/// c += bias in every row.
template <class T>
struct AddBias {
  T* c;
  const float* bias;
  std::int64_t columns;

  template <bool kRagged>
  __device__ void at(std::int64_t first, int count) const {
    Eight sum = load8<kRagged>(c + first, count);
#pragma unroll
    for (int i = 0; i < kEight; ++i)
      if (i < count) sum.v[i] += bias[(first + i) % columns];
    store8<kRagged>(c + first, sum, count);
  }
};

void add_bias(CudaContext& context, const Tensor& bias, const Tensor& c) {
  dispatch_device(c.dtype, [&]<class T>(T) {
    const AddBias<T> body{c.data<T>(), bias.data<float>(), c.dim(1)};
    for_eights(context, "add_bias", c.numel(), whole_eights(body.c, c.numel()), body);
  });
}

/// The bias in the dtype of c, which is the only one that cuBLASLt adds to it: a rounded copy in `room` where
/// they differ.
const void* bias_like(CudaContext& context, const Matmul& args, void* room) {
  if (args.bias.empty() || args.bias.dtype == args.c.dtype) return args.bias.address;
  convert(context, args.bias, Tensor(room, args.c.dtype, args.bias.shape));
  return room;
}

std::size_t rounded_bias_bytes(const Matmul& args) {
  constexpr std::size_t kBlock = 256;  // cuBLASLt's workspace begins on such a boundary
  if (args.bias.empty() || args.bias.dtype == args.c.dtype) return 0;
  const std::size_t bytes = static_cast<std::size_t>(args.bias.numel()) * size_of(args.c.dtype);
  return (bytes + kBlock - 1) / kBlock * kBlock;
}

}  // namespace

// c = a b of row-major matrices is c^T = b^T a^T of column-major ones: the operands change places, and each
// is transposed as it was.
void matmul(CudaContext& context, const Matmul& args) {
  dispatch_device(args.a.dtype, [](auto) {});  // refuses fp64
  const std::size_t bias_bytes = rounded_bias_bytes(args);
  auto* workspace = static_cast<std::byte*>(context.workspace(BlasLt::kWorkspaceBytes + bias_bytes));
  BlasLt::Product product{.m = args.b.dim(args.transpose_b ? 0 : 1),
                          .n = args.a.dim(args.transpose_a ? 1 : 0),
                          .k = args.a.dim(args.transpose_a ? 0 : 1),
                          .a = args.b.address,
                          .b = args.a.address,
                          .d = args.c.address,
                          .bias = bias_like(context, args, workspace + BlasLt::kWorkspaceBytes),
                          .a_stride = args.b.dim(1),
                          .b_stride = args.a.dim(1),
                          .d_stride = args.c.dim(1),
                          .transpose_a = args.transpose_b,
                          .transpose_b = args.transpose_a,
                          .input = args.a.dtype,
                          .output = args.c.dtype,
                          .accumulate = args.accumulate};
  const bool apart = product.bias != nullptr && !context.blas().knows(product);
  if (apart) product.bias = nullptr;
  context.blas().run(context.stream(), product, workspace);
  if (apart) add_bias(context, args.bias, args.c);
}

void column_sums(CudaContext& context, const Tensor& d_y, const Tensor& d_bias) {
  dispatch_device(d_y.dtype, [&]<class T>(T) {
    const Load<T> body{d_y.data<T>()};
    sum_columns(context, "column_sums", d_y.dim(0), d_y.dim(1), whole_eights(body.x, d_y.dim(1)), body,
                d_bias.data<float>());
  });
}

}  // namespace nystrom::cuda
