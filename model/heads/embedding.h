#pragma once
// Embeddings: one vector per sequence, its pooled hidden states (pooling.h); no parameters. The loss couples
// the vectors of the whole global batch (in_batch_loss.h), so it is computed outside the head, which receives
// the gradient of its vectors.
//
//   head.forward(...);  use(head.logits());
//   head.set_gradient(context, d_vectors);
//   head.backward(...);

#include "model/heads/head.h"
#include "model/heads/head_registry.h"
#include "model/heads/pooling.h"

namespace nystrom {

class EmbeddingHead final : public Head {
 public:
  explicit EmbeddingHead(const HeadDependencies& dependencies);

  [[nodiscard]] std::vector<std::string_view> losses() const override { return {"loss"}; }
  /// One past the last: the head has none.
  [[nodiscard]] ParameterId first_parameter() const override { return end_; }
  /// The vectors [B, C] of the last forward, compute dtype.
  [[nodiscard]] Tensor logits() const override { return last_vectors_; }

  void plan(Planner& planner, const BatchLimits& limits, bool training) override;
  void forward(Context& context, const Batch& batch, const Pass& pass, const LossScales& scales,
               const Tensor& hidden) override;
  void backward(Context& context, const Batch& batch, const Pass& pass, const LossScales& scales,
                const Tensor& hidden, const Tensor& d_hidden) override;

  /// Sets the gradient [B, C] (compute dtype) of the vectors of the batch whose backward follows.
  void set_gradient(Context& context, const Tensor& d_vectors);

 private:
  std::int64_t width_;  // C
  DType activation_;
  ParameterId end_;
  SequencePooling pooling_;
  Tensor pooled_;                  // [B, C]
  Tensor vectors_, last_vectors_;  // [B, C] compute dtype
  Tensor d_pooled_;                // [B, C]
};

}  // namespace nystrom
