#include "model/heads/pretraining.h"

#include <algorithm>
#include <array>
#include <memory>

#include "kernels/fill.h"
#include "kernels/layer_norm.h"
#include "kernels/linear.h"
#include "kernels/linear_gelu.h"
#include "kernels/losses/cross_entropy.h"
#include "kernels/rows.h"
#include "kernels/tensor/memory_size.h"
#include "model/heads/head_registry.h"

namespace nystrom {
namespace {
constexpr std::size_t kMlm = 0, kSop = 1;
// On a GPU rows of logits are as wide as whole cache lines, whatever the vocabulary: else they begin where no
// fast product can read them.
constexpr std::int64_t kLogitsGrain = 64;

Tensor losses_of(const Tensor& sums, std::size_t loss) {
  return sums.rows(static_cast<std::int64_t>(loss), 1).reshaped({3});
}
}  // namespace

std::int64_t logits_at_once(std::size_t gpu_bytes) {
  constexpr std::int64_t kCached = 256 * 30000, kLeast = 2048 * 30000;  // 30 MB in fp32; 369 MB
  constexpr std::size_t kBytes = 4 + 2;                                 // fp32, and the gradient in bf16
  if (gpu_bytes == 0) return kCached;
  return std::max(kLeast, static_cast<std::int64_t>(gpu_bytes / 64 / kBytes));
}

PretrainingHead::PretrainingHead(const ModelConfig& c, ParameterStore& store, ParameterId word,
                                 bool sentence_order)
    : config_(c), store_(store), word_(word), sentence_order_(sentence_order) {
  const std::int64_t channels = c.hidden_size;
  if (sentence_order) {
    pooler_weight_ = store.add("nystromformer.pooler.dense.weight", {channels, channels}, Init::kWeight);
    pooler_bias_ = store.add("nystromformer.pooler.dense.bias", {channels}, Init::kBias);
  }
  dense_weight_ = store.add("cls.predictions.transform.dense.weight", {channels, channels}, Init::kWeight);
  dense_bias_ = store.add("cls.predictions.transform.dense.bias", {channels}, Init::kBias);
  gamma_ = store.add("cls.predictions.transform.LayerNorm.weight", {channels}, Init::kOne);
  beta_ = store.add("cls.predictions.transform.LayerNorm.bias", {channels}, Init::kZero);
  decoder_bias_ = store.add("cls.predictions.bias", {c.vocabulary_size}, Init::kZero);
  if (sentence_order) {
    order_weight_ = store.add("cls.seq_relationship.weight", {2, channels}, Init::kWeight);
    order_bias_ = store.add("cls.seq_relationship.bias", {2}, Init::kBias);
  }
}

std::vector<std::string_view> PretrainingHead::losses() const {
  if (sentence_order_) return {"mlm", "sop"};
  return {"mlm"};
}

ParameterId PretrainingHead::first_parameter() const {
  return sentence_order_ ? pooler_weight_ : dense_weight_;
}

void PretrainingHead::plan(Planner& planner, const BatchLimits& limits, bool training) {
  const DType type = store_.activation(), statistics = compute_dtype(type);
  const std::int64_t p = limits.labels, c = config_.hidden_size, b = limits.sequences,
                     v = config_.vocabulary_size;
  chunk_ = std::clamp<std::int64_t>(logits_at_once(total_bytes(store_.memory())) / v, 1,
                                    std::max<std::int64_t>(p, 1));
  gathered_ = planner.saved("head.gathered", type, {p, c});
  pre_ = planner.saved("head.pre", type, {p, c});
  normed_in_ = planner.saved("head.normed_in", type, {p, c});
  stats_ = planner.saved("head.stats", statistics, {p, 2});
  transformed_ = planner.saved("head.transformed", type, {p, c});
  if (training) d_transformed_ = planner.saved("head.d_transformed", type, {p, c});
  if (sentence_order_) {
    first_ = planner.saved("head.first", type, {b, c});
    pooled_ = planner.saved("head.pooled", type, {b, c});
    order_logits_ = planner.saved("head.order_logits", statistics, {b, 2});
    d_order_logits_ = planner.saved("head.d_order_logits", type, {b, 2});
    if (training) d_pooled_ = planner.saved("head.d_pooled", type, {b, c});
  }
  const ScratchScope scope(planner);
  row_losses_ = planner.scratch("head.row_losses", statistics, {std::max(chunk_, b)});
  const std::int64_t width =
      store_.memory().on_device() ? (v + kLogitsGrain - 1) / kLogitsGrain * kLogitsGrain : v;
  logits_ = planner.scratch("head.logits", statistics, {chunk_, width});
  d_logits_ = type == statistics ? logits_ : planner.scratch("head.d_logits", type, {chunk_, width});
}

void PretrainingHead::transform(Context& context, const Tensor& hidden, const Tensor& rows) {
  const std::int64_t p = rows.dim(0);
  gather_rows(context, hidden, rows, gathered_.first(p));
  linear_gelu_forward(context, {.kind = config_.activation,
                                .x = gathered_.first(p),
                                .w = store_.compute_weight(dense_weight_),
                                .bias = store_.weight(dense_bias_),
                                .pre = pre_.first(p),
                                .y = normed_in_.first(p)});
  layer_norm_forward(context, {.residual = {},
                               .branch = normed_in_.first(p),
                               .bias = {},
                               .gamma = store_.weight(gamma_),
                               .beta = store_.weight(beta_),
                               .epsilon = config_.layer_norm_epsilon,
                               .dropout = {},
                               .keys = {},
                               .z = normed_in_.first(p),
                               .stats = stats_.first(p),
                               .y = transformed_.first(p)});
}

void PretrainingHead::forward(Context& context, const Batch& batch, const Pass& pass,
                              const LossScales& scales, const Tensor& hidden) {
  transform(context, hidden, batch.label_rows);
  decode_chunks(context, batch, scales[kMlm], pass.training);
  if (sentence_order_) order_forward(context, batch, pass.training, scales[kSop], hidden);
}

// The logits of all masked positions are never held at once: a chunk's loss, its gradient and the products of
// the decoder's backward follow each other while the chunk is in the cache.
void PretrainingHead::decode_chunks(Context& context, const Batch& batch, double scale, bool training) {
  const Tensor table = store_.compute_weight(word_);
  for (std::int64_t begin = 0; begin < batch.token_labels.dim(0); begin += chunk_) {
    const std::int64_t rows = std::min(chunk_, batch.token_labels.dim(0) - begin);
    const Tensor logits = logits_.first(rows), input = transformed_.rows(begin, rows);
    const Tensor d_logits = training ? d_logits_.first(rows) : Tensor{};
    linear_forward(context, input, table, store_.weight(decoder_bias_), logits);
    cross_entropy(context, {.logits = logits,
                            .classes = config_.vocabulary_size,
                            .labels = batch.token_labels.rows(begin, rows),
                            .scale = scale,
                            .row_losses = row_losses_.first(rows),
                            .d_logits = d_logits,
                            .sums = losses_of(sums_, kMlm)});
    if (!training) continue;
    linear_backward_input(context, d_logits, table, d_transformed_.rows(begin, rows));
    linear_backward_weight(context, d_logits, input, store_.gradient(word_), store_.gradient(decoder_bias_));
  }
}

void PretrainingHead::pool(Context& context, const Batch& batch, const Tensor& hidden) {
  const std::int64_t b = batch.sequences.count;
  gather_rows(context, hidden, batch.first_rows, first_.first(b));
  linear_forward(context, first_.first(b), store_.compute_weight(pooler_weight_), store_.weight(pooler_bias_),
                 pooled_.first(b));
  tanh_forward(context, pooled_.first(b), pooled_.first(b));
}

void PretrainingHead::order_forward(Context& context, const Batch& batch, bool training, double scale,
                                    const Tensor& hidden) {
  const std::int64_t b = batch.sequences.count;
  order_logits(context, batch, hidden, order_logits_.first(b));
  cross_entropy(context, {.logits = order_logits_.first(b),
                          .labels = batch.sequence_labels,
                          .scale = scale,
                          .row_losses = row_losses_.first(b),
                          .d_logits = training ? d_order_logits_.first(b) : Tensor{},
                          .sums = losses_of(sums_, kSop)});
}

void PretrainingHead::backward(Context& context, const Batch& batch, const Pass& pass, const LossScales&,
                               const Tensor&, const Tensor& d_hidden) {
  NYSTROM_CHECK(pass.training, "backward follows a forward without training ({} tokens)",
                batch.sequences.tokens);
  const std::int64_t p = batch.label_rows.dim(0);
  const Tensor d = d_transformed_.first(p);
  layer_norm_backward(context, {.d_y = d,
                                .z = normed_in_.first(p),
                                .stats = stats_.first(p),
                                .gamma = store_.weight(gamma_),
                                .dropout = {},
                                .keys = {},
                                .d_z = d,
                                .d_branch = d,
                                .d_gamma = store_.gradient(gamma_),
                                .d_beta = store_.gradient(beta_),
                                .d_bias = {}});
  gelu_backward(context, config_.activation, pre_.first(p), d, d, store_.gradient(dense_bias_));
  linear_backward_weight(context, d, gathered_.first(p), store_.gradient(dense_weight_));
  const Tensor d_gathered = pre_.first(p);  // no longer needed as GELU's input
  linear_backward_input(context, d, store_.compute_weight(dense_weight_), d_gathered);
  fill_zero(context, d_hidden);
  scatter_add_rows(context, d_gathered, batch.label_rows, d_hidden);
  if (sentence_order_) order_backward(context, batch, d_hidden);
}

void PretrainingHead::order_backward(Context& context, const Batch& batch, const Tensor& d_hidden) {
  const std::int64_t b = batch.sequences.count;
  const Tensor d_logits = d_order_logits_.first(b), pooled = pooled_.first(b), d_pooled = d_pooled_.first(b);
  linear_backward_weight(context, d_logits, pooled, store_.gradient(order_weight_),
                         store_.gradient(order_bias_));
  linear_backward_input(context, d_logits, store_.compute_weight(order_weight_), d_pooled);
  tanh_backward(context, pooled, d_pooled, d_pooled);
  linear_backward_weight(context, d_pooled, first_.first(b), store_.gradient(pooler_weight_),
                         store_.gradient(pooler_bias_));
  linear_backward_input(context, d_pooled, store_.compute_weight(pooler_weight_), pooled);
  scatter_add_rows(context, pooled, batch.first_rows, d_hidden);
}

void PretrainingHead::token_logits(Context& context, const Tensor& hidden, const Tensor& rows,
                                   const Tensor& logits) {
  transform(context, hidden, rows);
  linear_forward(context, transformed_.first(rows.dim(0)), store_.compute_weight(word_),
                 store_.weight(decoder_bias_), logits);
}

void PretrainingHead::order_logits(Context& context, const Batch& batch, const Tensor& hidden,
                                   const Tensor& logits) {
  NYSTROM_CHECK(sentence_order_, "a masked language model without sentence order is asked for it ({} rows)",
                logits.dim(0));
  pool(context, batch, hidden);
  linear_forward(context, pooled_.first(batch.sequences.count), store_.compute_weight(order_weight_),
                 store_.weight(order_bias_), logits);
}

namespace {

template <bool kSentenceOrder>
std::unique_ptr<Head> make(const HeadConfig&, const HeadDependencies& dependencies) {
  return std::make_unique<PretrainingHead>(dependencies.model, dependencies.store, dependencies.word,
                                           kSentenceOrder);
}

CaseLabels read_masked_labels(const CaseInputs& inputs, const CaseShape& shape, const HeadConfig&) {
  return {.token_labels = inputs.labels("mlm_labels", shape.sequences * shape.length, shape.vocabulary_size)};
}

CaseLabels read_labels(const CaseInputs& inputs, const CaseShape& shape, const HeadConfig& head) {
  CaseLabels labels = read_masked_labels(inputs, shape, head);
  labels.sequence_labels = inputs.labels("sop_labels", shape.sequences, 2);
  return labels;
}

using enum HeadOutput::Source;
constexpr HeadOutput kMaskedOutput{.name = "logits", .source = kTokenLogits, .per_token = true};
constexpr std::array kMaskedOutputs{kMaskedOutput};
constexpr std::array kOutputs{kMaskedOutput, HeadOutput{.name = "sop_logits", .source = kOrderLogits}};

}  // namespace

constinit const HeadEntry kPretrainingEntry{
    .kind = HeadKind::kPretraining,
    .name = "pretraining",
    .description = "pretraining (MLM and SOP)",
    .architecture = "NystromformerForMaskedLM",
    .auto_class = "AutoModelForMaskedLM",
    .pipeline_tag = "fill-mask",
    .extra_tensors = "head of sentence-order prediction and its pooler",
    .is_language_model = true,
    .labels_from_config = false,
    .has_problem = false,
    .make = &make<true>,
    .read_case_labels = &read_labels,
    .case_outputs = kOutputs,
};

constinit const HeadEntry kMaskedLmEntry{
    .kind = HeadKind::kMaskedLm,
    .name = "masked_lm",
    .description = "masked language model",
    .architecture = "NystromformerForMaskedLM",
    .auto_class = "AutoModelForMaskedLM",
    .pipeline_tag = "fill-mask",
    .extra_tensors = "",
    .is_language_model = true,
    .labels_from_config = false,
    .has_problem = false,
    .make = &make<false>,
    .read_case_labels = &read_masked_labels,
    .case_outputs = kMaskedOutputs,
};

}  // namespace nystrom
