#pragma once
// Positions that follow from the configuration alone: sinusoids to be added to the embeddings, or rotations
// of queries and keys. Their tables outlive steps.

#include <vector>

#include "kernels/tensor/arena.h"
#include "kernels/tensor/context.h"
#include "model/config/model_config.h"
#include "model/layers/batch.h"

namespace nystrom {

class FixedPositions {
 public:
  FixedPositions(const ModelConfig& config, DType activation);

  void plan(Planner& planner);
  /// Fills the tables, once after each plan. Not while ops are recorded.
  void prepare(Context& context);

  /// As a position table of the embeddings [P + 2, C]; empty unless positions are sinusoidal.
  [[nodiscard]] const Tensor& sinusoids() const { return sinusoids_; }
  /// Turns queries and keys in qkv [T, P C], or their gradients back; nothing unless positions are rotary.
  void turn(Context& context, const Batch& batch, const Tensor& qkv, bool back) const;

 private:
  [[nodiscard]] std::vector<double> sinusoid_values() const;
  [[nodiscard]] std::vector<double> rotation_values() const;

  const ModelConfig& config_;
  DType statistics_;
  Tensor sinusoids_;  // [P + 2, C]
  Tensor rotations_;  // [P, D] cosines and sines
  bool filled_ = false;
};

}  // namespace nystrom
