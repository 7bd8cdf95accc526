#include "model/layers/embeddings.h"

namespace nystrom {
namespace {
constexpr std::uint32_t kEmbeddingSite = 0;
}

Embeddings::Embeddings(const ModelConfig& c, ParameterStore& store)
    : config_(c),
      store_(store),
      word_(store.add("nystromformer.embeddings.word_embeddings.weight", {c.vocabulary_size, c.hidden_size},
                      Init::kNormal)),
      position_(store.add("nystromformer.embeddings.position_embeddings.weight",
                          {c.max_positions + 2, c.hidden_size}, Init::kNormal)),
      type_(store.add("nystromformer.embeddings.token_type_embeddings.weight", {c.token_types, c.hidden_size},
                      Init::kNormal)),
      gamma_(store.add("nystromformer.embeddings.LayerNorm.weight", {c.hidden_size}, Init::kOne)),
      beta_(store.add("nystromformer.embeddings.LayerNorm.bias", {c.hidden_size}, Init::kZero)) {}

void Embeddings::plan(Planner& planner, const BatchLimits& limits) {
  stats_ = planner.saved("embeddings.stats", compute_dtype(store_.activation()), {limits.tokens, 2});
}

void Embeddings::plan_backward(Planner& planner, const BatchLimits& limits) {
  d_sum_ = planner.scratch("embeddings.d_sum", compute_dtype(store_.activation()),
                           {limits.tokens, config_.hidden_size});
}

EmbeddingTables Embeddings::tables() const {
  return {store_.weight(word_), store_.weight(position_), store_.weight(type_), store_.weight(gamma_),
          store_.weight(beta_)};
}

EmbeddingTables Embeddings::gradients() const {
  return {store_.gradient(word_), store_.gradient(position_), store_.gradient(type_), store_.gradient(gamma_),
          store_.gradient(beta_)};
}

void Embeddings::forward(Context& context, const Batch& batch, const Pass& pass, const Tensor& y) {
  embedding_forward(context, {.inputs = batch.inputs,
                              .tables = tables(),
                              .epsilon = config_.layer_norm_epsilon,
                              .dropout = pass.dropout(config_.dropout, kEmbeddingSite),
                              .keys = batch.token_keys,
                              .stats = stats_.first(batch.sequences.tokens),
                              .y = y});
}

void Embeddings::backward(Context& context, const Batch& batch, const Pass& pass, const Tensor& d_y) {
  const std::int64_t tokens = batch.sequences.tokens;
  embedding_backward(context, {.inputs = batch.inputs,
                               .tables = tables(),
                               .dropout = pass.dropout(config_.dropout, kEmbeddingSite),
                               .keys = batch.token_keys,
                               .stats = stats_.first(tokens),
                               .d_y = d_y,
                               .d_sum = d_sum_.first(tokens),
                               .gradients = gradients(),
                               .pad_id = config_.pad_token_id});
}

}  // namespace nystrom
