#pragma once
// Attention layer: from qkv [T, 3 C] to context [T, C]. A kind of attention is a file of this folder with a
// row of the registry (registry.h). An Attention owns the parameters that only its kind has, and what its
// forward saves for its backward.

#include <string>

#include "kernels/attention.h"
#include "model/config/model_config.h"
#include "model/parameters/parameters.h"
#include "model/parameters/pass.h"

namespace nystrom {

/// One micro-batch of one layer.
struct AttentionStep {
  Sequences sequences;
  RowKeys keys;  ///< of T tokens
  Pass pass;
  Tensor qkv;        ///< [T, 3 C]
  Tensor workspace;  ///< of AttentionEntry::plan_workspace
  Tensor out;        ///< [T, C]: overwritten by forward, as forward left it in backward
};

class Attention {
 public:
  Attention() = default;
  virtual ~Attention() = default;
  Attention(const Attention&) = delete;
  Attention& operator=(const Attention&) = delete;

  /// Books what forward keeps for backward.
  virtual void plan(Planner& planner, const AttentionLimits& limits) = 0;
  virtual void forward(Context& context, const AttentionStep& step) = 0;
  /// d_qkv [T, 3 C] is overwritten; gradients of the kind's parameters are added to.
  virtual void backward(Context& context, const AttentionStep& step, const Tensor& d_out,
                        const Tensor& d_qkv) = 0;
  /// Residuals of the last forward's pseudo-inverses, [B, H] compute dtype; empty in kinds without any.
  [[nodiscard]] virtual Tensor residuals(std::int64_t /*sequences*/) const { return {}; }
};

/// Where a layer's attention stands in the network.
struct AttentionPlace {
  std::string prefix;      ///< of its parameters' names: "nystromformer.encoder.layer.0.attention.self."
  std::int64_t layer = 0;  ///< with Pass::seed the key of random numbers of its own
  std::uint32_t dropout_site = 0;  ///< of dropout of its probabilities
};

}  // namespace nystrom
