#include "model/layers/encoder.h"

#include "kernels/layer_norm.h"
#include "model/attention/registry.h"

namespace nystrom {

Encoder::Encoder(const ModelConfig& config, ParameterStore& store)
    : config_(config),
      store_(store),
      positions_(config, store.activation()),
      embeddings_(config, store, positions_) {
  blocks_.reserve(static_cast<std::size_t>(config.layers));
  for (std::int64_t layer = 0; layer < config.layers; ++layer)
    blocks_.emplace_back(config, store, positions_, layer);
  if (config.network.norm == NormPlacement::kPost) return;
  const std::string at = "nystromformer.encoder.final_norm.";
  final_norm_ = {.gamma = store.add(at + "weight", {config.hidden_size}, Init::kOne),
                 .beta = store.add(at + "bias", {config.hidden_size}, Init::kZero)};
}

void Encoder::plan(Planner& planner, const EncoderPlan& plan) {
  const DType type = store_.activation();
  const std::int64_t tokens = plan.limits.tokens;
  // Without a backward to come, and where it recomputes, all blocks share the memory of one.
  const bool shared = plan.recompute || !plan.training;
  recompute_ = plan.recompute && plan.training;
  states_.assign(blocks_.size() + 1, {});
  for (Tensor& state : states_) state = planner.saved("encoder.state", type, {tokens, config_.hidden_size});
  if (final_norm_) {
    normed_ = planner.saved("encoder.normed", type, {tokens, config_.hidden_size});
    final_stats_ = planner.saved("encoder.final_stats", compute_dtype(type), {tokens, 2});
  }
  positions_.plan(planner);
  embeddings_.plan(planner, plan.limits);
  const AttentionLimits attention{.batch = plan.limits.sequences,
                                  .tokens = tokens,
                                  .longest = plan.limits.longest,
                                  .channels = config_.hidden_size,
                                  .heads = config_.attention.heads,
                                  .taps = config_.attention.taps,
                                  .threads = plan.threads,
                                  .cuda = store_.memory().on_device(),
                                  .split = plan.limits.split,
                                  .shared_bytes = store_.memory().block_shared_bytes()};
  for (Block& block : blocks_) block.attention().plan_kept(planner, attention);
  for (Block& block : blocks_) {
    const std::size_t mark = planner.mark_saved();
    block.plan(planner, plan.limits, attention);
    if (shared && &block != &blocks_.back()) planner.rewind_saved(mark);
  }
  if (plan.training) d_ = planner.saved("encoder.d", type, {tokens, config_.hidden_size});
  const ScratchScope scope(planner);
  workspace_ = attention_entry(config_.attention.kind).plan_workspace(planner, config_, type, attention);
  if (!plan.training) return;
  scratch_ = Block::BackwardScratch::plan(planner, plan.limits, config_, type);
  embeddings_.plan_backward(planner, plan.limits);
}

void Encoder::prepare(Context& context, const Pass& pass) {
  positions_.prepare(context);
  embeddings_.prepare(context);
  for (Block& block : blocks_) block.attention().prepare(context, pass);
}

const Tensor& Encoder::forward(Context& context, const Batch& batch, const Pass& pass) {
  const std::int64_t tokens = batch.sequences.tokens;
  prepare(context, pass);
  embeddings_.forward(context, batch, pass, hidden_state(0, tokens));
  for (std::size_t l = 0; l < blocks_.size(); ++l)
    blocks_[l].forward(context, batch, pass, workspace_, hidden_state(l, tokens),
                       hidden_state(l + 1, tokens));
  if (final_norm_) normalize(context, tokens);
  last_ = output(tokens);
  return last_;
}

void Encoder::normalize(Context& context, std::int64_t tokens) {
  const Tensor sum = hidden_state(blocks_.size(), tokens);
  layer_norm_forward(context, {.residual = {},
                               .branch = sum,
                               .bias = {},
                               .gamma = store_.weight(final_norm_->gamma),
                               .beta = store_.weight(final_norm_->beta),
                               .epsilon = config_.layer_norm_epsilon,
                               .dropout = {},
                               .keys = {},
                               .z = sum,
                               .stats = final_stats_.first(tokens),
                               .y = normed_.first(tokens)});
}

void Encoder::normalize_backward(Context& context, std::int64_t tokens) {
  const Tensor d = d_hidden(tokens);
  layer_norm_backward(context, {.d_y = d,
                                .z = hidden_state(blocks_.size(), tokens),
                                .stats = final_stats_.first(tokens),
                                .gamma = store_.weight(final_norm_->gamma),
                                .dropout = {},
                                .keys = {},
                                .d_skip = {},
                                .d_z = d,
                                .d_branch = d,
                                .d_gamma = store_.gradient(final_norm_->gamma),
                                .d_beta = store_.gradient(final_norm_->beta),
                                .d_bias = {}});
}

void Encoder::backward(Context& context, const Batch& batch, const Pass& pass, const GradientsReady& ready) {
  const std::int64_t tokens = batch.sequences.tokens;
  const Tensor d = d_hidden(tokens);
  if (final_norm_) normalize_backward(context, tokens);
  for (std::size_t l = blocks_.size(); l-- > 0;) {
    const Tensor x = hidden_state(l, tokens);
    // The last block's activations are still those of forward.
    if (recompute_ && l + 1 < blocks_.size())
      blocks_[l].forward(context, batch, pass, workspace_, x, hidden_state(l + 1, tokens));
    blocks_[l].backward(context, batch, pass, workspace_, x, scratch_, d);
    if (ready) ready(store_[blocks_[l].first_parameter()].offset);
  }
  embeddings_.backward(context, batch, pass, d);
  if (ready) ready(0);
}

}  // namespace nystrom
