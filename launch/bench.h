#pragma once
// A training step on random tokens, timed: what `nystrom bench` runs.

#include <cstdint>
#include <memory>
#include <vector>

#include "model/network.h"
#include "trainer/comm.h"
#include "trainer/evaluation.h"
#include "trainer/optimizer.h"
#include "trainer/reducer.h"

namespace nystrom {

struct BenchOptions {
  ModelConfig model;
  DType precision = DType::kF32;
  bool recompute = false;
  int threads = 1;
  std::int64_t sequence_length = 512, micro_batch = 8;
  double masking = 0.15;  ///< share of tokens with a label
  Objective objective;
  std::uint64_t seed = 1;
};

struct BenchTimes {
  std::vector<double> step_seconds;  ///< of each measured step, without profile
  Profile profile;                   ///< of one step, by op
  double profiled_seconds = 0;       ///< that this step took
};

/// Forward, backward and AdamW of one micro-batch of full rows, with dropout. All ranks together: gradients
/// are summed.
class Bench {
 public:
  Bench(const BenchOptions& options, Comm& comm);

  /// Warms up, then measures at least `steps` steps and at least `seconds`. Collective.
  BenchTimes run(std::int64_t steps, double seconds);

  [[nodiscard]] std::int64_t tokens() const { return options_.micro_batch * options_.sequence_length; }
  [[nodiscard]] std::int64_t parameters() const { return network_.parameters().values(); }
  [[nodiscard]] std::size_t activation_bytes() const { return network_.arena().bytes(); }

 private:
  double step();

  BenchOptions options_;
  Comm& comm_;
  Context context_;
  Network network_;
  BatchBuffer buffer_;
  Batch batch_;
  LossScales scales_{};
  std::unique_ptr<Optimizer> optimizer_;
  GradientReducer reducer_;
  std::int64_t steps_ = 0;
};

}  // namespace nystrom
