// transformers' NystromformerForQuestionAnswering: (start, end) = h W^T + b for every token. Padding is no
// answer: it is left out of the loss, unlike in transformers, where the loss depends on the padding.

#include <array>

#include "kernels/linear.h"
#include "kernels/losses/span_cross_entropy.h"
#include "model/heads/head_registry.h"

namespace nystrom {
namespace {

class QuestionAnswering final : public Head {
 public:
  explicit QuestionAnswering(const HeadDependencies& dependencies)
      : config_(dependencies.model), store_(dependencies.store) {
    weight_ = store_.add("qa_outputs.weight", {2, config_.hidden_size}, Init::kWeight);
    bias_ = store_.add("qa_outputs.bias", {2}, Init::kBias);
  }

  [[nodiscard]] std::vector<std::string_view> losses() const override { return {"loss"}; }
  [[nodiscard]] ParameterId first_parameter() const override { return weight_; }
  [[nodiscard]] Tensor logits() const override { return last_logits_; }

  void plan(Planner& planner, const BatchLimits& limits, bool training) override {
    const DType type = store_.activation();
    logits_ = planner.saved("head.logits", compute_dtype(type), {limits.tokens, 2});
    if (training) d_logits_ = planner.saved("head.d_logits", type, {limits.tokens, 2});
  }

  void forward(Context& context, const Batch& batch, const Pass& pass, const LossScales& scales,
               const Tensor& hidden) override {
    const std::int64_t tokens = batch.sequences.tokens;
    last_logits_ = logits_.first(tokens);
    linear_forward(context, hidden, store_.compute_weight(weight_), store_.weight(bias_), last_logits_);
    if (batch.sequence_labels.numel() == 0) return;
    span_cross_entropy(context, {.logits = last_logits_,
                                 .sequences = batch.sequences,
                                 .starts = batch.sequence_labels,
                                 .ends = batch.sequence_ends,
                                 .scale = scales[0],
                                 .d_logits = pass.training ? d_logits_.first(tokens) : Tensor{},
                                 .sums = sums_.view().rows(0, 1).reshaped({3})});
  }

  void backward(Context& context, const Batch& batch, const Pass&, const LossScales&, const Tensor& hidden,
                const Tensor& d_hidden) override {
    const Tensor d_logits = d_logits_.first(batch.sequences.tokens);
    linear_backward_weight(context, d_logits, hidden, store_.gradient(weight_), store_.gradient(bias_));
    linear_backward_input(context, d_logits, store_.compute_weight(weight_), d_hidden);
  }

 private:
  const ModelConfig& config_;
  ParameterStore& store_;
  ParameterId weight_, bias_;
  Tensor logits_, last_logits_;  // [T, 2] compute dtype
  Tensor d_logits_;              // [T, 2]
};

std::unique_ptr<Head> make(const HeadConfig&, const HeadDependencies& dependencies) {
  return std::make_unique<QuestionAnswering>(dependencies);
}

CaseLabels read_labels(const CaseInputs& inputs, const CaseShape& shape, const HeadConfig&) {
  CaseLabels labels{.sequence_labels = inputs.labels("start_positions", shape.sequences, shape.length),
                    .sequence_ends = inputs.labels("end_positions", shape.sequences, shape.length)};
  for (std::size_t b = 0; b < shape.lengths.size(); ++b)
    if (labels.sequence_labels[b] >= shape.lengths[b] || labels.sequence_ends[b] >= shape.lengths[b])
      refuse("{}: the answer of row {} is in its padding.", inputs.path(), b);
  return labels;
}

constexpr std::array kOutputs{HeadOutput{.name = "start_logits", .per_token = true, .column = 0},
                              HeadOutput{.name = "end_logits", .per_token = true, .column = 1},
                              HeadOutput{"logits"}};

}  // namespace

constinit const HeadEntry kQuestionAnsweringEntry{
    .kind = HeadKind::kQuestionAnswering,
    .name = "question_answering",
    .description = "question answering",
    .architecture = "NystromformerForQuestionAnswering",
    .auto_class = "AutoModelForQuestionAnswering",
    .pipeline_tag = "question-answering",
    .extra_tensors = "",
    .is_language_model = false,
    .labels_from_config = false,
    .has_problem = false,
    .make = &make,
    .read_case_labels = &read_labels,
    .case_outputs = kOutputs,
};

}  // namespace nystrom
