// Softmax attention on the CPU: exact attention without a window.

#include "kernels/cpu/attention/kinds/exact_attention.h"
#include "kernels/cpu/ops.h"

namespace nystrom::cpu {

Index softmax_attention_workspace(const AttentionLimits& limits) {
  return exact_attention_workspace(limits);
}

void softmax_attention_forward(Context& context, const SoftmaxAttention& args) {
  exact_attention_forward(context, args, KeyWindow());
}

void softmax_attention_backward(Context& context, const SoftmaxAttention& args,
                                const AttentionGradients& gradients) {
  exact_attention_backward(context, args, gradients, KeyWindow());
}

}  // namespace nystrom::cpu
