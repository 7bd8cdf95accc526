#pragma once
// The two layers of a classifier of sequences or pairs (model.classifier):
//   logits = dropout(f(dropout(x) W^T + b)) Wo^T + bo
// with f the network's activation (transformers' head), tanh or ReLU.

#include "model/heads/head_registry.h"

namespace nystrom {

class Classifier {
 public:
  /// Of rows of `inputs` columns; declares classifier.dense and classifier.out_proj.
  Classifier(std::int64_t labels, std::int64_t inputs, const HeadDependencies& dependencies);

  [[nodiscard]] ParameterId first_parameter() const { return dense_weight_; }
  void plan(Planner& planner, std::int64_t rows, bool training);
  /// logits [R, labels] (compute dtype) of x [R, inputs], which dropout changes in place.
  void forward(Context& context, const RowKeys& keys, const Pass& pass, const Tensor& x,
               const Tensor& logits) const;
  /// d_x [R, inputs], overwritten, of d_logits [R, labels]; x as forward left it.
  void backward(Context& context, const RowKeys& keys, const Pass& pass, const Tensor& x,
                const Tensor& d_logits, const Tensor& d_x) const;

 private:
  void drop(Context& context, const RowKeys& keys, const Pass& pass, std::uint32_t place,
            const Tensor& x) const;
  [[nodiscard]] bool applies_activation() const {
    return config_.network.classifier == ClassifierKind::kActivation;
  }

  const ModelConfig& config_;
  ParameterStore& store_;
  std::int64_t size_;  // S
  ParameterId dense_weight_, dense_bias_, out_weight_, out_bias_;
  Tensor pre_;        // [R, S] before the activation, where it is the network's
  Tensor activated_;  // [R, S]
  Tensor d_;          // [R, S]
};

}  // namespace nystrom
