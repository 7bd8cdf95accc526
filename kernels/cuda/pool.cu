// Mean or maximum of a sequence's rows (pool.h), a column of a sequence a thread, and backward an element a
// thread; bytes s an element of size s; memory bounds it. Checked against the CPU through the emulation; not
// yet run on a GPU.

#include "kernels/cuda/ops.h"
#include "kernels/tensor/cuda/context.h"
#include "kernels/tensor/cuda/device_code.h"
#include "kernels/tensor/cuda/dispatch.h"
#include "kernels/tensor/cuda/launch.h"

namespace nystrom::cuda {
namespace {

constexpr unsigned kThreads = 128;

template <class T>
struct PoolPass {
  const std::int32_t* offsets;
  bool mean;
  std::int64_t columns;
  T* tokens;           // [T, C] x or d_x
  T* pooled;           // [B, C] y or d_y
  std::int32_t* rows;  // [B, C]
};

template <class T>
__global__ void pool_forward_kernel(PoolPass<T> pass) {
  const std::int64_t b = blockIdx.x, c = static_cast<std::int64_t>(blockIdx.y) * kThreads + threadIdx.x;
  if (c >= pass.columns) return;
  const std::int64_t begin = pass.offsets[b], end = pass.offsets[b + 1];
  float best = pass.mean ? 0.0F : load(pass.tokens + begin * pass.columns + c);
  std::int64_t at = begin;
  for (std::int64_t row = begin; row < end; ++row) {
    const float value = load(pass.tokens + row * pass.columns + c);
    if (pass.mean) {
      best += value;
    } else if (value > best) {
      best = value;
      at = row;
    }
  }
  store(pass.pooled + b * pass.columns + c,
        pass.mean ? best * (1.0F / static_cast<float>(end - begin)) : best);
  if (!pass.mean) pass.rows[b * pass.columns + c] = static_cast<std::int32_t>(at);
}

template <class T>
__global__ void pool_backward_kernel(PoolPass<T> pass) {
  const std::int64_t b = blockIdx.x, c = static_cast<std::int64_t>(blockIdx.y) * kThreads + threadIdx.x;
  if (c >= pass.columns) return;
  const std::int64_t begin = pass.offsets[b], end = pass.offsets[b + 1];
  const float d = load(pass.pooled + b * pass.columns + c);
  const float share = d * (1.0F / static_cast<float>(end - begin));
  for (std::int64_t row = begin + blockIdx.z; row < end; row += gridDim.z) {
    const float value = pass.mean ? share : pass.rows[b * pass.columns + c] == row ? d : 0.0F;
    store(pass.tokens + row * pass.columns + c, value);
  }
}

template <class T>
PoolPass<T> pass_of(PoolKind kind, const Sequences& sequences, const Tensor& tokens, const Tensor& pooled,
                    const Tensor& rows) {
  return {sequences.offsets.data<std::int32_t>(),
          kind == PoolKind::kMean,
          tokens.dim(1),
          tokens.data<T>(),
          pooled.data<T>(),
          rows.empty() ? nullptr : rows.data<std::int32_t>()};
}

dim3 grid_of(const Sequences& sequences, std::int64_t columns, unsigned slices) {
  return {static_cast<unsigned>(sequences.count), static_cast<unsigned>((columns + kThreads - 1) / kThreads),
          slices};
}

}  // namespace

void pool_forward(CudaContext& context, const Pool& args) {
  if (args.sequences.count == 0) return;
  dispatch_device(args.x.dtype, [&]<class T>(T) {
    launch(context.stream(), grid_of(args.sequences, args.x.dim(1), 1), dim3(kThreads), 0, "pool_forward",
           pool_forward_kernel<T>, pass_of<T>(args.kind, args.sequences, args.x, args.y, args.rows));
  });
}

void pool_backward(CudaContext& context, const PoolGradient& args) {
  if (args.sequences.count == 0) return;
  dispatch_device(args.d_x.dtype, [&]<class T>(T) {
    launch(context.stream(), grid_of(args.sequences, args.d_x.dim(1), 16), dim3(kThreads), 0, "pool_backward",
           pool_backward_kernel<T>, pass_of<T>(args.kind, args.sequences, args.d_x, args.d_y, args.rows));
  });
}

}  // namespace nystrom::cuda
