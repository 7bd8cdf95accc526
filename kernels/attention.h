#pragma once
// Self-attention of packed sequences: Nystrom (Xiong et al., AAAI 2021, arXiv 2102.03902) and exact softmax,
// both with the depthwise convolution skip. docs/mathematics.md derives forward and backward.
//
// For head h of a sequence with n rows (q, k, v [n, D]; padding takes part in nothing):
//   kind softmax, or n <= M:  context = softmax(q k^T / sqrt(D)) v
//   otherwise: q~_j, k~_j = means of the rows [floor(j n / M), floor((j + 1) n / M));
//     A = softmax(q~ k~^T / sqrt(D));  Z = pinv(A);
//     context = softmax(q k~^T / sqrt(D)) (Z (softmax(q~ k^T / sqrt(D)) v))
//   pinv: Z_0 = A^T / (|A|_1 |A|_inf), then Z <- Z/4 (13 I - AZ (15 I - AZ (7 I - AZ))); |A|_inf is 1 for a
//     softmax. Gradients flow through Z_0 and its scale.
//   out = context + conv(v): conv(v)[i, d] = sum_k w[h, k] v[i + k - K / 2, d], zero beyond the sequence.
// Where lengths[b] < rows of b (padding: huggingface) only keys [0, lengths[b]) enter the softmaxes over k
// (the third one, or the exact one); everything else sees all rows.
// softmax statistics, landmarks, A, Z and Z (...) are kept and computed in compute dtype. The same bits for
// any thread count; with kPerMatrix a sequence's bits do not depend on its neighbours either.

#include <cstdint>

#include "kernels/sequences.h"
#include "kernels/tensor/arena.h"
#include "kernels/tensor/context.h"
#include "kernels/tensor/tensor.h"

namespace nystrom {

enum class AttentionKind { kNystrom, kSoftmax };
enum class PinvInit {
  kPerMatrix,  ///< each matrix by its own |A|_1
  kBatchMax    ///< all matrices of the call by the largest |A|_1 (the original code's and transformers' way)
};

struct AttentionConfig {
  AttentionKind kind = AttentionKind::kNystrom;
  std::int64_t heads = 12;
  std::int64_t landmarks = 64;
  std::int64_t taps = 65;  ///< odd, or 0: no convolution
  int pinv_iterations = 6;
  PinvInit pinv_init = PinvInit::kPerMatrix;
};

/// What forward keeps for backward besides qkv. Sizes for at most B sequences and T tokens.
struct AttentionSaved {
  Tensor q_landmarks, k_landmarks;  ///< [B, H, M, D] compute dtype
  Tensor pinv;                      ///< [B, H, M, M] compute dtype: Z
  Tensor k3_v;                      ///< [B, H, M, D] compute dtype: softmax(q~ k^T / sqrt(D)) v
  Tensor k3_stats;  ///< [B, H, M, 2] compute dtype: row maximum and 1 / row sum of that softmax
  Tensor
      row_stats;  ///< [T, H, 2] (on a GPU laid out [H, T, 2]) compute dtype: the same of each query's softmax
  Tensor residuals;  ///< [B, H] compute dtype: |A Z - I|_F / sqrt(M); 0 where n <= M

  /// Books them (lifetime: saved). With kind softmax only row_stats is booked.
  static AttentionSaved plan(Planner& planner, const AttentionConfig& config, DType activation,
                             std::int64_t batch, std::int64_t tokens, std::int64_t channels);
};

/// The largest call that a workspace is booked for.
struct AttentionLimits {
  std::int64_t batch = 0;    ///< sequences
  std::int64_t longest = 0;  ///< rows of the longest sequence
  std::int64_t channels = 0;
  int threads = 1;    ///< of the context that will run it
  bool cuda = false;  ///< on a GPU
};
/// Books the memory that a call of attention_forward or attention_backward works in (lifetime: scratch;
/// compute dtype). One tensor serves both, one after the other, in all layers of one shape. On a GPU heads
/// have a multiple of 8 channels, at most 128, and there are at most 256 landmarks; anything else is refused.
Tensor plan_attention_workspace(Planner& planner, const AttentionConfig& config, DType activation,
                                const AttentionLimits& limits);

struct AttentionForward {
  AttentionConfig config;
  Sequences sequences;
  Tensor qkv;          ///< [T, 3 C] activation dtype: q, k and v of a token, each heads x D
  Tensor conv_weight;  ///< [H, K] compute dtype; empty where taps is 0
  Dropout dropout;  ///< of the exact softmax's probabilities (kind softmax only); element h T_b^2 + i T_b + j
                    ///< of a sequence with T_b rows, position 0
  RowKeys keys;     ///< of the T rows: a sequence's sample is that of its first row
  AttentionSaved saved;
  Tensor workspace;  ///< of plan_attention_workspace
  Tensor out;        ///< [T, C] activation dtype, overwritten
};
void attention_forward(Context& context, const AttentionForward& args);

struct AttentionBackward {
  AttentionConfig config;
  Sequences sequences;
  Tensor qkv;
  Tensor conv_weight;
  Dropout dropout;
  RowKeys keys;
  AttentionSaved saved;  ///< as forward left it
  Tensor out;            ///< [T, C] as forward left it
  Tensor d_out;          ///< [T, C]
  Tensor d_qkv;          ///< out [T, 3 C], overwritten
  Tensor d_conv_weight;  ///< [H, K] compute dtype, added to; empty where taps is 0
  Tensor workspace;      ///< of plan_attention_workspace
};
/// Recomputes the softmaxes from the saved statistics, the pseudo-inverse's iterates from A. The same bits
/// for the same thread count.
void attention_backward(Context& context, const AttentionBackward& args);

/// Activations in fp32 or bf16. In bf16 all that is not an activation (landmarks, softmaxes, W, gradients of
/// them) enters products in two bf16 parts, so that results are those of the CPU but for the rounding of the
/// activations; only exact softmax takes its probabilities in one. The same bits each time; with kPerMatrix a
/// sequence's bits do not depend on its neighbours.
namespace cuda {
void attention_forward(CudaContext& context, const AttentionForward& args);
void attention_backward(CudaContext& context, const AttentionBackward& args);
}  // namespace cuda

}  // namespace nystrom
