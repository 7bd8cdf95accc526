#pragma once
// The ops' CPU implementations, called by kernels/dispatch once shapes are checked. Contracts: kernels/OP.h.

#include "kernels/attention/linear.h"
#include "kernels/attention/linformer.h"
#include "kernels/attention/longformer.h"
#include "kernels/attention/nystrom.h"
#include "kernels/attention/performer.h"
#include "kernels/attention/reformer.h"
#include "kernels/attention/softmax.h"
#include "kernels/attention/value.h"
#include "kernels/embedding.h"
#include "kernels/fill.h"
#include "kernels/gelu.h"
#include "kernels/layer_norm.h"
#include "kernels/linear.h"
#include "kernels/linear_gelu.h"
#include "kernels/losses/cross_entropy.h"
#include "kernels/losses/elementwise_loss.h"
#include "kernels/losses/label_weights.h"
#include "kernels/losses/span_cross_entropy.h"
#include "kernels/matmul.h"
#include "kernels/optimizer/adamw.h"
#include "kernels/optimizer/average.h"
#include "kernels/optimizer/clip_factor.h"
#include "kernels/optimizer/muon.h"
#include "kernels/optimizer/tensorwise_adam.h"
#include "kernels/pair_features.h"
#include "kernels/pool.h"
#include "kernels/relu.h"
#include "kernels/residual.h"
#include "kernels/rotary.h"
#include "kernels/rows.h"
#include "kernels/unit_rows.h"

namespace nystrom::cpu {

void adamw_step(Context& context, const AdamW& args);

void average_step(Context& context, const Tensor& values, double decay, const Tensor& average);
void swap_values(Context& context, const Tensor& a, const Tensor& b);

void clip_factor(Context& context, const Tensor& gradients, double clip, const Tensor& result);

void cross_entropy(Context& context, const CrossEntropy& args);

void value_loss(Context& context, const ValueLoss& args);

void embedding_forward(Context& context, const EmbeddingForward& args);
void embedding_backward(Context& context, const EmbeddingBackward& args);

void fill_zero(Context& context, const Tensor& x);

void gelu_forward(Context& context, Activation kind, const Tensor& x, const Tensor& y);
void gelu_backward(Context& context, Activation kind, const Tensor& x, const Tensor& d_y, const Tensor& d_x,
                   const Tensor& d_bias);

void weigh_by_label(Context& context, const LabelWeights& args);

void layer_norm_forward(Context& context, const LayerNormForward& args);
void layer_norm_backward(Context& context, const LayerNormBackward& args);

void column_sums(Context& context, const Tensor& d_y, const Tensor& d_bias);

void matmul(Context& context, const Matmul& args);

void pair_features_forward(Context& context, const Tensor& x, const Tensor& y);
void pair_features_backward(Context& context, const Tensor& x, const Tensor& d_y, const Tensor& d_x);

void pool_forward(Context& context, const Pool& args);
void pool_backward(Context& context, const PoolGradient& args);

void newton_schulz(Context& context, const Tensor& x, int steps, const Tensor& workspace);
void muon_step(Context& context, const Muon& args);
void relu_forward(Context& context, const Tensor& x, const Tensor& y);
void relu_backward(Context& context, const Tensor& y, const Tensor& d_y, const Tensor& d_x);

void add_residual(Context& context, const Tensor& residual, const Tensor& branch, const Tensor& y);

void rotate(Context& context, const Rotary& args);

void gather_rows(Context& context, const Tensor& x, const Tensor& rows, const Tensor& y);
void scatter_rows(Context& context, const Tensor& x, const Tensor& rows, const Tensor& y);
void scatter_add_rows(Context& context, const Tensor& d_y, const Tensor& rows, const Tensor& d_x);
void tanh_forward(Context& context, const Tensor& x, const Tensor& y);
void tanh_backward(Context& context, const Tensor& y, const Tensor& d_y, const Tensor& d_x);
void dropout_rows(Context& context, const Dropout& dropout, const RowKeys& keys, const Tensor& x,
                  const Tensor& y);
void convert(Context& context, const Tensor& from, const Tensor& to);
double squared_norm(Context& context, const Tensor& x);

void span_cross_entropy(Context& context, const SpanCrossEntropy& args);

void tensorwise_moments(Context& context, const TensorwiseAdam& args, const Tensor& sums);
void tensorwise_scales(Context& context, const TensorScales& args);
void tensorwise_update(Context& context, const TensorwiseAdam& args, const Tensor& scales);

void unit_rows_forward(Context& context, const UnitRows& args);
void unit_rows_backward(Context& context, const UnitRowsGradient& args);

/// Elements of the workspace in compute dtype.
std::int64_t nystrom_attention_workspace(const NystromOptions& options, const AttentionLimits& limits);
std::int64_t nystrom_cut_rows(const NystromOptions& options, std::int64_t rows, int ranks);
void nystrom_attention_forward(Context& context, const NystromAttention& args);
void nystrom_attention_backward(Context& context, const NystromAttention& args,
                                const AttentionGradients& gradients);

std::int64_t softmax_attention_workspace(const AttentionLimits& limits);
void softmax_attention_forward(Context& context, const SoftmaxAttention& args);
void softmax_attention_backward(Context& context, const SoftmaxAttention& args,
                                const AttentionGradients& gradients);

std::int64_t linear_attention_workspace(const AttentionLimits& limits);
void linear_attention_forward(Context& context, const LinearAttention& args);
void linear_attention_backward(Context& context, const LinearAttention& args,
                               const AttentionGradients& gradients);

std::int64_t linformer_attention_workspace(std::int64_t projection, const AttentionLimits& limits);
void linformer_attention_forward(Context& context, const LinformerAttention& args);
void linformer_attention_backward(Context& context, const LinformerAttention& args,
                                  const AttentionGradients& gradients,
                                  const ProjectionGradients& projections);

std::int64_t longformer_attention_workspace(const AttentionLimits& limits);
void longformer_attention_forward(Context& context, const LongformerAttention& args);
void longformer_attention_backward(Context& context, const LongformerAttention& args,
                                   const AttentionGradients& gradients);

std::int64_t performer_attention_workspace(std::int64_t features, const AttentionLimits& limits);
void performer_attention_forward(Context& context, const PerformerAttention& args);
void performer_attention_backward(Context& context, const PerformerAttention& args,
                                  const AttentionGradients& gradients);

std::int64_t reformer_hash_workspace(std::int64_t chunk, const AttentionLimits& limits);
void reformer_hash(Context& context, const ReformerHash& args);
std::int64_t reformer_attention_workspace(std::int64_t chunk, const AttentionLimits& limits);
void reformer_attention_forward(Context& context, const ReformerAttention& args);
void reformer_attention_backward(Context& context, const ReformerAttention& args,
                                 const AttentionGradients& gradients);

std::int64_t value_attention_workspace(const AttentionLimits& limits);
void value_attention_forward(Context& context, const AttentionInputs& inputs);
void value_attention_backward(Context& context, const AttentionInputs& inputs,
                              const AttentionGradients& gradients);

}  // namespace nystrom::cpu
