// Classification of pairs of sequences: sequences 2 i and 2 i + 1 of a batch, both through the one encoder.
// The classifier (classifier.h) sees (a, b, a b, a - b) of their pooled rows (pooling.h).

#include <array>

#include "kernels/losses/cross_entropy.h"
#include "kernels/pair_features.h"
#include "model/heads/classifier.h"
#include "model/heads/pooling.h"

namespace nystrom {
namespace {

class PairClassification final : public Head {
 public:
  PairClassification(const HeadConfig& head, const HeadDependencies& dependencies)
      : labels_(head.labels),
        config_(dependencies.model),
        activation_(dependencies.store.activation()),
        pooling_(config_),
        classifier_(head.labels, 4 * config_.hidden_size, dependencies) {}

  [[nodiscard]] std::vector<std::string_view> losses() const override { return {"loss"}; }
  [[nodiscard]] ParameterId first_parameter() const override { return classifier_.first_parameter(); }
  [[nodiscard]] Tensor logits() const override { return last_logits_; }

  void plan(Planner& planner, const BatchLimits& limits, bool training) override {
    const DType statistics = compute_dtype(activation_);
    const std::int64_t b = limits.sequences, pairs = b / 2, c = config_.hidden_size;
    pooling_.plan(planner, limits);
    pooled_ = planner.saved("head.pooled", activation_, {b, c});
    features_ = planner.saved("head.features", activation_, {pairs, 4 * c});
    classifier_.plan(planner, pairs, training);
    logits_ = planner.saved("head.logits", statistics, {pairs, labels_});
    row_losses_ = planner.saved("head.row_losses", statistics, {pairs});
    if (!training) return;
    d_logits_ = planner.saved("head.d_logits", activation_, {pairs, labels_});
    d_features_ = planner.saved("head.d_features", activation_, {pairs, 4 * c});
    d_pooled_ = planner.saved("head.d_pooled", activation_, {b, c});
  }

  void forward(Context& context, const Batch& batch, const Pass& pass, const LossScales& scales,
               const Tensor& hidden) override {
    const std::int64_t b = batch.sequences.count, pairs = pairs_of(batch);
    last_logits_ = logits_.first(pairs);
    pooling_.forward(context, batch, hidden, pooled_.first(b));
    pair_features_forward(context, pooled_.first(b), features_.first(pairs));
    classifier_.forward(context, batch.pair_keys, pass, features_.first(pairs), last_logits_);
    if (batch.sequence_labels.numel() == 0) return;
    const Tensor d_logits = pass.training ? d_logits_.first(pairs) : Tensor{};
    cross_entropy(context, {.logits = last_logits_,
                            .labels = batch.sequence_labels,
                            .scale = scales[0],
                            .row_losses = row_losses_.first(pairs),
                            .d_logits = d_logits,
                            .sums = sums_.view().rows(0, 1).reshaped({3})});
    if (!d_logits.empty()) weigh(context, batch.sequence_labels, d_logits);
  }

  void backward(Context& context, const Batch& batch, const Pass& pass, const LossScales&, const Tensor&,
                const Tensor& d_hidden) override {
    const std::int64_t b = batch.sequences.count, pairs = pairs_of(batch);
    const Tensor d_features = d_features_.first(pairs), d_pooled = d_pooled_.first(b);
    classifier_.backward(context, batch.pair_keys, pass, features_.first(pairs), d_logits_.first(pairs),
                         d_features);
    pair_features_backward(context, pooled_.first(b), d_features, d_pooled);
    pooling_.backward(context, batch, d_pooled, d_hidden);
  }

 private:
  static std::int64_t pairs_of(const Batch& batch) {
    NYSTROM_CHECK(batch.sequences.count % 2 == 0, "{} sequences are not pairs", batch.sequences.count);
    return batch.sequences.count / 2;
  }

  std::int64_t labels_;
  const ModelConfig& config_;
  DType activation_;
  SequencePooling pooling_;
  Classifier classifier_;
  Tensor pooled_;                // [B, C]
  Tensor features_;              // [B / 2, 4 C] dropped out
  Tensor logits_, last_logits_;  // [B / 2, labels] compute dtype
  Tensor row_losses_;            // [B / 2] compute dtype
  Tensor d_logits_;              // [B / 2, labels]
  Tensor d_features_;            // [B / 2, 4 C]
  Tensor d_pooled_;              // [B, C]
};

std::unique_ptr<Head> make(const HeadConfig& head, const HeadDependencies& dependencies) {
  return std::make_unique<PairClassification>(head, dependencies);
}

CaseLabels read_labels(const CaseInputs& inputs, const CaseShape& shape, const HeadConfig& head) {
  if (shape.sequences % 2 != 0)
    refuse("{} has {} sequences, which are not pairs: the number is odd.", inputs.path(), shape.sequences);
  return {.sequence_labels = inputs.labels("labels", shape.sequences / 2, head.labels)};
}

constexpr std::array kOutputs{HeadOutput{"logits"}};

}  // namespace

constinit const HeadEntry kPairClassificationEntry{
    .kind = HeadKind::kPairClassification,
    .name = "pair_classification",
    .description = "classification of pairs",
    .architecture = "NystromformerForPairClassification",
    .auto_class = "AutoModelForSequenceClassification",
    .pipeline_tag = "text-classification",
    .extra_tensors = "",
    .is_language_model = false,
    .labels_from_config = true,
    .has_problem = false,
    .make = &make,
    .read_case_labels = &read_labels,
    .case_outputs = kOutputs,
};

}  // namespace nystrom
