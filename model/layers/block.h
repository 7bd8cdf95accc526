#pragma once
// One encoder block:
//   f(x) = dropout(c Wo^T + bo) with c = attention(qkv) + conv(v), qkv = x Wqkv^T + b, turned by positions
//   g(x) = dropout(gelu(x W1^T + b1) W2^T + b2)
//   norm: post   y1 = LayerNorm(x + f(x));  y = LayerNorm(y1 + g(y1))
//   norm: pre    x1 = x + f(LayerNorm(x));  y = x1 + g(LayerNorm(x1))

#include <memory>

#include "model/attention/attention.h"
#include "model/layers/embeddings.h"

namespace nystrom {

class Block {
 public:
  /// `positions` outlives this.
  Block(const ModelConfig& config, ParameterStore& store, const FixedPositions& positions,
        std::int64_t layer);

  /// Books what forward keeps for backward.
  void plan(Planner& planner, const BatchLimits& limits, const AttentionLimits& attention);
  /// y [T, C] = block(x [T, C]); x must stay unchanged until backward. `workspace` is attention's.
  void forward(Context& context, const Batch& batch, const Pass& pass, const Tensor& workspace,
               const Tensor& x, const Tensor& y);

  /// Scratch of backward, the same for every block of an encoder.
  struct BackwardScratch {
    Tensor d_branch;  // [T, C]
    Tensor d_wide;    // [T * max(C, F)]: gradient of the feed-forward's inside, then of attention's output
    Tensor d_qkv;     // [T, P C]
    static BackwardScratch plan(Planner& planner, const BatchLimits& limits, const ModelConfig& config,
                                DType dtype);
  };
  /// d [T, C] holds d_y and is overwritten with d_x; parameter gradients are added to.
  void backward(Context& context, const Batch& batch, const Pass& pass, const Tensor& workspace,
                const Tensor& x, const BackwardScratch& scratch, const Tensor& d);

  [[nodiscard]] Attention& attention() const { return *attention_; }
  /// Attention::residuals of the last forward.
  [[nodiscard]] Tensor residuals(std::int64_t sequences) const { return attention_->residuals(sequences); }
  /// First parameter of the block: gradients from its offset on are final after backward.
  [[nodiscard]] ParameterId first_parameter() const { return qkv_weight_; }

 private:
  struct Norm {
    ParameterId bias, gamma, beta;
    std::uint32_t site;
  };
  void forward_post(Context& context, const Batch& batch, const Pass& pass, const Tensor& workspace,
                    const Tensor& x, const Tensor& y);
  void forward_pre(Context& context, const Batch& batch, const Pass& pass, const Tensor& workspace,
                   const Tensor& x, const Tensor& y);
  void backward_post(Context& context, const Batch& batch, const Pass& pass, const Tensor& workspace,
                     const Tensor& x, const BackwardScratch& scratch, const Tensor& d);
  void backward_pre(Context& context, const Batch& batch, const Pass& pass, const Tensor& workspace,
                    const Tensor& x, const BackwardScratch& scratch, const Tensor& d);
  /// context_ = attention of x.
  void attend(Context& context, const Batch& batch, const Pass& pass, const Tensor& workspace,
              const Tensor& x);
  /// From scratch.d_branch, the gradient of context_ Wo^T, to d_x.
  void attend_backward(Context& context, const Batch& batch, const Pass& pass, const Tensor& workspace,
                       const Tensor& x, const BackwardScratch& scratch, const Tensor& d_x, bool accumulate);
  /// activated_ = gelu(x W1^T + b1)
  void feed_forward(Context& context, const Tensor& x);
  /// From d_z2, the gradient of activated_ W2^T, to d_x.
  void feed_forward_backward(Context& context, const Tensor& x, const BackwardScratch& scratch,
                             const Tensor& d_z2, const Tensor& d_x, bool accumulate);
  /// Pre-norm: the attention's sum and the feed-forward's norm.
  [[nodiscard]] Norm joined_norm() const;
  [[nodiscard]] AttentionStep attention_step(const Batch& batch, const Pass& pass,
                                             const Tensor& workspace) const;
  void norm_forward(Context& context, const Batch& batch, const Pass& pass, const Norm& norm,
                    const Tensor& residual, const Tensor& z, const Tensor& stats, const Tensor& y);
  void norm_backward(Context& context, const Batch& batch, const Pass& pass, const Norm& norm,
                     const Tensor& z, const Tensor& stats, const Tensor& d, const Tensor& d_branch);

  const ModelConfig& config_;
  ParameterStore& store_;
  const FixedPositions& positions_;
  bool pre_norm_;
  ParameterId qkv_weight_, qkv_bias_;
  std::int64_t projections_;  // P of the attention's kind
  std::unique_ptr<Attention> attention_;
  ParameterId output_weight_;
  Norm attention_norm_{}, output_norm_{};
  ParameterId in_weight_, in_bias_, out_weight_;

  Tensor normed_;           // [T, C] pre-norm: what attention sees
  Tensor qkv_;              // [T, P C]
  Tensor context_;          // [T, C] attention's output
  Tensor z1_, y1_;          // [T, C] sum with attention, and its LayerNorm
  Tensor stats1_;           // [T, 2] compute dtype
  Tensor pre_, activated_;  // [T, F] before and after GELU
  Tensor z2_;               // [T, C] sum with the feed-forward; pre-norm: its result
  Tensor stats2_;           // [T, 2] compute dtype
};

}  // namespace nystrom
