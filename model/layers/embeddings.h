#pragma once
// The input of the encoder: word, position and token-type embeddings, LayerNorm, dropout.

#include <optional>

#include "kernels/tensor/arena.h"
#include "kernels/tensor/context.h"
#include "model/config/model_config.h"
#include "model/layers/batch.h"
#include "model/layers/fixed_positions.h"
#include "model/layers/picture_positions.h"
#include "model/parameters/parameters.h"
#include "model/parameters/pass.h"

namespace nystrom {

class Embeddings {
 public:
  /// `positions` outlives this.
  Embeddings(const ModelConfig& config, ParameterStore& store, const FixedPositions& positions);

  void plan(Planner& planner, const BatchLimits& limits);
  /// Scratch of backward; booked by the encoder inside the scope of its backward.
  void plan_backward(Planner& planner, const BatchLimits& limits);
  /// Before forward; not while ops are recorded.
  void prepare(Context& context) { picture_.prepare(context); }
  /// y [T, C], overwritten.
  void forward(Context& context, const Batch& batch, const Pass& pass, const Tensor& y);
  void backward(Context& context, const Batch& batch, const Pass& pass, const Tensor& d_y);

  /// The word table [V, C], to which the masked language model's decoder is tied.
  [[nodiscard]] ParameterId word() const { return word_; }

 private:
  /// With the positions' table as `position`.
  [[nodiscard]] EmbeddingTables tables(const Tensor& position) const;
  [[nodiscard]] Tensor position_table() const;
  [[nodiscard]] EmbeddingTables gradients(const Tensor& position) const;

  const ModelConfig& config_;
  ParameterStore& store_;
  const FixedPositions& fixed_;
  ParameterId word_, type_ = 0;
  PicturePositions picture_;
  std::optional<ParameterId> position_, gamma_, beta_;
  Tensor stats_;  // [T, 2] compute dtype, saved
  Tensor d_sum_;  // [T, C] compute dtype, scratch
};

}  // namespace nystrom
