#pragma once
// A training step on random tokens, timed, and the loader alone: what `nystrom bench` runs.

#include <cstdint>
#include <memory>
#include <vector>

#include "data/pretraining/loader.h"
#include "kernels/tensor/graphs.h"
#include "model/network.h"
#include "trainer/comm/comm.h"
#include "trainer/comm/gpu_collectives.h"
#include "trainer/comm/reducer.h"
#include "trainer/metrics/evaluation.h"
#include "trainer/optimizer/optimizer.h"

namespace nystrom {

struct BenchOptions {
  ModelConfig model;
  DType precision = DType::kF32;
  bool recompute = false;
  bool cuda_graph = false;
  Device device;
  ReductionOptions communication;
  int threads = 1;
  std::int64_t sequence_length = 512, micro_batch = 8;
  std::vector<std::int64_t> lengths;  ///< of the rows, micro_batch of them a step, in turn; empty: full rows
  double masking = 0.15;              ///< share of tokens with a label
  Objective objective;
  std::uint64_t seed = 1;
};

struct BenchTimes {
  std::vector<double> step_seconds;  ///< of each measured step, without profile
  std::int64_t tokens = 0;           ///< real tokens of all of them, on this rank
  bool even = true;                  ///< all steps have the same rows
  Profile profile;                   ///< of one step, by op
  double profiled_seconds = 0;       ///< that this step took
};

/// Forward, backward and AdamW of one packed micro-batch, with dropout. All ranks together: gradients are
/// summed.
class Bench {
 public:
  Bench(const BenchOptions& options, Comm& comm);

  /// Warms up, then measures at least `steps` steps and at least `seconds`, and all batches equally often.
  /// Collective.
  BenchTimes run(std::int64_t steps, double seconds);

  /// One step; its time in seconds.
  double step();

  [[nodiscard]] std::int64_t parameters() const { return network_.parameters().values(); }
  [[nodiscard]] std::size_t activation_bytes() const { return network_.arena().bytes(); }

 private:
  BenchOptions options_;
  Comm& comm_;
  Context context_;
  Network network_;
  std::unique_ptr<DeviceReduction> reduction_;
  std::vector<HostBatch> batches_;
  BatchBuffer buffer_;
  std::unique_ptr<Optimizer> optimizer_;
  GradientClip clip_;
  GradientReducer reducer_;
  std::unique_ptr<OpGraphs> graphs_;
  std::int64_t steps_ = 0;
};

/// What reading, masking and pairing alone give on one thread, without a network.
struct LoaderTimes {
  double seconds = 0;
  std::int64_t sequences = 0, tokens = 0;
};
/// Reads steps of `options` for at least `seconds`; its prefetch is switched off.
LoaderTimes bench_loader(LoaderOptions options, double seconds);

/// Lengths of the documents of our shards in the order of the files, with the two special tokens that a row
/// has, cut at `longest`; at most `count`. Refuses other files.
std::vector<std::int64_t> document_lengths(const std::vector<std::string>& shards, std::int64_t longest,
                                           std::int64_t count);

}  // namespace nystrom
