#include "model/layers/embeddings.h"

namespace nystrom {
namespace {
constexpr std::uint32_t kEmbeddingSite = 0;
}

Embeddings::Embeddings(const ModelConfig& c, ParameterStore& store, const FixedPositions& positions)
    : config_(c),
      store_(store),
      fixed_(positions),
      word_(store.add("nystromformer.embeddings.word_embeddings.weight", {c.vocabulary_size, c.hidden_size},
                      Init::kNormal)),
      picture_(c, store) {
  const std::string at = "nystromformer.embeddings.";
  if (c.network.positions == Positions::kLearned)
    position_ =
        store.add(at + "position_embeddings.weight", {c.max_positions + 2, c.hidden_size}, Init::kNormal);
  type_ = store.add(at + "token_type_embeddings.weight", {c.token_types, c.hidden_size}, Init::kNormal);
  if (!c.network.embedding_norm) return;
  gamma_ = store.add(at + "LayerNorm.weight", {c.hidden_size}, Init::kOne);
  beta_ = store.add(at + "LayerNorm.bias", {c.hidden_size}, Init::kZero);
}

void Embeddings::plan(Planner& planner, const BatchLimits& limits) {
  picture_.plan(planner);
  stats_ = planner.saved("embeddings.stats", compute_dtype(store_.activation()), {limits.tokens, 2});
}

void Embeddings::plan_backward(Planner& planner, const BatchLimits& limits) {
  picture_.plan_backward(planner);
  d_sum_ = planner.scratch("embeddings.d_sum", compute_dtype(store_.activation()),
                           {limits.tokens, config_.hidden_size});
}

EmbeddingTables Embeddings::tables(const Tensor& position) const {
  const auto of = [this](std::optional<ParameterId> id) { return id ? store_.weight(*id) : Tensor{}; };
  return {store_.weight(word_), position, store_.weight(type_), of(gamma_), of(beta_)};
}

Tensor Embeddings::position_table() const {
  if (picture_.exist()) return picture_.table();
  return position_ ? store_.weight(*position_) : fixed_.sinusoids();
}

EmbeddingTables Embeddings::gradients(const Tensor& position) const {
  const auto of = [this](std::optional<ParameterId> id) { return id ? store_.gradient(*id) : Tensor{}; };
  return {store_.gradient(word_), position, store_.gradient(type_), of(gamma_), of(beta_)};
}

void Embeddings::forward(Context& context, const Batch& batch, const Pass& pass, const Tensor& y) {
  if (picture_.exist()) picture_.make_table(context);
  embedding_forward(context, {.inputs = batch.inputs,
                              .tables = tables(position_table()),
                              .epsilon = config_.layer_norm_epsilon,
                              .dropout = pass.dropout(config_.dropout, kEmbeddingSite),
                              .keys = batch.token_keys,
                              .stats = stats_.first(batch.sequences.tokens),
                              .y = y});
}

void Embeddings::backward(Context& context, const Batch& batch, const Pass& pass, const Tensor& d_y) {
  const std::int64_t tokens = batch.sequences.tokens;
  const Tensor d_position = picture_.exist() ? picture_.zero_gradient(context)
                            : position_      ? store_.gradient(*position_)
                                             : Tensor{};
  embedding_backward(context, {.inputs = batch.inputs,
                               .tables = tables(position_table()),
                               .dropout = pass.dropout(config_.dropout, kEmbeddingSite),
                               .keys = batch.token_keys,
                               .stats = stats_.first(tokens),
                               .d_y = d_y,
                               .d_sum = d_sum_.first(tokens),
                               .gradients = gradients(d_position),
                               .pad_id = config_.pad_token_id});
  if (picture_.exist()) picture_.backward(context);
}

}  // namespace nystrom
