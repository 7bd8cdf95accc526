#include "model/heads/embedding.h"

#include <array>

#include "kernels/rows.h"

namespace nystrom {

EmbeddingHead::EmbeddingHead(const HeadDependencies& dependencies)
    : width_(dependencies.model.hidden_size),
      activation_(dependencies.store.activation()),
      end_(dependencies.store.count()),
      pooling_(dependencies.model) {}

void EmbeddingHead::plan(Planner& planner, const BatchLimits& limits, bool training) {
  const Shape shape{limits.sequences, width_};
  pooling_.plan(planner, limits);
  pooled_ = planner.saved("head.pooled", activation_, shape);
  vectors_ = planner.saved("head.vectors", compute_dtype(activation_), shape);
  if (training) d_pooled_ = planner.saved("head.d_pooled", activation_, shape);
}

void EmbeddingHead::forward(Context& context, const Batch& batch, const Pass&, const LossScales&,
                            const Tensor& hidden) {
  const std::int64_t b = batch.sequences.count;
  last_vectors_ = vectors_.first(b);
  pooling_.forward(context, batch, hidden, pooled_.first(b));
  convert(context, pooled_.first(b), last_vectors_);
}

void EmbeddingHead::backward(Context& context, const Batch& batch, const Pass&, const LossScales&,
                             const Tensor&, const Tensor& d_hidden) {
  pooling_.backward(context, batch, d_pooled_.first(batch.sequences.count), d_hidden);
}

void EmbeddingHead::set_gradient(Context& context, const Tensor& d_vectors) {
  convert(context, d_vectors, d_pooled_.first(d_vectors.dim(0)));
}

namespace {

std::unique_ptr<Head> make(const HeadConfig&, const HeadDependencies& dependencies) {
  return std::make_unique<EmbeddingHead>(dependencies);
}

CaseLabels read_labels(const CaseInputs&, const CaseShape&, const HeadConfig&) {
  return {};
}

constexpr std::array kOutputs{HeadOutput{"embeddings"}};

}  // namespace

constinit const HeadEntry kEmbeddingEntry{
    .kind = HeadKind::kEmbedding,
    .name = "embedding",
    .description = "embeddings",
    .architecture = "NystromformerModel",
    .auto_class = "AutoModel",
    .pipeline_tag = "sentence-similarity",
    .extra_tensors = "",
    .is_language_model = false,
    .labels_from_config = false,
    .has_problem = false,
    .make = &make,
    .read_case_labels = &read_labels,
    .case_outputs = kOutputs,
};

}  // namespace nystrom
