// Classification of sequences from their pooled rows x (pooling.h, classifier.h). With the first token and
// the network's activation it is transformers' NystromformerForSequenceClassification:
//   logits = dropout(gelu(dropout(x) W^T + b)) Wo^T + bo

#include <array>

#include "kernels/losses/cross_entropy.h"
#include "kernels/losses/elementwise_loss.h"
#include "model/heads/classifier.h"
#include "model/heads/pooling.h"

namespace nystrom {
namespace {

class SequenceClassification final : public Head {
 public:
  SequenceClassification(const HeadConfig& head, const HeadDependencies& dependencies)
      : head_(head),
        config_(dependencies.model),
        activation_(dependencies.store.activation()),
        pooling_(config_),
        classifier_(head.labels, config_.hidden_size, dependencies) {}

  [[nodiscard]] std::vector<std::string_view> losses() const override { return {"loss"}; }
  [[nodiscard]] ParameterId first_parameter() const override { return classifier_.first_parameter(); }
  [[nodiscard]] Tensor logits() const override { return last_logits_; }

  void plan(Planner& planner, const BatchLimits& limits, bool training) override {
    const DType statistics = compute_dtype(activation_);
    const std::int64_t b = limits.sequences, c = config_.hidden_size;
    pooling_.plan(planner, limits);
    pooled_ = planner.saved("head.pooled", activation_, {b, c});
    classifier_.plan(planner, b, training);
    logits_ = planner.saved("head.logits", statistics, {b, head_.labels});
    row_losses_ = planner.saved("head.row_losses", statistics, {b});
    if (!training) return;
    d_logits_ = planner.saved("head.d_logits", activation_, {b, head_.labels});
    d_pooled_ = planner.saved("head.d_pooled", activation_, {b, c});
  }

  void forward(Context& context, const Batch& batch, const Pass& pass, const LossScales& scales,
               const Tensor& hidden) override {
    const std::int64_t b = batch.sequences.count;
    last_logits_ = logits_.first(b);
    pooling_.forward(context, batch, hidden, pooled_.first(b));
    classifier_.forward(context, batch.sequence_keys, pass, pooled_.first(b), last_logits_);
    loss(context, batch, scales[0], pass.training ? d_logits_.first(b) : Tensor{});
  }

  void backward(Context& context, const Batch& batch, const Pass& pass, const LossScales&, const Tensor&,
                const Tensor& d_hidden) override {
    const std::int64_t b = batch.sequences.count;
    classifier_.backward(context, batch.sequence_keys, pass, pooled_.first(b), d_logits_.first(b),
                         d_pooled_.first(b));
    pooling_.backward(context, batch, d_pooled_.first(b), d_hidden);
  }

 private:
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
  DType activation_;
  SequencePooling pooling_;
  Classifier classifier_;
  Tensor pooled_;                // [B, C] dropped out
  Tensor logits_, last_logits_;  // [B, labels] compute dtype
  Tensor row_losses_;            // [B] compute dtype
  Tensor d_logits_;              // [B, labels]
  Tensor d_pooled_;              // [B, C]
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
