// transformers' NystromformerForSequenceClassification, from the first token x of each sequence:
//   logits = dropout(gelu(dropout(x) W^T + b)) Wo^T + bo

#include <array>

#include "kernels/cross_entropy.h"
#include "kernels/elementwise_loss.h"
#include "kernels/fill.h"
#include "kernels/linear.h"
#include "kernels/linear_gelu.h"
#include "kernels/rows.h"
#include "model/heads/head_registry.h"

namespace nystrom {
namespace {

class SequenceClassification final : public Head {
 public:
  SequenceClassification(const HeadConfig& head, const HeadDependencies& dependencies)
      : head_(head), config_(dependencies.model), store_(dependencies.store) {
    const std::int64_t c = config_.hidden_size;
    dense_weight_ = store_.add("classifier.dense.weight", {c, c}, Init::kNormal);
    dense_bias_ = store_.add("classifier.dense.bias", {c}, Init::kZero);
    out_weight_ = store_.add("classifier.out_proj.weight", {head.labels, c}, Init::kNormal);
    out_bias_ = store_.add("classifier.out_proj.bias", {head.labels}, Init::kZero);
  }

  [[nodiscard]] std::vector<std::string_view> losses() const override { return {"loss"}; }
  [[nodiscard]] ParameterId first_parameter() const override { return dense_weight_; }
  [[nodiscard]] Tensor logits() const override { return last_logits_; }

  void plan(Planner& planner, const BatchLimits& limits, bool training) override {
    const DType type = store_.activation(), statistics = compute_dtype(type);
    const std::int64_t b = limits.sequences, c = config_.hidden_size;
    first_ = planner.saved("head.first", type, {b, c});
    pre_ = planner.saved("head.pre", type, {b, c});
    activated_ = planner.saved("head.activated", type, {b, c});
    logits_ = planner.saved("head.logits", statistics, {b, head_.labels});
    row_losses_ = planner.saved("head.row_losses", statistics, {b});
    if (!training) return;
    d_logits_ = planner.saved("head.d_logits", type, {b, head_.labels});
    d_ = planner.saved("head.d", type, {b, c});
  }

  void forward(Context& context, const Batch& batch, const Pass& pass, const LossScales& scales,
               const Tensor& hidden) override {
    const std::int64_t b = batch.sequences.count;
    const Tensor first = first_.first(b), pre = pre_.first(b), activated = activated_.first(b);
    last_logits_ = logits_.first(b);
    gather_rows(context, hidden, batch.first_rows, first);
    drop(context, batch, pass, kInput, first);
    linear_gelu_forward(context, {.kind = config_.activation,
                                  .x = first,
                                  .w = store_.compute_weight(dense_weight_),
                                  .bias = store_.weight(dense_bias_),
                                  .pre = pre,
                                  .y = activated});
    drop(context, batch, pass, kActivated, activated);
    linear_forward(context, activated, store_.compute_weight(out_weight_), store_.weight(out_bias_),
                   last_logits_);
    loss(context, batch, scales[0], pass.training ? d_logits_.first(b) : Tensor{});
  }

  void backward(Context& context, const Batch& batch, const Pass& pass, const LossScales&, const Tensor&,
                const Tensor& d_hidden) override {
    const std::int64_t b = batch.sequences.count;
    const Tensor d_logits = d_logits_.first(b), d = d_.first(b), d_first = activated_.first(b);
    linear_backward_weight(context, d_logits, activated_.first(b), store_.gradient(out_weight_),
                           store_.gradient(out_bias_));
    linear_backward_input(context, d_logits, store_.compute_weight(out_weight_), d);
    drop(context, batch, pass, kActivated, d);
    gelu_backward(context, config_.activation, pre_.first(b), d, d, store_.gradient(dense_bias_));
    linear_backward_weight(context, d, first_.first(b), store_.gradient(dense_weight_));
    linear_backward_input(context, d, store_.compute_weight(dense_weight_), d_first);  // no longer needed
    drop(context, batch, pass, kInput, d_first);
    fill_zero(context, d_hidden);
    scatter_add_rows(context, d_first, batch.first_rows, d_hidden);
  }

 private:
  static constexpr std::uint32_t kInput = 0, kActivated = 1;

  void drop(Context& context, const Batch& batch, const Pass& pass, std::uint32_t place, const Tensor& x) {
    const Dropout dropout = pass.dropout(config_.dropout, dropout_site(config_, place));
    if (dropout.active()) dropout_rows(context, dropout, batch.sequence_keys, x, x);
  }

  /// Adds to the sums where the batch has labels.
  void loss(Context& context, const Batch& batch, double scale, const Tensor& d_logits) {
    const Tensor sums = sums_.view().rows(0, 1).reshaped({3});
    if (head_.problem == Problem::kSingleLabel) {
      if (batch.sequence_labels.numel() == 0) return;
      cross_entropy(context, {.logits = last_logits_,
                              .labels = batch.sequence_labels,
                              .scale = scale,
                              .row_losses = row_losses_.first(batch.sequences.count),
                              .d_logits = d_logits,
                              .sums = sums});
      if (!d_logits.empty()) weigh(context, batch.sequence_labels, d_logits);
      return;
    }
    if (batch.sequence_values.numel() == 0) return;
    value_loss(context, {.kind = head_.problem == Problem::kRegression ? ValueLossKind::kSquared
                                                                       : ValueLossKind::kSigmoid,
                         .predictions = last_logits_,
                         .targets = batch.sequence_values,
                         .scale = scale,
                         .d = d_logits,
                         .sums = sums});
  }

  HeadConfig head_;
  const ModelConfig& config_;
  ParameterStore& store_;
  ParameterId dense_weight_, dense_bias_, out_weight_, out_bias_;
  Tensor first_;                 // [B, C] first tokens, dropped out
  Tensor pre_;                   // [B, C] before GELU
  Tensor activated_;             // [B, C] after GELU, dropped out
  Tensor logits_, last_logits_;  // [B, labels] compute dtype
  Tensor row_losses_;            // [B] compute dtype
  Tensor d_logits_;              // [B, labels]
  Tensor d_;                     // [B, C]
};

std::unique_ptr<Head> make(const HeadConfig& head, const HeadDependencies& dependencies) {
  return std::make_unique<SequenceClassification>(head, dependencies);
}

CaseLabels read_labels(const CaseInputs& inputs, const CaseShape& shape, const HeadConfig& head) {
  if (head.problem == Problem::kRegression)
    return {.sequence_values = inputs.numbers("labels", shape.sequences * head.labels)};
  return {.sequence_labels = inputs.labels("labels", shape.sequences, head.labels)};
}

constexpr std::array kOutputs{HeadOutput{"logits"}};

}  // namespace

constinit const HeadEntry kSequenceClassificationEntry{
    .kind = HeadKind::kSequenceClassification,
    .name = "sequence_classification",
    .description = "sequence classification",
    .architecture = "NystromformerForSequenceClassification",
    .auto_class = "AutoModelForSequenceClassification",
    .pipeline_tag = "text-classification",
    .extra_tensors = "",
    .is_language_model = false,
    .labels_from_config = true,
    .has_problem = true,
    .make = &make,
    .read_case_labels = &read_labels,
    .case_outputs = kOutputs,
};

}  // namespace nystrom
