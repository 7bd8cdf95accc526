#pragma once
// Launches that the plain kinds of attention share (plain.h).

#include "kernels/cuda/attention/kinds/plain.h"
#include "kernels/cuda/attention/launch_arguments.h"
#include "kernels/tensor/cuda/launch.h"

namespace nystrom::cuda {

/// Arguments of a call's kernels; `gradients` in backward.
template <class T>
PlainPass<T> plain_pass(const AttentionInputs& inputs, const Tensor& row_stats,
                        const AttentionGradients* gradients = nullptr) {
  PlainPass<T> pass{};
  pass.problem = problem_of(CudaAttentionShape(inputs), inputs);
  pass.qkv = inputs.qkv.data<T>();
  pass.filter = optional<float>(inputs.conv_weight);
  pass.out = inputs.out.data<T>();
  pass.row_stats = row_stats.empty() ? nullptr : row_stats.data<float>();
  if (gradients == nullptr) return pass;
  pass.d_out = gradients->d_out.data<T>();
  pass.d_qkv = gradients->d_qkv.data<T>();
  return pass;
}

/// Blocks (item, tile of rows), or (item, chunk), or (item).
inline dim3 grid_of_tiles(const AttentionInputs& inputs) {
  const std::int64_t longest = inputs.sequences.longest;
  return {static_cast<unsigned>(inputs.sequences.count * inputs.heads),
          static_cast<unsigned>((longest + kPlainRows - 1) / kPlainRows)};
}
inline dim3 grid_of_chunks(const AttentionInputs& inputs) {
  return {static_cast<unsigned>(inputs.sequences.count * inputs.heads),
          static_cast<unsigned>(CudaAttentionShape(inputs).chunks())};
}
inline dim3 grid_of_items(const AttentionInputs& inputs) {
  return {static_cast<unsigned>(inputs.sequences.count * inputs.heads)};
}

template <class... Params, class... Arguments>
void launch_plain(CudaContext& context, dim3 grid, std::size_t floats, const char* name,
                  void (*kernel)(Params...), const Arguments&... arguments) {
  launch(context.stream(), grid, dim3(kPlainThreads), floats * sizeof(float), name, kernel, arguments...);
}

/// Numbers that each chunk of a head has gathered: [items, chunks, part_stride], of which the first `size`.
struct ChunkParts {
  const float* parts;
  std::int64_t part_stride, size;
};
/// totals [items, size], `stride` numbers apart, = the sums of the parts in the order of chunks.
void sum_chunks(CudaContext& context, const AttentionProblem& problem, const ChunkParts& parts, float* totals,
                std::int64_t stride);

/// d_conv_weight, where there is a convolution; `parts` of CudaAttentionWorkspace.
template <class T>
void add_filter_gradient(CudaContext& context, const PlainPass<T>& pass, float* parts,
                         const AttentionGradients& gradients) {
  if (pass.problem.taps == 0) return;
  filter_gradient(context,
                  FilterGradient<T>{
                      pass.problem, pass.qkv, pass.d_out, parts, gradients.d_conv_weight.data<float>(), {}});
}

inline bool nothing_to_do(const AttentionInputs& inputs) {
  return inputs.sequences.count == 0 || inputs.sequences.longest == 0;
}

}  // namespace nystrom::cuda
