// transformers' NystromformerForTokenClassification over the labelled tokens alone:
//   logits = dropout(h) W^T + b

#include <array>

#include "kernels/fill.h"
#include "kernels/linear.h"
#include "kernels/losses/cross_entropy.h"
#include "kernels/rows.h"
#include "model/heads/head_registry.h"

namespace nystrom {
namespace {

class TokenClassification final : public Head {
 public:
  TokenClassification(const HeadConfig& head, const HeadDependencies& dependencies)
      : head_(head), config_(dependencies.model), store_(dependencies.store) {
    weight_ = store_.add("classifier.weight", {head.labels, config_.hidden_size}, Init::kWeight);
    bias_ = store_.add("classifier.bias", {head.labels}, Init::kBias);
  }

  [[nodiscard]] std::vector<std::string_view> losses() const override { return {"loss"}; }
  [[nodiscard]] ParameterId first_parameter() const override { return weight_; }
  [[nodiscard]] Tensor logits() const override { return last_logits_; }

  void plan(Planner& planner, const BatchLimits& limits, bool training) override {
    const DType type = store_.activation(), statistics = compute_dtype(type);
    const std::int64_t p = limits.labels, c = config_.hidden_size;
    gathered_ = planner.saved("head.gathered", type, {p, c});
    logits_ = planner.saved("head.logits", statistics, {p, head_.labels});
    row_losses_ = planner.saved("head.row_losses", statistics, {p});
    if (!training) return;
    d_logits_ = planner.saved("head.d_logits", type, {p, head_.labels});
    const ScratchScope scope(planner);
    dropped_ = planner.scratch("head.dropped", type, {limits.tokens, c});
  }

  void forward(Context& context, const Batch& batch, const Pass& pass, const LossScales& scales,
               const Tensor& hidden) override {
    const std::int64_t p = batch.label_rows.dim(0);
    const Dropout drop = dropout(pass);
    const Tensor input = drop.active() ? dropped_.first(batch.sequences.tokens) : hidden;
    if (drop.active()) dropout_rows(context, drop, batch.token_keys, hidden, input);
    gather_rows(context, input, batch.label_rows, gathered_.first(p));
    last_logits_ = logits_.first(p);
    linear_forward(context, gathered_.first(p), store_.compute_weight(weight_), store_.weight(bias_),
                   last_logits_);
    cross_entropy(context, {.logits = last_logits_,
                            .labels = batch.token_labels,
                            .scale = scales[0],
                            .row_losses = row_losses_.first(p),
                            .d_logits = pass.training ? d_logits_.first(p) : Tensor{},
                            .sums = sums_.view().rows(0, 1).reshaped({3})});
    if (pass.training) weigh(context, batch.token_labels, d_logits_.first(p));
  }

  void backward(Context& context, const Batch& batch, const Pass& pass, const LossScales&, const Tensor&,
                const Tensor& d_hidden) override {
    const std::int64_t p = batch.label_rows.dim(0);
    const Tensor d_logits = d_logits_.first(p), gathered = gathered_.first(p);
    linear_backward_weight(context, d_logits, gathered, store_.gradient(weight_), store_.gradient(bias_));
    linear_backward_input(context, d_logits, store_.compute_weight(weight_), gathered);  // no longer needed
    fill_zero(context, d_hidden);
    scatter_add_rows(context, gathered, batch.label_rows, d_hidden);
    const Dropout drop = dropout(pass);
    if (drop.active()) dropout_rows(context, drop, batch.token_keys, d_hidden, d_hidden);
  }

 private:
  [[nodiscard]] Dropout dropout(const Pass& pass) const {
    return pass.dropout(config_.dropout, dropout_site(config_, 0));
  }

  HeadConfig head_;
  const ModelConfig& config_;
  ParameterStore& store_;
  ParameterId weight_, bias_;
  Tensor dropped_;               // [T, C] hidden states, dropped out; scratch
  Tensor gathered_;              // [P, C]
  Tensor logits_, last_logits_;  // [P, labels] compute dtype
  Tensor row_losses_;            // [P] compute dtype
  Tensor d_logits_;              // [P, labels]
};

std::unique_ptr<Head> make(const HeadConfig& head, const HeadDependencies& dependencies) {
  return std::make_unique<TokenClassification>(head, dependencies);
}

CaseLabels read_labels(const CaseInputs& inputs, const CaseShape& shape, const HeadConfig& head) {
  return {.token_labels = inputs.labels("labels", shape.sequences * shape.length, head.labels)};
}

constexpr std::array kOutputs{HeadOutput{.name = "logits", .per_token = true}};

}  // namespace

constinit const HeadEntry kTokenClassificationEntry{
    .kind = HeadKind::kTokenClassification,
    .name = "token_classification",
    .description = "token classification",
    .architecture = "NystromformerForTokenClassification",
    .auto_class = "AutoModelForTokenClassification",
    .pipeline_tag = "token-classification",
    .extra_tensors = "",
    .is_language_model = false,
    .labels_from_config = true,
    .has_problem = false,
    .make = &make,
    .read_case_labels = &read_labels,
    .case_outputs = kOutputs,
};

}  // namespace nystrom
