// Longformer attention of the CUDA backend: exact attention within a window; tiles that no pair of rows sees
// are passed over.

#include "kernels/cuda/attention/kinds/exact_attention.h"
#include "kernels/cuda/ops.h"

namespace nystrom::cuda {
namespace {

ExactWindow window_of(const LongformerAttention& args) {
  return {.half = static_cast<int>(args.window / 2),
          .first_is_global = args.global_tokens == GlobalTokens::kFirst};
}

}  // namespace

void longformer_attention_forward(CudaContext& context, const LongformerAttention& args) {
  exact_attention_forward(context, {args.inputs, args.row_stats}, window_of(args));
}

void longformer_attention_backward(CudaContext& context, const LongformerAttention& args,
                                   const AttentionGradients& gradients) {
  exact_attention_backward(context, {args.inputs, args.row_stats}, gradients, window_of(args));
}

}  // namespace nystrom::cuda
