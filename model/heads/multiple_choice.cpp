// transformers' NystromformerForMultipleChoice, from the first token x of each choice's sequence:
//   score = relu(x W^T + b) w^T + c;  softmax over the choices of a question, which follow each other.
// A batch of Q labels and B sequences has B / Q choices a question. Without labels all are one question's.

#include <array>

#include "kernels/fill.h"
#include "kernels/linear.h"
#include "kernels/losses/cross_entropy.h"
#include "kernels/relu.h"
#include "kernels/rows.h"
#include "model/heads/head_registry.h"

namespace nystrom {
namespace {

class MultipleChoice final : public Head {
 public:
  explicit MultipleChoice(const HeadDependencies& dependencies)
      : config_(dependencies.model), store_(dependencies.store) {
    const std::int64_t c = config_.hidden_size;
    dense_weight_ = store_.add("pre_classifier.weight", {c, c}, Init::kWeight);
    dense_bias_ = store_.add("pre_classifier.bias", {c}, Init::kBias);
    out_weight_ = store_.add("classifier.weight", {1, c}, Init::kWeight);
    out_bias_ = store_.add("classifier.bias", {1}, Init::kBias);
  }

  [[nodiscard]] std::vector<std::string_view> losses() const override { return {"loss"}; }
  [[nodiscard]] ParameterId first_parameter() const override { return dense_weight_; }
  [[nodiscard]] Tensor logits() const override { return last_logits_; }

  void plan(Planner& planner, const BatchLimits& limits, bool training) override {
    const DType type = store_.activation(), statistics = compute_dtype(type);
    const std::int64_t b = limits.sequences, c = config_.hidden_size;
    first_ = planner.saved("head.first", type, {b, c});
    activated_ = planner.saved("head.activated", type, {b, c});
    logits_ = planner.saved("head.logits", statistics, {b, 1});
    row_losses_ = planner.saved("head.row_losses", statistics, {b});
    if (!training) return;
    d_logits_ = planner.saved("head.d_logits", type, {b, 1});
    d_ = planner.saved("head.d", type, {b, c});
  }

  void forward(Context& context, const Batch& batch, const Pass& pass, const LossScales& scales,
               const Tensor& hidden) override {
    const std::int64_t b = batch.sequences.count, labels = batch.sequence_labels.numel();
    const std::int64_t questions = labels == 0 && b > 0 ? 1 : labels;
    NYSTROM_CHECK(questions == 0 ? b == 0 : b % questions == 0, "{} choices of {} questions", b, questions);
    const Shape shape{questions, questions == 0 ? 0 : b / questions};
    const Tensor first = first_.first(b), activated = activated_.first(b), scores = logits_.first(b);
    gather_rows(context, hidden, batch.first_rows, first);
    linear_forward(context, first, store_.compute_weight(dense_weight_), store_.weight(dense_bias_),
                   activated);
    relu_forward(context, activated, activated);
    linear_forward(context, activated, store_.compute_weight(out_weight_), store_.weight(out_bias_), scores);
    last_logits_ = scores.reshaped(shape);
    if (labels == 0) return;
    cross_entropy(context, {.logits = last_logits_,
                            .labels = batch.sequence_labels,
                            .scale = scales[0],
                            .row_losses = row_losses_.first(questions),
                            .d_logits = pass.training ? d_logits_.first(b).reshaped(shape) : Tensor{},
                            .sums = sums_.view().rows(0, 1).reshaped({3})});
  }

  void backward(Context& context, const Batch& batch, const Pass&, const LossScales&, const Tensor&,
                const Tensor& d_hidden) override {
    const std::int64_t b = batch.sequences.count;
    const Tensor d_scores = d_logits_.first(b), d = d_.first(b), d_first = activated_.first(b);
    linear_backward_weight(context, d_scores, activated_.first(b), store_.gradient(out_weight_),
                           store_.gradient(out_bias_));
    linear_backward_input(context, d_scores, store_.compute_weight(out_weight_), d);
    relu_backward(context, activated_.first(b), d, d);
    linear_backward_weight(context, d, first_.first(b), store_.gradient(dense_weight_),
                           store_.gradient(dense_bias_));
    linear_backward_input(context, d, store_.compute_weight(dense_weight_), d_first);  // no longer needed
    fill_zero(context, d_hidden);
    scatter_add_rows(context, d_first, batch.first_rows, d_hidden);
  }

 private:
  const ModelConfig& config_;
  ParameterStore& store_;
  ParameterId dense_weight_, dense_bias_, out_weight_, out_bias_;
  Tensor first_;        // [B, C]
  Tensor activated_;    // [B, C] after the rectifier
  Tensor logits_;       // [B, 1] compute dtype
  Tensor last_logits_;  // [questions, choices], the same values
  Tensor row_losses_;   // [B] compute dtype
  Tensor d_logits_;     // [B, 1]
  Tensor d_;            // [B, C]
};

std::unique_ptr<Head> make(const HeadConfig&, const HeadDependencies& dependencies) {
  return std::make_unique<MultipleChoice>(dependencies);
}

CaseLabels read_labels(const CaseInputs& inputs, const CaseShape& shape, const HeadConfig&) {
  const std::int64_t questions = inputs.count("labels");
  if (questions == 0 || shape.sequences % questions != 0)
    refuse("{}: inputs/labels does not divide the {} sequences into questions.", inputs.path(),
           shape.sequences);
  return {.sequence_labels = inputs.labels("labels", questions, shape.sequences / questions)};
}

constexpr std::array kOutputs{HeadOutput{"logits"}};

}  // namespace

constinit const HeadEntry kMultipleChoiceEntry{
    .kind = HeadKind::kMultipleChoice,
    .name = "multiple_choice",
    .description = "multiple choice",
    .architecture = "NystromformerForMultipleChoice",
    .auto_class = "AutoModelForMultipleChoice",
    .pipeline_tag = "multiple-choice",
    .extra_tensors = "",
    .is_language_model = false,
    .labels_from_config = false,
    .has_problem = false,
    .make = &make,
    .read_case_labels = &read_labels,
    .case_outputs = kOutputs,
};

}  // namespace nystrom
