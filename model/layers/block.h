#pragma once
// One post-LayerNorm encoder block:
//   qkv = x Wqkv^T + b;  c = attention(qkv) + conv(v);  y1 = LayerNorm(x + dropout(c Wo^T + bo))
//   y = LayerNorm(y1 + dropout(gelu(y1 W1^T + b1) W2^T + b2))

#include <memory>

#include "model/attention/attention.h"
#include "model/layers/embeddings.h"

namespace nystrom {

class Block {
 public:
  Block(const ModelConfig& config, ParameterStore& store, std::int64_t layer);

  /// Books what forward keeps for backward.
  void plan(Planner& planner, const BatchLimits& limits, const AttentionLimits& attention);
  /// y [T, C] = block(x [T, C]); x must stay unchanged until backward. `workspace` is attention's.
  void forward(Context& context, const Batch& batch, const Pass& pass, const Tensor& workspace,
               const Tensor& x, const Tensor& y);

  /// Scratch of backward, the same for every block of an encoder.
  struct BackwardScratch {
    Tensor d_branch;  // [T, C]
    Tensor d_wide;    // [T * max(C, F)]: gradient of the feed-forward's inside, then of attention's output
    Tensor d_qkv;     // [T, 3C]
    static BackwardScratch plan(Planner& planner, const BatchLimits& limits, const ModelConfig& config,
                                DType dtype);
  };
  /// d [T, C] holds d_y and is overwritten with d_x; parameter gradients are added to.
  void backward(Context& context, const Batch& batch, const Pass& pass, const Tensor& workspace,
                const Tensor& x, const BackwardScratch& scratch, const Tensor& d);

  /// Attention::residuals of the last forward.
  [[nodiscard]] Tensor residuals(std::int64_t sequences) const { return attention_->residuals(sequences); }
  /// First parameter of the block: gradients from its offset on are final after backward.
  [[nodiscard]] ParameterId first_parameter() const { return qkv_weight_; }

 private:
  struct Norm {
    ParameterId bias, gamma, beta;
    std::uint32_t site;
  };
  [[nodiscard]] AttentionStep attention_step(const Batch& batch, const Pass& pass,
                                             const Tensor& workspace) const;
  void norm_forward(Context& context, const Batch& batch, const Pass& pass, const Norm& norm,
                    const Tensor& residual, const Tensor& z, const Tensor& stats, const Tensor& y);
  void norm_backward(Context& context, const Batch& batch, const Pass& pass, const Norm& norm,
                     const Tensor& z, const Tensor& stats, const Tensor& d, const Tensor& d_branch);

  const ModelConfig& config_;
  ParameterStore& store_;
  ParameterId qkv_weight_, qkv_bias_;
  std::unique_ptr<Attention> attention_;
  ParameterId output_weight_;
  Norm attention_norm_{}, output_norm_{};
  ParameterId in_weight_, in_bias_, out_weight_;

  Tensor qkv_;              // [T, 3C]
  Tensor context_;          // [T, C] attention's output
  Tensor z1_, y1_;          // [T, C] before and after the first LayerNorm
  Tensor stats1_;           // [T, 2] compute dtype
  Tensor pre_, activated_;  // [T, F] before and after GELU
  Tensor z2_;               // [T, C]
  Tensor stats2_;           // [T, 2] compute dtype
};

}  // namespace nystrom
