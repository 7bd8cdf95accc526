#pragma once
// Benchmarks of `nystrom bench`: a training step on random tokens, and the loader alone.

#include <cstdint>
#include <memory>
#include <vector>

#include "data/pretraining/loader.h"
#include "kernels/tensor/bound_threads.h"
#include "kernels/tensor/graphs.h"
#include "kernels/tensor/kernel_times.h"
#include "model/compute_session.h"
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
  std::vector<std::int64_t> lengths;  ///< of the sequences, micro_batch of them per step; empty: full length
  double masking = 0.15;              ///< fraction of tokens with a label
  Objective objective;
  OptimizerOptions optimizer;
  std::uint64_t seed = 1;
};

struct BenchTimes {
  std::vector<double> step_seconds;  ///< of each measured step, without profile
  std::int64_t tokens = 0;           ///< of all measured steps, on this rank, without padding
  bool even = true;                  ///< all steps have the same sequences
  Profile profile;                   ///< of one step, by op
  double profiled_seconds = 0;       ///< of that step
  KernelTimes kernels;               ///< of another step, on a GPU and where asked for
};

/// Training steps of one packed micro-batch: forward, backward, all-reduce of gradients, optimizer, with
/// dropout.
class Bench {
 public:
  Bench(const BenchOptions& options, Comm& comm);

  /// Warms up, then measures at least `steps` steps and `seconds`, with all batches equally often.
  /// With `kernels` a further step times each kernel of a GPU. Collective.
  BenchTimes run(std::int64_t steps, double seconds, bool kernels = false);

  /// Runs one step and returns its time in seconds.
  double step();

  [[nodiscard]] std::int64_t parameters() const { return session_.network.parameters().values(); }
  [[nodiscard]] std::size_t activation_bytes() const { return session_.network.arena().bytes(); }

 private:
  BenchOptions options_;
  Comm& comm_;
  ComputeSession session_;
  std::unique_ptr<DeviceReduction> reduction_;
  std::vector<HostBatch> batches_;
  std::unique_ptr<Optimizer> optimizer_;
  GradientClip clip_;
  GradientReducer reducer_;
  std::unique_ptr<OpGraphs> graphs_;
  BoundThreads bound_;  // as in training
  std::int64_t steps_ = 0;
};

/// Throughput of reading, masking and pairing on one thread, without a network.
struct LoaderTimes {
  double seconds = 0;
  std::int64_t sequences = 0, tokens = 0;
};
/// Reads steps of `options` for at least `seconds`, without prefetch.
LoaderTimes bench_loader(LoaderOptions options, double seconds);

/// Lengths of the first `count` documents of shards, in file order, with the two special tokens of a
/// sequence, truncated to `longest`. Refuses files that are not nystrom shards.
std::vector<std::int64_t> document_lengths(const std::vector<std::string>& shards, std::int64_t longest,
                                           std::int64_t count);

}  // namespace nystrom
