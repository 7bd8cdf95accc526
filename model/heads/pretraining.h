#pragma once
// Masked language modelling over the masked positions alone, with a decoder tied to the word embeddings, and
// (optional) sentence-order prediction from the first token: transformers' and BERT's arithmetic.
//   mlm: logits = LayerNorm(gelu(h W^T + b)) E^T + c      sop: logits = tanh(h_first Wp^T + bp) Ws^T + bs

#include "kernels/gelu.h"
#include "model/heads/head.h"

namespace nystrom {

/// Logits that are held at once beside parameters in this memory. On the CPU as many as a cache holds. On a
/// GPU each chunk of them reads and writes the whole gradient of the word embeddings, so that few and large
/// ones are better: a 64th of the GPU's memory, or 2,048 rows of 30,000 where that is more.
/// `gpu_bytes`: all of its memory; 0: on the CPU.
[[nodiscard]] std::int64_t logits_at_once(std::size_t gpu_bytes);

class PretrainingHead final : public Head {
 public:
  /// With `sentence_order` false: transformers' NystromformerForMaskedLM, without pooler.
  PretrainingHead(const ModelConfig& config, ParameterStore& store, ParameterId word, bool sentence_order);

  [[nodiscard]] std::vector<std::string_view> losses() const override;
  [[nodiscard]] ParameterId first_parameter() const override;
  void plan(Planner& planner, const BatchLimits& limits, bool training) override;
  void forward(Context& context, const Batch& batch, const Pass& pass, const LossScales& scales,
               const Tensor& hidden) override;
  void backward(Context& context, const Batch& batch, const Pass& pass, const LossScales& scales,
                const Tensor& hidden, const Tensor& d_hidden) override;

  /// logits [R, V] (compute dtype) of the tokens `rows` [R] int32 of hidden [T, C]; R at most the planned
  /// labels.
  void token_logits(Context& context, const Tensor& hidden, const Tensor& rows, const Tensor& logits);
  /// logits [B, 2] (compute dtype) of sentence order.
  void order_logits(Context& context, const Batch& batch, const Tensor& hidden, const Tensor& logits);

 private:
  void transform(Context& context, const Tensor& hidden, const Tensor& rows);
  void decode_chunks(Context& context, const Batch& batch, double scale, bool training);
  void pool(Context& context, const Batch& batch, const Tensor& hidden);
  void order_forward(Context& context, const Batch& batch, bool training, double scale, const Tensor& hidden);
  void order_backward(Context& context, const Batch& batch, const Tensor& d_hidden);

  const ModelConfig& config_;
  ParameterStore& store_;
  ParameterId word_;
  bool sentence_order_;
  ParameterId dense_weight_ = 0, dense_bias_ = 0, gamma_ = 0, beta_ = 0, decoder_bias_ = 0;
  ParameterId pooler_weight_ = 0, pooler_bias_ = 0, order_weight_ = 0, order_bias_ = 0;

  std::int64_t chunk_ = 0;             // rows of logits held at once
  Tensor gathered_, pre_, normed_in_;  // [P, C] hidden rows, before GELU, after GELU
  Tensor stats_;                       // [P, 2] compute dtype
  Tensor transformed_;                 // [P, C]
  Tensor d_transformed_;               // [P, C]
  Tensor logits_;                      // [chunk, V] compute dtype
  Tensor d_logits_;                    // [chunk, V] activation dtype; logits_ itself unless bf16
  Tensor row_losses_;                  // [max(chunk, B)] compute dtype
  Tensor first_, pooled_, d_pooled_;   // [B, C]
  Tensor order_logits_;                // [B, 2] compute dtype
  Tensor d_order_logits_;              // [B, 2] activation dtype
};

}  // namespace nystrom
