#include "model/layers/block.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/layer_norm.h"
#include "kernels/linear.h"
#include "kernels/linear_gelu.h"
#include "kernels/residual.h"
#include "kernels/rows.h"
#include "model/attention/registry.h"

namespace nystrom {
namespace {
// Dropout sites: 0 is the embeddings'; each block has four.
std::uint32_t site(std::int64_t layer, std::uint32_t place) {
  return 1 + 4 * static_cast<std::uint32_t>(layer) + place;
}
constexpr std::uint32_t kProbabilities = 0, kAttentionOutput = 1, kFeedForward = 2;

std::vector<std::string> names_of(const std::string& prefix, std::span<const std::string_view> names,
                                  std::string_view suffix) {
  std::vector<std::string> all;
  for (const std::string_view name : names) all.push_back(fmt::format("{}{}{}", prefix, name, suffix));
  return all;
}

Tensor as_matrix(const Tensor& flat, std::int64_t rows, std::int64_t columns) {
  return flat.first(rows * columns).reshaped({rows, columns});
}
}  // namespace

Block::Block(const ModelConfig& c, ParameterStore& store, const FixedPositions& positions, std::int64_t layer)
    : config_(c), store_(store), positions_(positions), pre_norm_(c.network.norm == NormPlacement::kPre) {
  const std::string at = fmt::format("nystromformer.encoder.layer.{}.", layer);
  const std::string self = at + "attention.self.", attention = at + "attention.output.",
                    output = at + "output.";
  const std::int64_t channels = c.hidden_size, width = c.intermediate_size;
  const AttentionEntry& kind = attention_entry(c.attention.kind);
  projections_ = std::ssize(kind.projections);
  qkv_weight_ =
      store.add_group(names_of(self, kind.projections, ".weight"), {channels, channels}, Init::kWeight);
  qkv_bias_ = store.add_group(names_of(self, kind.projections, ".bias"), {channels}, Init::kBias);
  attention_ = kind.make(c, store, {self, layer, site(layer, kProbabilities)});
  output_weight_ = store.add(attention + "dense.weight", {channels, channels}, Init::kWeight);
  attention_norm_.bias = store.add(attention + "dense.bias", {channels}, Init::kBias);
  attention_norm_.gamma = store.add(attention + "LayerNorm.weight", {channels}, Init::kOne);
  attention_norm_.beta = store.add(attention + "LayerNorm.bias", {channels}, Init::kZero);
  attention_norm_.site = site(layer, kAttentionOutput);
  in_weight_ = store.add(at + "intermediate.dense.weight", {width, channels}, Init::kWeight);
  in_bias_ = store.add(at + "intermediate.dense.bias", {width}, Init::kBias);
  out_weight_ = store.add(output + "dense.weight", {channels, width}, Init::kWeight);
  output_norm_.bias = store.add(output + "dense.bias", {channels}, Init::kBias);
  output_norm_.gamma = store.add(output + "LayerNorm.weight", {channels}, Init::kOne);
  output_norm_.beta = store.add(output + "LayerNorm.bias", {channels}, Init::kZero);
  output_norm_.site = site(layer, kFeedForward);
}

void Block::plan(Planner& planner, const BatchLimits& limits, const AttentionLimits& attention) {
  const DType type = store_.activation(), statistics = compute_dtype(type);
  const std::int64_t t = limits.tokens, c = config_.hidden_size, f = config_.intermediate_size;
  if (pre_norm_) normed_ = planner.saved("block.normed", type, {t, c});
  qkv_ = planner.saved("block.qkv", type, {t, projections_ * c});
  attention_->plan(planner, attention);
  context_ = planner.saved("block.context", type, {t, c});
  z1_ = planner.saved("block.z1", type, {t, c});
  stats1_ = planner.saved("block.stats1", statistics, {t, 2});
  y1_ = planner.saved("block.y1", type, {t, c});
  pre_ = planner.saved("block.pre", type, {t, f});
  activated_ = planner.saved("block.activated", type, {t, f});
  z2_ = planner.saved("block.z2", type, {t, c});
  stats2_ = planner.saved("block.stats2", statistics, {t, 2});
}

Block::BackwardScratch Block::BackwardScratch::plan(Planner& planner, const BatchLimits& limits,
                                                    const ModelConfig& config, DType dtype) {
  const std::int64_t t = limits.tokens, c = config.hidden_size;
  const std::int64_t projections = std::ssize(attention_entry(config.attention.kind).projections);
  return {planner.scratch("block.d_branch", dtype, {t, c}),
          planner.scratch("block.d_wide", dtype, {t * std::max(c, config.intermediate_size)}),
          planner.scratch("block.d_qkv", dtype, {t, projections * c})};
}

AttentionStep Block::attention_step(const Batch& batch, const Pass& pass, const Tensor& workspace) const {
  const std::int64_t t = batch.sequences.tokens;
  return {.sequences = batch.sequences,
          .keys = batch.token_keys,
          .positions = batch.inputs.positions,
          .pass = pass,
          .qkv = qkv_.first(t),
          .workspace = workspace,
          .out = context_.first(t),
          .spans = batch.spans};
}

void Block::forward(Context& context, const Batch& batch, const Pass& pass, const Tensor& workspace,
                    const Tensor& x, const Tensor& y) {
  pre_norm_ ? forward_pre(context, batch, pass, workspace, x, y)
            : forward_post(context, batch, pass, workspace, x, y);
}

void Block::backward(Context& context, const Batch& batch, const Pass& pass, const Tensor& workspace,
                     const Tensor& x, const BackwardScratch& scratch, const Tensor& d) {
  pre_norm_ ? backward_pre(context, batch, pass, workspace, x, scratch, d)
            : backward_post(context, batch, pass, workspace, x, scratch, d);
}

void Block::forward_post(Context& context, const Batch& batch, const Pass& pass, const Tensor& workspace,
                         const Tensor& x, const Tensor& y) {
  const std::int64_t t = batch.sequences.tokens;
  const Tensor z1 = z1_.first(t), y1 = y1_.first(t), z2 = z2_.first(t);
  attend(context, batch, pass, workspace, x);
  linear_forward(context, context_.first(t), store_.compute_weight(output_weight_), {}, z1);
  norm_forward(context, batch, pass, attention_norm_, x, z1, stats1_.first(t), y1);
  feed_forward(context, y1);
  linear_forward(context, activated_.first(t), store_.compute_weight(out_weight_), {}, z2);
  norm_forward(context, batch, pass, output_norm_, y1, z2, stats2_.first(t), y);
}

void Block::backward_post(Context& context, const Batch& batch, const Pass& pass, const Tensor& workspace,
                          const Tensor& x, const BackwardScratch& scratch, const Tensor& d) {
  const std::int64_t t = batch.sequences.tokens;
  const Tensor d_branch = scratch.d_branch.first(t);

  norm_backward(context, batch, pass, output_norm_, z2_.first(t), stats2_.first(t), d, d_branch);
  linear_backward_weight(context, d_branch, activated_.first(t), store_.gradient(out_weight_));
  feed_forward_backward(context, y1_.first(t), scratch, d_branch, d, /*accumulate=*/true);

  norm_backward(context, batch, pass, attention_norm_, z1_.first(t), stats1_.first(t), d, d_branch);
  linear_backward_weight(context, d_branch, context_.first(t), store_.gradient(output_weight_));
  attend_backward(context, batch, pass, workspace, x, scratch, d, /*accumulate=*/true);
}

// x1 = x + attention(LN(x)), y = x1 + feed_forward(LN(x1)): the first sum and the second norm are one op.
void Block::forward_pre(Context& context, const Batch& batch, const Pass& pass, const Tensor& workspace,
                        const Tensor& x, const Tensor& y) {
  const std::int64_t t = batch.sequences.tokens;
  const Tensor normed = normed_.first(t), x1 = z1_.first(t), y1 = y1_.first(t), z2 = z2_.first(t);
  layer_norm_forward(context, {.residual = {},
                               .branch = x,
                               .bias = {},
                               .gamma = store_.weight(attention_norm_.gamma),
                               .beta = store_.weight(attention_norm_.beta),
                               .epsilon = config_.layer_norm_epsilon,
                               .dropout = {},
                               .keys = {},
                               .z = x,
                               .stats = stats1_.first(t),
                               .y = normed});
  attend(context, batch, pass, workspace, normed);
  linear_forward(context, context_.first(t), store_.compute_weight(output_weight_), {}, x1);
  norm_forward(context, batch, pass, joined_norm(), x, x1, stats2_.first(t), y1);
  feed_forward(context, y1);
  linear_forward(context, activated_.first(t), store_.compute_weight(out_weight_),
                 store_.weight(output_norm_.bias), z2);
  if (const Dropout dropout = pass.dropout(config_.dropout, output_norm_.site); dropout.active())
    dropout_rows(context, dropout, batch.token_keys, z2, z2);
  add_residual(context, x1, z2, y);
}

void Block::backward_pre(Context& context, const Batch& batch, const Pass& pass, const Tensor& workspace,
                         const Tensor& x, const BackwardScratch& scratch, const Tensor& d) {
  const std::int64_t t = batch.sequences.tokens;
  const Tensor d_branch = scratch.d_branch.first(t);

  const Dropout dropout = pass.dropout(config_.dropout, output_norm_.site);
  if (dropout.active()) dropout_rows(context, dropout, batch.token_keys, d, d_branch);
  const Tensor& d_z2 = dropout.active() ? d_branch : d;
  linear_backward_weight(context, d_z2, activated_.first(t), store_.gradient(out_weight_),
                         store_.gradient(output_norm_.bias));
  feed_forward_backward(context, y1_.first(t), scratch, d_z2, d_branch, /*accumulate=*/false);

  norm_backward(context, batch, pass, joined_norm(), z1_.first(t), stats2_.first(t), d, d_branch);
  linear_backward_weight(context, d_branch, context_.first(t), store_.gradient(output_weight_));
  attend_backward(context, batch, pass, workspace, normed_.first(t), scratch, d_branch, /*accumulate=*/false);
  layer_norm_backward(context, {.d_y = d_branch,
                                .z = x,
                                .stats = stats1_.first(t),
                                .gamma = store_.weight(attention_norm_.gamma),
                                .dropout = {},
                                .keys = {},
                                .d_skip = d,
                                .d_z = d,
                                .d_branch = d,
                                .d_gamma = store_.gradient(attention_norm_.gamma),
                                .d_beta = store_.gradient(attention_norm_.beta),
                                .d_bias = {}});
}

void Block::attend(Context& context, const Batch& batch, const Pass& pass, const Tensor& workspace,
                   const Tensor& x) {
  const Tensor qkv = qkv_.first(batch.sequences.tokens);
  linear_forward(context, x, store_.grouped_compute_weight(qkv_weight_, projections_),
                 store_.grouped_weight(qkv_bias_, projections_), qkv);
  positions_.turn(context, batch, qkv, /*back=*/false);
  attention_->forward(context, attention_step(batch, pass, workspace));
}

void Block::attend_backward(Context& context, const Batch& batch, const Pass& pass, const Tensor& workspace,
                            const Tensor& x, const BackwardScratch& scratch, const Tensor& d_x,
                            bool accumulate) {
  const std::int64_t t = batch.sequences.tokens;
  const Tensor d_qkv = scratch.d_qkv.first(t), d_attended = as_matrix(scratch.d_wide, t, config_.hidden_size);
  linear_backward_input(context, scratch.d_branch.first(t), store_.compute_weight(output_weight_),
                        d_attended);
  attention_->backward(context, attention_step(batch, pass, workspace), d_attended, d_qkv);
  positions_.turn(context, batch, d_qkv, /*back=*/true);
  linear_backward_weight(context, d_qkv, x, store_.grouped_gradient(qkv_weight_, projections_),
                         store_.grouped_gradient(qkv_bias_, projections_));
  linear_backward_input(context, d_qkv, store_.grouped_compute_weight(qkv_weight_, projections_), d_x,
                        accumulate);
}

void Block::feed_forward(Context& context, const Tensor& x) {
  const std::int64_t t = x.dim(0);
  linear_gelu_forward(context, {.kind = config_.activation,
                                .x = x,
                                .w = store_.compute_weight(in_weight_),
                                .bias = store_.weight(in_bias_),
                                .pre = pre_.first(t),
                                .y = activated_.first(t)});
}

void Block::feed_forward_backward(Context& context, const Tensor& x, const BackwardScratch& scratch,
                                  const Tensor& d_z2, const Tensor& d_x, bool accumulate) {
  const std::int64_t t = x.dim(0);
  const Tensor d_hidden = as_matrix(scratch.d_wide, t, config_.intermediate_size);
  linear_gelu_backward(context, {.kind = config_.activation,
                                 .d_next = d_z2,
                                 .w_next = store_.compute_weight(out_weight_),
                                 .pre = pre_.first(t),
                                 .x = x,
                                 .d_pre = d_hidden,
                                 .d_w = store_.gradient(in_weight_),
                                 .d_bias = store_.gradient(in_bias_)});
  linear_backward_input(context, d_hidden, store_.compute_weight(in_weight_), d_x, accumulate);
}

Block::Norm Block::joined_norm() const {
  return {.bias = attention_norm_.bias,
          .gamma = output_norm_.gamma,
          .beta = output_norm_.beta,
          .site = attention_norm_.site};
}

void Block::norm_forward(Context& context, const Batch& batch, const Pass& pass, const Norm& norm,
                         const Tensor& residual, const Tensor& z, const Tensor& stats, const Tensor& y) {
  layer_norm_forward(context, {.residual = residual,
                               .branch = z,
                               .bias = store_.weight(norm.bias),
                               .gamma = store_.weight(norm.gamma),
                               .beta = store_.weight(norm.beta),
                               .epsilon = config_.layer_norm_epsilon,
                               .dropout = pass.dropout(config_.dropout, norm.site),
                               .keys = batch.token_keys,
                               .z = z,
                               .stats = stats,
                               .y = y});
}

void Block::norm_backward(Context& context, const Batch& batch, const Pass& pass, const Norm& norm,
                          const Tensor& z, const Tensor& stats, const Tensor& d, const Tensor& d_branch) {
  layer_norm_backward(context, {.d_y = pre_norm_ ? d_branch : d,
                                .z = z,
                                .stats = stats,
                                .gamma = store_.weight(norm.gamma),
                                .dropout = pass.dropout(config_.dropout, norm.site),
                                .keys = batch.token_keys,
                                .d_skip = pre_norm_ ? d : Tensor{},
                                .d_z = d,
                                .d_branch = d_branch,
                                .d_gamma = store_.gradient(norm.gamma),
                                .d_beta = store_.gradient(norm.beta),
                                .d_bias = store_.gradient(norm.bias)});
}

}  // namespace nystrom
