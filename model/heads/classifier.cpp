#include "model/heads/classifier.h"

#include "kernels/linear.h"
#include "kernels/linear_gelu.h"
#include "kernels/relu.h"
#include "kernels/rows.h"

namespace nystrom {
namespace {
constexpr std::uint32_t kInput = 0, kActivated = 1;
}

Classifier::Classifier(std::int64_t labels, std::int64_t inputs, const HeadDependencies& dependencies)
    : config_(dependencies.model),
      store_(dependencies.store),
      size_(config_.network.classifier_size.value_or(config_.hidden_size)) {
  dense_weight_ = store_.add("classifier.dense.weight", {size_, inputs}, Init::kWeight);
  dense_bias_ = store_.add("classifier.dense.bias", {size_}, Init::kBias);
  out_weight_ = store_.add("classifier.out_proj.weight", {labels, size_}, Init::kWeight);
  out_bias_ = store_.add("classifier.out_proj.bias", {labels}, Init::kBias);
}

void Classifier::plan(Planner& planner, std::int64_t rows, bool training) {
  const DType type = store_.activation();
  pre_ = planner.saved("head.pre", type, {rows, size_});
  activated_ = planner.saved("head.activated", type, {rows, size_});
  if (training) d_ = planner.saved("head.d", type, {rows, size_});
}

void Classifier::forward(Context& context, const RowKeys& keys, const Pass& pass, const Tensor& x,
                         const Tensor& logits) const {
  const Tensor pre = pre_.first(x.dim(0)), activated = activated_.first(x.dim(0));
  drop(context, keys, pass, kInput, x);
  if (applies_activation()) {
    linear_gelu_forward(context, {.kind = config_.activation,
                                  .x = x,
                                  .w = store_.compute_weight(dense_weight_),
                                  .bias = store_.weight(dense_bias_),
                                  .pre = pre,
                                  .y = activated});
  } else {
    const bool tanh = config_.network.classifier == ClassifierKind::kTanh;
    linear_forward(context, x, store_.compute_weight(dense_weight_), store_.weight(dense_bias_), pre);
    (tanh ? tanh_forward : relu_forward)(context, pre, pre);
    convert(context, pre, activated);
  }
  drop(context, keys, pass, kActivated, activated);
  linear_forward(context, activated, store_.compute_weight(out_weight_), store_.weight(out_bias_), logits);
}

void Classifier::backward(Context& context, const RowKeys& keys, const Pass& pass, const Tensor& x,
                          const Tensor& d_logits, const Tensor& d_x) const {
  const Tensor pre = pre_.first(x.dim(0)), activated = activated_.first(x.dim(0)), d = d_.first(x.dim(0));
  linear_backward_weight(context, d_logits, activated, store_.gradient(out_weight_),
                         store_.gradient(out_bias_));
  linear_backward_input(context, d_logits, store_.compute_weight(out_weight_), d);
  drop(context, keys, pass, kActivated, d);
  if (applies_activation()) {
    gelu_backward(context, config_.activation, pre, d, d, store_.gradient(dense_bias_));
    linear_backward_weight(context, d, x, store_.gradient(dense_weight_));
  } else {
    const bool tanh = config_.network.classifier == ClassifierKind::kTanh;
    (tanh ? tanh_backward : relu_backward)(context, pre, d, d);
    linear_backward_weight(context, d, x, store_.gradient(dense_weight_), store_.gradient(dense_bias_));
  }
  linear_backward_input(context, d, store_.compute_weight(dense_weight_), d_x);
  drop(context, keys, pass, kInput, d_x);
}

void Classifier::drop(Context& context, const RowKeys& keys, const Pass& pass, std::uint32_t place,
                      const Tensor& x) const {
  const Dropout dropout = pass.dropout(config_.dropout, Head::dropout_site(config_, place));
  if (dropout.active()) dropout_rows(context, dropout, keys, x, x);
}

}  // namespace nystrom
