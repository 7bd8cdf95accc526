#pragma once
// The ops' CUDA implementations, called by kernels/dispatch once shapes are checked. Contracts: kernels/OP.h.
//
// Attention in bf16: all that is not an activation (landmarks, softmaxes, W, gradients of them) enters
// products in two bf16 parts, so that results are those of the CPU but for the rounding of the activations;
// only exact softmax takes its probabilities in one. The same bits each time.

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

namespace nystrom::cuda {

void adamw_step(CudaContext& context, const AdamW& args);

void average_step(CudaContext& context, const Tensor& values, double decay, const Tensor& average);
void swap_values(CudaContext& context, const Tensor& a, const Tensor& b);

void clip_factor(CudaContext& context, const Tensor& gradients, double clip, const Tensor& result);

void cross_entropy(CudaContext& context, const CrossEntropy& args);

void value_loss(CudaContext& context, const ValueLoss& args);

void embedding_forward(CudaContext& context, const EmbeddingForward& args);
void embedding_backward(CudaContext& context, const EmbeddingBackward& args);

void fill_zero(CudaContext& context, const Tensor& x);

void gelu_forward(CudaContext& context, Activation kind, const Tensor& x, const Tensor& y);
void gelu_backward(CudaContext& context, Activation kind, const Tensor& x, const Tensor& d_y,
                   const Tensor& d_x, const Tensor& d_bias);

void weigh_by_label(CudaContext& context, const LabelWeights& args);

void layer_norm_forward(CudaContext& context, const LayerNormForward& args);
void layer_norm_backward(CudaContext& context, const LayerNormBackward& args);

/// Whether d_bias comes out of the product of d_w, in bf16, where the library knows how.
bool sums_in_product(CudaContext& context, const Tensor& d_y, const Tensor& x, const Tensor& d_w,
                     const Tensor& d_bias);
void linear_backward_weight(CudaContext& context, const Tensor& d_y, const Tensor& x, const Tensor& d_w,
                            const Tensor& d_bias);
void column_sums(CudaContext& context, const Tensor& d_y, const Tensor& d_bias);

/// Whether it is one product here, which its twin then is.
bool is_fused(CudaContext& context, const LinearGelu& args);
void linear_gelu_forward_fused(CudaContext& context, const LinearGelu& args);
/// d_pre alone.
bool is_fused(CudaContext& context, const LinearGeluGradient& args);
void gelu_slope_product(CudaContext& context, const LinearGeluGradient& args);

void matmul(CudaContext& context, const Matmul& args);

void pair_features_forward(CudaContext& context, const Tensor& x, const Tensor& y);
void pair_features_backward(CudaContext& context, const Tensor& x, const Tensor& d_y, const Tensor& d_x);

void pool_forward(CudaContext& context, const Pool& args);
void pool_backward(CudaContext& context, const PoolGradient& args);

void newton_schulz(CudaContext& context, const Tensor& x, int steps, const Tensor& workspace);
void muon_step(CudaContext& context, const Muon& args);
void relu_forward(CudaContext& context, const Tensor& x, const Tensor& y);
void relu_backward(CudaContext& context, const Tensor& y, const Tensor& d_y, const Tensor& d_x);

void add_residual(CudaContext& context, const Tensor& residual, const Tensor& branch, const Tensor& y);

void rotate(CudaContext& context, const Rotary& args);

void gather_rows(CudaContext& context, const Tensor& x, const Tensor& rows, const Tensor& y);
void scatter_rows(CudaContext& context, const Tensor& x, const Tensor& rows, const Tensor& y);
void scatter_add_rows(CudaContext& context, const Tensor& d_y, const Tensor& rows, const Tensor& d_x);
void tanh_forward(CudaContext& context, const Tensor& x, const Tensor& y);
void tanh_backward(CudaContext& context, const Tensor& y, const Tensor& d_y, const Tensor& d_x);
void dropout_rows(CudaContext& context, const Dropout& dropout, const RowKeys& keys, const Tensor& x,
                  const Tensor& y);
void convert(CudaContext& context, const Tensor& from, const Tensor& to);
double squared_norm(CudaContext& context, const Tensor& x);

void span_cross_entropy(CudaContext& context, const SpanCrossEntropy& args);

void tensorwise_moments(CudaContext& context, const TensorwiseAdam& args, const Tensor& sums);
void tensorwise_scales(CudaContext& context, const TensorScales& args);
void tensorwise_update(CudaContext& context, const TensorwiseAdam& args, const Tensor& scales);

void unit_rows_forward(CudaContext& context, const UnitRows& args);
void unit_rows_backward(CudaContext& context, const UnitRowsGradient& args);

void nystrom_attention_forward(CudaContext& context, const NystromAttention& args);
void nystrom_attention_backward(CudaContext& context, const NystromAttention& args,
                                const AttentionGradients& gradients);

void softmax_attention_forward(CudaContext& context, const SoftmaxAttention& args);
void softmax_attention_backward(CudaContext& context, const SoftmaxAttention& args,
                                const AttentionGradients& gradients);

void linear_attention_forward(CudaContext& context, const LinearAttention& args);
void linear_attention_backward(CudaContext& context, const LinearAttention& args,
                               const AttentionGradients& gradients);

void linformer_attention_forward(CudaContext& context, const LinformerAttention& args);
void linformer_attention_backward(CudaContext& context, const LinformerAttention& args,
                                  const AttentionGradients& gradients,
                                  const ProjectionGradients& projections);

void longformer_attention_forward(CudaContext& context, const LongformerAttention& args);
void longformer_attention_backward(CudaContext& context, const LongformerAttention& args,
                                   const AttentionGradients& gradients);

void performer_attention_forward(CudaContext& context, const PerformerAttention& args);
void performer_attention_backward(CudaContext& context, const PerformerAttention& args,
                                  const AttentionGradients& gradients);

void reformer_hash(CudaContext& context, const ReformerHash& args);
void reformer_attention_forward(CudaContext& context, const ReformerAttention& args);
void reformer_attention_backward(CudaContext& context, const ReformerAttention& args,
                                 const AttentionGradients& gradients);

void value_attention_forward(CudaContext& context, const AttentionInputs& inputs);
void value_attention_backward(CudaContext& context, const AttentionInputs& inputs,
                              const AttentionGradients& gradients);

}  // namespace nystrom::cuda
