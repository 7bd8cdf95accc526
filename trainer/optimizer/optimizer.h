#pragma once
// Optimizers: from gradients to weights. A new one is a class, a row in its own file and its name in
// kinds.h and optimizer.cpp.

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/tensor/context.h"
#include "model/parameters/parameters.h"
#include "trainer/optimizer/optimizer_options.h"
#include "trainer/optimizer/schedule.h"
#include "trainer/optimizer/state_layout.h"
#include "trainer/optimizer/zero_partition.h"

namespace nystrom {

/// The state that is the averaged weights.
inline constexpr std::string_view kAverageState = "ema";

/// Optimizer state: a value for every weight of some parameters, or this rank's shard of them (ZeRO-1).
struct OptimizerState {
  std::string_view name;                ///< as in a checkpoint: "exp_avg"
  Tensor values;                        ///< [layout.partition().count()] compute dtype
  const StateLayout* layout = nullptr;  ///< of the whole state; lives as long as the optimizer
};

/// values [N] fp64 = sum over ranks, in place, for the ops that follow. Collective.
using SumOverRanks = std::function<void(const Tensor& values)>;

class Optimizer {
 public:
  virtual ~Optimizer() = default;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  /// The part of the weights that it has the state of, and updates.
  [[nodiscard]] const ZeroPartition& partition() const { return partition_; }

  /// One update of its part, with gradients times `gradient_scale`; also writes the rounded copy of the
  /// weights, and moves their average. Collective where the state is sharded.
  void step(Context& context, const UpdateRates& rates, double gradient_scale) {
    step(context, {rates, gradient_scale, {}});
  }
  /// The same with gradients times `factor` [1] fp64, which the host need not know (GradientClip); 0 leaves
  /// weights and state (but the average) as they are.
  void step(Context& context, const UpdateRates& rates, const Tensor& factor) {
    step(context, {rates, 1.0, factor});
  }

  /// All that a checkpoint keeps.
  [[nodiscard]] std::vector<OptimizerState> states() const;

  /// Updates so far: part of the state.
  [[nodiscard]] std::int64_t updates() const { return updates_; }
  void set_updates(std::int64_t updates) { updates_ = updates; }

  /// Are weights averaged (`training.ema_decay`), and was there an update?
  [[nodiscard]] bool has_average() const { return !average_.view().empty() && updates_ > 0; }
  /// Its part of the weights and their average change places; a second call undoes it. Neither the other
  /// ranks' parts nor the rounded copy follow. Precondition: has_average().
  void swap_average(Context& context);

 protected:
  struct Update {
    UpdateRates rates;
    double gradient_scale = 1;
    Tensor factor = {};  // [1] fp64; empty: 1
  };

  Optimizer(const OptimizerOptions& options, ParameterStore& store, const ZeroPartition& partition);

  virtual void update(Context& context, const Update& update) = 0;
  [[nodiscard]] virtual std::vector<OptimizerState> moments() const = 0;

  [[nodiscard]] const OptimizerOptions& options() const { return options_; }
  [[nodiscard]] ParameterStore& store() const { return store_; }
  /// beta1 of an update.
  [[nodiscard]] double beta1(const Update& update) const {
    return update.rates.beta1.value_or(options_.beta1);
  }

 private:
  void step(Context& context, const Update& update);

  OptimizerOptions options_;
  ParameterStore& store_;
  ZeroPartition partition_;
  std::int64_t updates_ = 0;
  StateLayout whole_;    // of the average
  OwnedTensor average_;  // [partition().count()] compute dtype: E; empty: none
};

/// Refuses an unknown kind, values out of range and patterns that match nothing, naming the key. `store` has
/// gradients and must outlive it. Of all weights, or of this rank's part, whose optimizer adds up what
/// tensors on several ranks have in common with `sum`.
[[nodiscard]] std::unique_ptr<Optimizer> make_optimizer(const OptimizerOptions& options,
                                                        ParameterStore& store);
[[nodiscard]] std::unique_ptr<Optimizer> make_optimizer(const OptimizerOptions& options,
                                                        ParameterStore& store, const ZeroPartition& partition,
                                                        SumOverRanks sum);

/// This rank's part of the weights, as the optimizer wants them sharded.
[[nodiscard]] ZeroPartition optimizer_partition(const OptimizerOptions& options, const ParameterStore& store,
                                                int rank, int ranks);

struct OptimizerKind {
  struct State {
    std::string_view name;
    StateLayout::Covers covers = nullptr;  ///< null: all parameters
  };

  std::string_view name;          ///< `optimizer.kind`
  std::span<const State> states;  ///< of moments()
  /// Keys of `optimizer` that not all kinds use.
  std::span<const std::string_view> keys;
  std::unique_ptr<Optimizer> (*make)(const OptimizerOptions& options, ParameterStore& store,
                                     const ZeroPartition& partition, SumOverRanks sum);
  /// How the weights are sharded across ranks; null: in equal parts.
  ZeroPartition (*partition)(const ParameterStore& store, int rank, int ranks) = nullptr;
  /// Bytes that a rank takes besides the states; null: none worth counting.
  std::size_t (*scratch_bytes)(const ParameterStore& store) = nullptr;
};
[[nodiscard]] std::span<const OptimizerKind> optimizer_kinds();
/// Refuses an unknown name.
[[nodiscard]] const OptimizerKind& find_optimizer(std::string_view name);

/// Bytes of the optimizer's memory, averaged weights included, on the rank that has most of it where it is
/// sharded across `state_ranks`.
[[nodiscard]] std::size_t optimizer_bytes(const OptimizerOptions& options, const ParameterStore& store,
                                          int state_ranks);
/// Bytes of all that a checkpoint keeps of it: the same without scratch, of all ranks.
[[nodiscard]] std::size_t optimizer_state_bytes(const OptimizerOptions& options, const ParameterStore& store);
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
/// The same of what is in this rank's shard.
[[nodiscard]] GradientNorm gradient_norm(Context& context, const ParameterStore& store,
                                         const ZeroPartition& partition);

/// The norm of all gradients and what it clips them by, computed where they are: the optimizer takes the
/// factor, the host reads the norm when it waits anyway.
class GradientClip {
 public:
  /// clip 0: no clipping.
  GradientClip(Memory& memory, double clip) : clip_(clip), result_(DType::kF64, {2}, memory) {}

  /// gradients: flat, of all weights or of this rank's shard.
  void measure(Context& context, const Tensor& gradients);
  /// [1] fp64: clip_scale(norm, clip), or 0 where the norm is not finite.
  [[nodiscard]] Tensor factor() const { return result_.view().rows(1, 1); }
  /// What was measured last, of `partition`. The host waits.
  [[nodiscard]] GradientNorm read(Context& context, const ParameterStore& store,
                                  const ZeroPartition& partition) const;

 private:
  double clip_;
  OwnedTensor result_;  // [2] fp64: norm, factor
};

/// min(1, clip / (norm + 1e-6)), as in PyTorch; 1 if clip is 0.
[[nodiscard]] double clip_scale(double norm, double clip);

}  // namespace nystrom
