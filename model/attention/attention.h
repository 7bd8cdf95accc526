#pragma once
// Attention layer: from qkv [T, P C], the kind's P projections of the tokens, to context [T, C]. A kind of
// attention is a file of this folder with a row of the registry (registry.h). An Attention owns the
// parameters that only its kind has, and what its forward saves for its backward.

#include <span>
#include <string>

#include "kernels/attention/attention.h"
#include "model/config/model_config.h"
#include "model/parameters/parameters.h"
#include "model/parameters/pass.h"

namespace nystrom {

/// One micro-batch of one layer.
struct AttentionStep {
  Sequences sequences;
  RowKeys keys;      ///< of T tokens
  Tensor positions;  ///< [T] int32, ascending within a sequence
  Pass pass;
  Tensor qkv;                ///< [T, P C]
  Tensor workspace;          ///< of AttentionEntry::plan_workspace
  Tensor out;                ///< [T, C]: overwritten by forward, as forward left it in backward
  SequenceSpans spans = {};  ///< of a batch on several ranks, in kinds that have cut_rows
};

/// Random numbers of a layer that are given instead of drawn, for comparison with other programs.
struct GivenRandom {
  std::span<const float> features;        ///< [H, m, D] of kind performer
  std::span<const std::int32_t> buckets;  ///< [r, H, T] of kind reformer, of the one batch that is run
};

class Attention {
 public:
  Attention() = default;
  virtual ~Attention() = default;
  Attention(const Attention&) = delete;
  Attention& operator=(const Attention&) = delete;

  /// Books what outlives a step, such as random features. Called before plan().
  virtual void plan_kept(Planner& /*planner*/, const AttentionLimits& /*limits*/) {}
  /// Draws the random numbers of passes like this one, unless it has them: a function of the run's seed, the
  /// step, the layer and the head. Not while ops are recorded.
  virtual void prepare(Context& /*context*/, const Pass& /*pass*/) {}
  /// From the next prepare() on takes these. Throws InternalError in kinds without random numbers.
  virtual void use(const GivenRandom& given);
  /// Books what forward keeps for backward.
  virtual void plan(Planner& planner, const AttentionLimits& limits) = 0;
  virtual void forward(Context& context, const AttentionStep& step) = 0;
  /// d_qkv [T, P C] is overwritten; gradients of the kind's parameters are added to.
  virtual void backward(Context& context, const AttentionStep& step, const Tensor& d_out,
                        const Tensor& d_qkv) = 0;
  /// Residuals of the last forward's pseudo-inverses, [B, H] compute dtype; empty in kinds without any.
  [[nodiscard]] virtual Tensor residuals(std::int64_t /*sequences*/) const { return {}; }
};

/// The place of a layer's attention in the network.
struct AttentionPlace {
  std::string prefix;      ///< of its parameters' names: "nystromformer.encoder.layer.0.attention.self."
  std::int64_t layer = 0;  ///< with Pass::seed the key of its random numbers
  std::uint32_t dropout_site = 0;  ///< of dropout of its probabilities
};

}  // namespace nystrom
