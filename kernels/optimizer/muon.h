#pragma once
// Muon (Jordan et al., https://kellerjordan.github.io/posts/muon): momentum whose matrix is replaced by a
// nearly orthogonal one. For a matrix w [R, C] with gradient g:
//   B = momentum * B + (1 - momentum) g;  U = (1 - momentum) g + momentum * B, or B without Nesterov
//   w = w - lr * decay * w - lr * scale * O,  O = newton_schulz(U)
// All is computed in the weights' type, where PyTorch's torch.optim.Muon iterates in bf16.

#include "kernels/tensor/context.h"
#include "kernels/tensor/tensor.h"

namespace nystrom {

/// Elements of scratch that a matrix takes in newton_schulz.
[[nodiscard]] std::int64_t newton_schulz_workspace(std::int64_t rows, std::int64_t columns);

/// x [R, C] (fp32, or fp64 on the CPU), in place: x / max(|x|, 1e-7), then `steps` times
///   x <- 3.4445 x - 4.7750 A x + 2.0315 A^2 x,  A = x x^T
/// (with more rows than columns the same as x A and x A^2, A = x^T x). Its singular values end mostly between
/// 0.68 and 1.2; those that are 0 stay 0. workspace: newton_schulz_workspace elements of x's type. The same
/// bits whatever the thread count. FLOP: 4 k^2 l + 2 k^3 a step, k the smaller and l the larger side.
void newton_schulz(Context& context, const Tensor& x, int steps, const Tensor& workspace);

/// Elements of scratch of a step.
[[nodiscard]] std::int64_t muon_workspace(std::int64_t rows, std::int64_t columns);

struct Muon {
  Tensor weights;    ///< [R, C] compute dtype
  Tensor gradients;  ///< [R, C] compute dtype
  Tensor buffer;     ///< [R, C] compute dtype: B
  Tensor copy;       ///< [R, C] activation dtype: rounded weights; empty: none
  double momentum = 0.95;
  bool nesterov = true;
  int steps = 5;  ///< of newton_schulz
  double learning_rate = 0;
  double scale = 1;  ///< of the update, for the matrix's shape
  double weight_decay = 0;
  double gradient_scale = 1;  ///< gradients are multiplied by it first (clipping)
  Tensor factor = {};         ///< [1] fp64, multiplies gradient_scale; 0: everything stays as it is; empty: 1
  Tensor workspace = {};      ///< muon_workspace elements of compute dtype
};
void muon_step(Context& context, const Muon& args);

}  // namespace nystrom
