// Rows scaled to one length (unit_rows.h), a row a warp; bytes 8 an element forward and 16 backward; memory
// bounds it. Checked against the CPU through the emulation; not yet run on a GPU.

#include "kernels/cuda/ops.h"
#include "kernels/tensor/cuda/context.h"
#include "kernels/tensor/cuda/device_code.h"
#include "kernels/tensor/cuda/launch.h"

namespace nystrom::cuda {
namespace {

constexpr unsigned kThreads = 128;

struct Rows {
  std::int64_t count, columns, size;  // [count, columns], of which the first `size`
  float length;
};

/// The row of this thread's warp.
__device__ std::int64_t row_index() {
  return static_cast<std::int64_t>(blockIdx.x) * (kThreads / kWarp) + warp_index();
}

__global__ void unit_rows_forward_kernel(Rows rows, const float* x, float* norms, float* y) {
  const std::int64_t row = row_index();
  if (row >= rows.count) return;
  x += row * rows.columns;
  y += row * rows.size;
  float squares = 0;
  for (std::int64_t c = lane_index(); c < rows.size; c += kWarp) squares += x[c] * x[c];
  const float norm = sqrtf(warp_sum(squares)), scale = norm > 0 ? rows.length / norm : 0.0F;
  if (lane_index() == 0) norms[row] = norm;
  for (std::int64_t c = lane_index(); c < rows.size; c += kWarp) y[c] = scale * x[c];
}

__global__ void unit_rows_backward_kernel(Rows rows, const float* y, const float* norms, const float* d_y,
                                          float* d_x) {
  const std::int64_t row = row_index();
  if (row >= rows.count || norms[row] == 0) return;
  y += row * rows.size;
  d_y += row * rows.size;
  d_x += row * rows.columns;
  float product = 0;
  for (std::int64_t c = lane_index(); c < rows.size; c += kWarp) product += y[c] * d_y[c];
  const float along = warp_sum(product) / (rows.length * rows.length), scale = rows.length / norms[row];
  for (std::int64_t c = lane_index(); c < rows.size; c += kWarp) d_x[c] += scale * (d_y[c] - along * y[c]);
}

dim3 blocks_of(std::int64_t rows) {
  constexpr std::int64_t kRows = kThreads / kWarp;
  return dim3(static_cast<unsigned>((rows + kRows - 1) / kRows));
}

}  // namespace

void unit_rows_forward(CudaContext& context, const UnitRows& args) {
  const Rows rows{args.x.dim(0), args.x.dim(1), args.y.dim(1), static_cast<float>(args.length)};
  if (rows.count == 0) return;
  launch(context.stream(), blocks_of(rows.count), dim3(kThreads), 0, "unit_rows_forward",
         unit_rows_forward_kernel, rows, args.x.data<float>(), args.norms.data<float>(),
         args.y.data<float>());
}

void unit_rows_backward(CudaContext& context, const UnitRowsGradient& args) {
  const Rows rows{args.d_x.dim(0), args.d_x.dim(1), args.d_y.dim(1), static_cast<float>(args.length)};
  if (rows.count == 0) return;
  launch(context.stream(), blocks_of(rows.count), dim3(kThreads), 0, "unit_rows_backward",
         unit_rows_backward_kernel, rows, args.y.data<float>(), args.norms.data<float>(),
         args.d_y.data<float>(), args.d_x.data<float>());
}

}  // namespace nystrom::cuda
