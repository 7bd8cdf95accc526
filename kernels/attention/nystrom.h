#pragma once
// Nystrom attention (Xiong et al., AAAI 2021, arXiv 2102.03902). Sequences of n <= M rows get exact softmax
// attention; for others
//   q~_j, k~_j = means of the rows [floor(j n / M), floor((j + 1) n / M))       (landmarks)
//   A = softmax(q~ k~^T / sqrt(D));  Z = pinv(A)
//   context = softmax(q k~^T / sqrt(D)) (Z (softmax(q~ k^T / sqrt(D)) v))
// pinv: Z_0 = A^T / (|A|_1 |A|_inf), then Z <- Z/4 (13 I - AZ (15 I - AZ (7 I - AZ))); |A|_inf is 1 for a
// softmax. Gradients flow through Z_0 and its scale. Softmax statistics, landmarks, A, Z and Z (...) are
// computed and stored in compute dtype. Results are bit-identical for any thread count; with kPerMatrix they
// do not depend on the other sequences of the batch either.
//
// A sequence of more than M rows may be split across ranks of a group (inputs.spans; on a CPU, with
// kPerMatrix and without padding). Between them travel sums of landmarks, the M partial rows of the third
// softmax, and K / 2 rows of v on each side: bytes that do not depend on the sequence's length. The ranks add
// in the order of rows, so where the sequence is cut between chunks (nystrom_cut_rows()) the bits of out and
// d_qkv are those of one rank.

#include "kernels/attention/attention.h"

namespace nystrom {

enum class PinvInit {
  kPerMatrix,  ///< each matrix by its own |A|_1
  kBatchMax    ///< all matrices of the call by their largest |A|_1 (as the original code and transformers)
};

struct NystromOptions {
  std::int64_t landmarks = 64;
  int pinv_iterations = 6;
  PinvInit pinv_init = PinvInit::kPerMatrix;
};

/// What forward keeps for backward besides qkv and out. Sizes for at most B sequences and T tokens.
struct NystromSaved {
  Tensor q_landmarks, k_landmarks;  ///< [B, H, M, D] compute dtype
  Tensor pinv;                      ///< [B, H, M, M] compute dtype: Z
  Tensor k3_v;                      ///< [B, H, M, D] compute dtype: softmax(q~ k^T / sqrt(D)) v
  Tensor k3_stats;  ///< [B, H, M, 2] compute dtype: row maximum and 1 / row sum of that softmax
  Tensor
      row_stats;  ///< [T, H, 2] (on a GPU laid out [H, T, 2]) compute dtype: the same of each query's softmax
  Tensor residuals;  ///< [B, H] compute dtype: |A Z - I|_F / sqrt(M); 0 where n <= M
  // What a GPU's backward would have to make again (a CPU's does):
  Tensor a;         ///< [B, H, M, M]
  Tensor norms;     ///< [B, H, 2] |A|_1 and the first column that has it
  Tensor w;         ///< [B, H, M, D] Z (k3 v)
  Tensor iterates;  ///< [B, H, (steps - 1) M, M] Z_1 and further, up to 64 landmarks

  /// Books them (lifetime: saved).
  static NystromSaved plan(Planner& planner, const NystromOptions& options, DType activation,
                           const AttentionLimits& limits);
};

struct NystromAttention {
  NystromOptions options;
  AttentionInputs inputs;  ///< without dropout: there is no probability for each pair of tokens
  NystromSaved saved;
};

/// Books the workspace of forward and backward (lifetime: scratch; compute dtype). One tensor serves all
/// layers of one shape. On a GPU heads have a multiple of 8 channels, at most 128, and there are at most 256
/// landmarks; anything else is refused.
Tensor plan_nystrom_attention_workspace(Planner& planner, const NystromOptions& options, DType activation,
                                        const AttentionLimits& limits);

/// Rows at whose multiples a sequence of this many rows is split for this many ranks; 0: it cannot be split.
/// Up to 16 ranks no bit changes.
[[nodiscard]] std::int64_t nystrom_cut_rows(const NystromOptions& options, std::int64_t rows, int ranks);

void nystrom_attention_forward(Context& context, const NystromAttention& args);
/// Recomputes the softmaxes from their saved statistics, and the pseudo-inverse's iterates from A where they
/// are not saved.
void nystrom_attention_backward(Context& context, const NystromAttention& args,
                                const AttentionGradients& gradients);

}  // namespace nystrom
