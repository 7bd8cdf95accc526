// No attention on the GPU: the values and their convolution. Block (item, 32 rows), an element a thread at a
// time. Bytes: 2 n C elements, and K n C from the cache. Checked against the CPU through the emulation;
// neither run on a GPU nor tuned.

#include "kernels/cuda/attention/kinds/plain_launch.h"
#include "kernels/cuda/attention/kinds/workspace.h"
#include "kernels/cuda/ops.h"
#include "kernels/tensor/cuda/dispatch.h"

namespace nystrom::cuda {
namespace {

template <class T, bool kBackward>
__global__ void __launch_bounds__(kPlainThreads) value_kernel(PlainPass<T> pass) {
  const AttentionItem item = item_of(pass.problem, static_cast<int>(blockIdx.x));
  const int first = static_cast<int>(blockIdx.y) * kPlainRows, count = min(kPlainRows, item.rows - first);
  if (count <= 0) return;
  const T* const from = kBackward ? rows_of(pass.d_out, pass.problem, item, 1, 0) : pass.values(item);
  T* const to = kBackward ? pass.d_part(item, 0) : rows_of(pass.out, pass.problem, item, 1, 0);
  for_elements(count, pass.problem.width, [&](int i, int d) {
    const std::int64_t at = (first + i) * pass.channels() + d;
    const float conv =
        kBackward ? pass.convolved_gradient(item, first + i, d) : pass.convolved_value(item, first + i, d);
    store(to + at, load(from + at) + conv);
  });
}

}  // namespace

void value_attention_forward(CudaContext& context, const AttentionInputs& inputs) {
  if (nothing_to_do(inputs)) return;
  dispatch_device(inputs.qkv.dtype, [&]<class T>(T) {
    launch_plain(context, grid_of_tiles(inputs), 0, "value_attention_forward", value_kernel<T, false>,
                 plain_pass<T>(inputs, {}));
  });
}

void value_attention_backward(CudaContext& context, const AttentionInputs& inputs,
                              const AttentionGradients& gradients) {
  if (nothing_to_do(inputs)) return;
  const auto workspace =
      workspace_in<CudaAttentionWorkspace>(inputs.workspace, plain_shape(CudaAttentionShape(inputs)), true);
  dispatch_device(inputs.qkv.dtype, [&]<class T>(T) {
    const auto pass = plain_pass<T>(inputs, {}, &gradients);
    launch_plain(context, grid_of_tiles(inputs), 0, "value_attention_backward", value_kernel<T, true>, pass);
    add_filter_gradient(context, pass, workspace.d_filter, gradients);
  });
}

}  // namespace nystrom::cuda
