#pragma once
// One row a sequence: its first token, or the mean or maximum of all (model.pooling).

#include "kernels/tensor/arena.h"
#include "kernels/tensor/context.h"
#include "model/config/model_config.h"
#include "model/layers/batch.h"

namespace nystrom {

class SequencePooling {
 public:
  explicit SequencePooling(const ModelConfig& config) : config_(config) {}

  void plan(Planner& planner, const BatchLimits& limits);
  /// pooled [B, C] of hidden [T, C], overwritten.
  void forward(Context& context, const Batch& batch, const Tensor& hidden, const Tensor& pooled) const;
  /// d_hidden [T, C] of d_pooled [B, C], overwritten.
  void backward(Context& context, const Batch& batch, const Tensor& d_pooled, const Tensor& d_hidden) const;

 private:
  [[nodiscard]] Tensor rows_of(const Batch& batch) const;

  const ModelConfig& config_;
  Tensor rows_;  // [B, C] int32, of maxima
};

}  // namespace nystrom
