#pragma once
// A network: encoder, head, their parameters and the planned memory of a step.

#include <memory>

#include "kernels/tensor/arena.h"
#include "model/heads/embedding.h"
#include "model/heads/head_registry.h"
#include "model/heads/pretraining.h"
#include "model/layers/encoder.h"

namespace nystrom {

class Network {
 public:
  /// Declares and allocates parameters (zero); `check(config)` is called first.
  /// `memory`: that of the contexts it will be run by.
  Network(const ModelConfig& config, const HeadConfig& head, DType activation, bool training,
          Memory& memory = Memory::host());
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  void initialize(std::uint64_t seed);
  /// Takes the memory for micro-batches up to `limits`, run by a context of `threads`; may be called again.
  void plan(const BatchLimits& limits, int threads, bool recompute = false);
  /// Bytes that plan() would take for such a network.
  [[nodiscard]] static std::size_t planned_bytes(const ModelConfig& config, const HeadConfig& head,
                                                 DType activation, const EncoderPlan& plan,
                                                 Memory& memory = Memory::host());

  /// Encoder and head; losses are added to head().sums(). Returns the last hidden states [T, C].
  const Tensor& forward(Context& context, const Batch& batch, const Pass& pass, const LossScales& scales);
  /// Adds to all gradients; `ready` as in Encoder::backward, from the head on.
  void backward(Context& context, const Batch& batch, const Pass& pass, const LossScales& scales,
                const GradientsReady& ready = {});

  [[nodiscard]] const ModelConfig& config() const { return config_; }
  [[nodiscard]] HeadKind head_kind() const { return head_config_.kind; }
  [[nodiscard]] const HeadConfig& head_config() const { return head_config_; }
  [[nodiscard]] ParameterStore& parameters() { return store_; }
  [[nodiscard]] const ParameterStore& parameters() const { return store_; }
  [[nodiscard]] Encoder& encoder() { return encoder_; }
  [[nodiscard]] Head& head() { return *head_; }
  [[nodiscard]] const Head& head() const { return *head_; }
  /// The head of a network of kind pretraining or masked_lm. Throws InternalError for others.
  [[nodiscard]] PretrainingHead& pretraining_head();
  /// The head of a network of kind embedding, or nullptr.
  [[nodiscard]] EmbeddingHead* embedding_head() { return dynamic_cast<EmbeddingHead*>(head_.get()); }
  [[nodiscard]] const Arena& arena() const { return arena_; }

 private:
  ModelConfig config_;
  HeadConfig head_config_;
  bool training_;
  ParameterStore store_;
  Encoder encoder_;
  std::unique_ptr<Head> head_;
  Arena arena_;
};

}  // namespace nystrom
