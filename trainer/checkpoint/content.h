#pragma once
// Checkpoint content: views of a network and its optimizer, or a snapshot of both that stays unchanged while
// training continues.

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "model/network.h"
#include "trainer/checkpoint/run_state.h"
#include "trainer/optimizer/optimizer.h"

namespace nystrom {

/// Views; all must outlive it.
struct CheckpointContent {
  const ModelConfig& model;
  const HeadConfig& head;
  std::span<const Parameter> parameters;
  Tensor weights;                      ///< [flat]
  std::vector<OptimizerState> states;  ///< whole, each by its layout
  const RunIdentity& identity;
  RunState state = {};
  std::optional<double> validation = {};  ///< loss at this step, where it was measured
  Memory& memory = Memory::host();        ///< where weights and states are
  std::function<void()> moved_on = {};    ///< called by the writing thread after each chunk, if set
};

/// The live values, of an optimizer whose state is not sharded.
[[nodiscard]] CheckpointContent content_of(const Network& network, const Optimizer& optimizer,
                                           const RunState& state, const RunIdentity& identity);

/// A copy of weights and optimizer state in host memory, allocated once.
class CheckpointSnapshot {
 public:
  /// All must outlive it.
  CheckpointSnapshot(const Network& network, const Optimizer& optimizer, const RunIdentity& identity);

  /// Copies the live values after all ops enqueued so far, with the threads of `context`. Sharded state must
  /// have been gathered before.
  void take(Context& context, const RunState& state, std::optional<double> validation);
  /// The copies of the whole states, in the order of Optimizer::states().
  [[nodiscard]] std::vector<Tensor> state_copies() const;
  [[nodiscard]] CheckpointContent content() const;
  [[nodiscard]] std::size_t bytes() const;

 private:
  const Network& network_;
  const Optimizer& optimizer_;
  const RunIdentity& identity_;
  RunState state_;
  std::optional<double> validation_;
  std::vector<std::vector<std::byte>> copies_;  // the weights, then each state
};

}  // namespace nystrom
