// Exact attention of the CUDA backend. Checked against the CPU through the emulation; not yet run on a GPU.

#include "kernels/cuda/attention/kinds/exact_attention.h"

#include "kernels/tensor/cuda/dispatch.h"

namespace nystrom::cuda {
namespace {

AttentionProblem problem_within(const CudaAttentionShape& shape, const AttentionInputs& inputs,
                                const ExactWindow& window) {
  AttentionProblem problem = problem_of(shape, inputs);
  problem.window_half = window.half;
  problem.first_is_global = window.first_is_global;
  return problem;
}

template <class T>
void forward(CudaContext& context, const SoftmaxAttention& args, const ExactWindow& window) {
  const CudaAttentionShape shape(args.inputs);
  const AttentionProblem problem = problem_within(shape, args.inputs, window);
  attend_rows(context, attend_rows_of<T>(problem, args.inputs, args.row_stats), true, shape.longest);
}

template <class T>
void backward(CudaContext& context, const SoftmaxAttention& args, const AttentionGradients& gradients,
              const ExactWindow& window) {
  const CudaAttentionShape shape(args.inputs);
  const auto workspace = workspace_in<CudaAttentionWorkspace>(args.inputs.workspace, shape, true);
  const AttentionProblem problem = problem_within(shape, args.inputs, window);
  const auto pass = gradient_pass<T>(shape, problem, workspace, args.inputs, args.row_stats, gradients);
  rows_gradient(context, rows_gradient_of<T>(pass, args.inputs), true, shape.longest);
  keys_gradient(context, keys_gradient_of<T>(pass), true, shape.longest);
  add_filter_gradient(context, pass, workspace, gradients);
}

}  // namespace

void exact_attention_forward(CudaContext& context, const SoftmaxAttention& args, const ExactWindow& window) {
  if (args.inputs.sequences.count == 0 || args.inputs.sequences.longest == 0) return;
  dispatch_device(args.inputs.qkv.dtype, [&]<class T>(T) { forward<T>(context, args, window); });
}

void exact_attention_backward(CudaContext& context, const SoftmaxAttention& args,
                              const AttentionGradients& gradients, const ExactWindow& window) {
  if (args.inputs.sequences.count == 0 || args.inputs.sequences.longest == 0) return;
  dispatch_device(args.inputs.qkv.dtype, [&]<class T>(T) { backward<T>(context, args, gradients, window); });
}

}  // namespace nystrom::cuda
