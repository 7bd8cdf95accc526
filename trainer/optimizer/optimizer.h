#pragma once
// Optimizers: from gradients to weights. A new one is a class and a row of the table in optimizer.cpp.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/tensor/context.h"
#include "model/parameters/parameters.h"
#include "trainer/optimizer/zero_partition.h"

namespace nystrom {

struct OptimizerOptions {
  std::string kind = "adamw";
  double learning_rate = 1e-4;  ///< peak; the schedule's factor multiplies it
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-6;
  double weight_decay = 0.01;  ///< of tensors of two or more dimensions
  double layer_decay = 1;      ///< fine-tuning: the rate of a layer is that of the layer above times this
};

/// Optimizer state: a flat tensor laid out like the weights, or this rank's shard of it (ZeRO-1).
struct OptimizerState {
  std::string_view name;  ///< as in a checkpoint: "exp_avg"
  Tensor values;          ///< [partition().count()] compute dtype
};

class Optimizer {
 public:
  explicit Optimizer(ZeroPartition partition) : partition_(std::move(partition)) {}
  virtual ~Optimizer() = default;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  /// The part of the weights that it has the state of, and updates.
  [[nodiscard]] const ZeroPartition& partition() const { return partition_; }

  /// One update of its part, with gradients times `gradient_scale`; also writes the rounded copy of the
  /// weights.
  void step(Context& context, double learning_rate, double gradient_scale) {
    ++updates_;
    update(context, learning_rate, gradient_scale, {});
  }
  /// The same with gradients times `factor` [1] fp64, which the host need not know (GradientClip); 0 leaves
  /// weights and state as they are.
  void step(Context& context, double learning_rate, const Tensor& factor) {
    ++updates_;
    update(context, learning_rate, 1.0, factor);
  }
  [[nodiscard]] virtual std::vector<OptimizerState> states() const = 0;

  /// Updates so far: part of the state.
  [[nodiscard]] std::int64_t updates() const { return updates_; }
  void set_updates(std::int64_t updates) { updates_ = updates; }

 protected:
  virtual void update(Context& context, double learning_rate, double gradient_scale,
                      const Tensor& factor) = 0;

 private:
  ZeroPartition partition_;
  std::int64_t updates_ = 0;
};

/// Refuses an unknown kind and values out of range, naming the key. `store` has gradients and must outlive
/// it. Of all weights, or of this rank's part.
[[nodiscard]] std::unique_ptr<Optimizer> make_optimizer(const OptimizerOptions& options,
                                                        ParameterStore& store);
[[nodiscard]] std::unique_ptr<Optimizer> make_optimizer(const OptimizerOptions& options,
                                                        ParameterStore& store,
                                                        const ZeroPartition& partition);

struct OptimizerKind {
  std::string_view name;                     ///< `optimizer.kind`
  std::span<const std::string_view> states;  ///< names of states(), each as large as the weights
  std::unique_ptr<Optimizer> (*make)(const OptimizerOptions& options, ParameterStore& store,
                                     const ZeroPartition& partition);
};
[[nodiscard]] std::span<const OptimizerKind> optimizer_kinds();
/// Refuses an unknown name.
[[nodiscard]] const OptimizerKind& find_optimizer(std::string_view name);

/// Bytes of a rank's optimizer state, sharded across `state_ranks`.
[[nodiscard]] std::size_t optimizer_bytes(const OptimizerOptions& options, const ParameterStore& store,
                                          int state_ranks);
/// Bytes of a rank's weights, gradients and optimizer state.
[[nodiscard]] std::size_t state_bytes(const OptimizerOptions& options, const ParameterStore& store,
                                      int state_ranks);

/// Euclidean norm of all gradients together, and the parameter whose gradient is not finite and comes first
/// in backward (the nearest to the cause): store.count() if all are. The same bits whatever the thread count.
struct GradientNorm {
  double norm = 0;
  ParameterId bad = 0;
};
[[nodiscard]] GradientNorm gradient_norm(Context& context, const ParameterStore& store);

/// The norm of all gradients and what it clips them by, computed where they lie: the optimizer takes the
/// factor, the host reads the norm when it waits anyway.
class GradientClip {
 public:
  /// clip 0: no clipping.
  GradientClip(Memory& memory, double clip) : clip_(clip), result_(DType::kF64, {2}, memory) {}

  void measure(Context& context, const ParameterStore& store);
  /// [1] fp64: clip_scale(norm, clip), or 0 where the norm is not finite.
  [[nodiscard]] Tensor factor() const { return result_.view().rows(1, 1); }
  /// What was measured last. The host waits.
  [[nodiscard]] GradientNorm read(Context& context, const ParameterStore& store) const;

 private:
  double clip_;
  OwnedTensor result_;  // [2] fp64: norm, factor
};

/// min(1, clip / (norm + 1e-6)), as in PyTorch; 1 if clip is 0.
[[nodiscard]] double clip_scale(double norm, double clip);

}  // namespace nystrom
