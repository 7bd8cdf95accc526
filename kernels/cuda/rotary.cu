// Rotary positions (rotary.h), a pair a thread; bytes 2 s an element of size s and the table, from the cache;
// memory bounds it. Checked against the CPU through the emulation; not yet run on a GPU.

#include "kernels/cuda/ops.h"
#include "kernels/tensor/cuda/context.h"
#include "kernels/tensor/cuda/device_code.h"
#include "kernels/tensor/cuda/dispatch.h"
#include "kernels/tensor/cuda/launch.h"

namespace nystrom::cuda {
namespace {

constexpr unsigned kThreads = 256;

template <class T>
struct Turn {
  T* qkv;
  const std::int32_t* positions;
  const float* table;
  std::int64_t rows, stride;  // of qkv
  int heads, width;           // heads of all projections that are turned
  float direction;
};

template <class T>
__global__ void rotate_kernel(Turn<T> turn) {
  const int half = turn.width / 2, pairs = turn.heads * half;
  for (std::int64_t i = grid_index(); i < turn.rows * pairs; i += grid_threads()) {
    const std::int64_t row = i / pairs;
    const int head = static_cast<int>(i % pairs) / half, pair = static_cast<int>(i % pairs) % half;
    const float* const table = turn.table + static_cast<std::int64_t>(turn.positions[row]) * turn.width;
    T* const a = turn.qkv + row * turn.stride + head * turn.width + pair;
    const float x = load(a), y = load(a + half), cosine = table[pair];
    const float sine = turn.direction * table[half + pair];
    store(a, x * cosine - y * sine);
    store(a + half, y * cosine + x * sine);
  }
}

}  // namespace

void rotate(CudaContext& context, const Rotary& args) {
  const std::int64_t width = args.table.dim(1),
                     pairs = args.qkv.dim(0) * args.turned * args.heads * width / 2;
  if (pairs == 0) return;
  dispatch_device(args.qkv.dtype, [&]<class T>(T) {
    const Turn<T> turn{args.qkv.data<T>(),       args.positions.data<std::int32_t>(),
                       args.table.data<float>(), args.qkv.dim(0),
                       args.qkv.dim(1),          static_cast<int>(args.turned * args.heads),
                       static_cast<int>(width),  args.back ? -1.0F : 1.0F};
    const std::int64_t blocks =
        std::min<std::int64_t>((pairs + kThreads - 1) / kThreads, 8LL * context.multiprocessors());
    launch(context.stream(), dim3(static_cast<unsigned>(blocks)), dim3(kThreads), 0, "rotate",
           rotate_kernel<T>, turn);
  });
}

}  // namespace nystrom::cuda
