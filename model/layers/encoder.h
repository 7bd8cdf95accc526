#pragma once
// Embeddings and blocks; a step's forward and backward in order.

#include <functional>
#include <optional>
#include <vector>

#include "model/layers/block.h"

namespace nystrom {

/// Called in backward when the gradients at flat offsets [offset, end) are final for this micro-batch.
using GradientsReady = std::function<void(std::int64_t offset)>;

struct EncoderPlan {
  BatchLimits limits;
  int threads = 1;  ///< of the context that will run it
  bool training = false;
  bool recompute =
      false;  ///< activation checkpointing: keep only each block's input, run forward again in backward
};

class Encoder {
 public:
  Encoder(const ModelConfig& config, ParameterStore& store);
  Encoder(const Encoder&) = delete;  // blocks refer to the configuration and the store
  Encoder& operator=(const Encoder&) = delete;

  void plan(Planner& planner, const EncoderPlan& plan);
  /// Draws what passes like this one draw but once, if it is not there: forward does so too, but not while
  /// ops are recorded.
  void prepare(Context& context, const Pass& pass);
  /// The last hidden states, [T, C]; valid until the next forward.
  const Tensor& forward(Context& context, const Batch& batch, const Pass& pass);
  /// From d_hidden() (filled by a head) to all parameter gradients, which are added to.
  void backward(Context& context, const Batch& batch, const Pass& pass, const GradientsReady& ready);

  /// Where the head leaves the gradient of the last hidden states, [T, C].
  [[nodiscard]] Tensor d_hidden(std::int64_t tokens) const { return d_.first(tokens); }
  /// What the head gets: the last hidden states, pre-norm behind the final norm.
  [[nodiscard]] Tensor output(std::int64_t tokens) const {
    return final_norm_ ? normed_.first(tokens) : hidden_state(blocks_.size(), tokens);
  }
  /// Hidden states after the embeddings (0) and after each block, of the last forward.
  [[nodiscard]] Tensor hidden_state(std::size_t layer, std::int64_t tokens) const {
    return states_[layer].first(tokens);
  }
  [[nodiscard]] const Embeddings& embeddings() const { return embeddings_; }
  [[nodiscard]] const std::vector<Block>& blocks() const { return blocks_; }

 private:
  void normalize(Context& context, std::int64_t tokens);
  void normalize_backward(Context& context, std::int64_t tokens);

  const ModelConfig& config_;
  ParameterStore& store_;
  FixedPositions positions_;
  Embeddings embeddings_;
  std::vector<Block> blocks_;
  struct FinalNorm {
    ParameterId gamma, beta;
  };
  std::optional<FinalNorm> final_norm_;  // pre-norm
  bool recompute_ = false;
  std::vector<Tensor> states_;  // [L + 1] of [T, C]: each block's input, and the last output
  Tensor normed_;               // [T, C] the last of them behind the final norm
  Tensor final_stats_;          // [T, 2] compute dtype
  Tensor last_;
  Tensor d_;          // [T, C]
  Tensor workspace_;  // attention's, compute dtype
  Block::BackwardScratch scratch_;
};

}  // namespace nystrom
