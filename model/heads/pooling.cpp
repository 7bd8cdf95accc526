#include "model/heads/pooling.h"

#include "kernels/fill.h"
#include "kernels/pool.h"
#include "kernels/rows.h"

namespace nystrom {
namespace {

PoolKind kind_of(Pooling pooling) {
  return pooling == Pooling::kMean ? PoolKind::kMean : PoolKind::kMax;
}

}  // namespace

void SequencePooling::plan(Planner& planner, const BatchLimits& limits) {
  if (config_.network.pooling == Pooling::kMax)
    rows_ = planner.saved("head.maxima", DType::kI32, {limits.sequences, config_.hidden_size});
}

Tensor SequencePooling::rows_of(const Batch& batch) const {
  return rows_.empty() ? Tensor{} : rows_.first(batch.sequences.count);
}

void SequencePooling::forward(Context& context, const Batch& batch, const Tensor& hidden,
                              const Tensor& pooled) const {
  if (config_.network.pooling == Pooling::kFirst)
    return gather_rows(context, hidden, batch.first_rows, pooled);
  pool_forward(context, {.kind = kind_of(config_.network.pooling),
                         .sequences = batch.sequences,
                         .x = hidden,
                         .rows = rows_of(batch),
                         .y = pooled});
}

void SequencePooling::backward(Context& context, const Batch& batch, const Tensor& d_pooled,
                               const Tensor& d_hidden) const {
  if (config_.network.pooling == Pooling::kFirst) {
    fill_zero(context, d_hidden);
    return scatter_add_rows(context, d_pooled, batch.first_rows, d_hidden);
  }
  pool_backward(context, {.kind = kind_of(config_.network.pooling),
                          .sequences = batch.sequences,
                          .rows = rows_of(batch),
                          .d_y = d_pooled,
                          .d_x = d_hidden});
}

}  // namespace nystrom
