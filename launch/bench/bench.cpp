#include "launch/bench/bench.h"

#include <algorithm>
#include <chrono>

#include "data/batch.h"
#include "data/shards/shard_reader.h"
#include "kernels/core/philox.h"
#include "kernels/core/stage.h"
#include "kernels/matmul.h"
#include "trainer/batches/batch_source.h"

namespace nystrom {
namespace {

std::int64_t labels_of(const BenchOptions& options, std::int64_t length) {
  return std::max<std::int64_t>(
      1, static_cast<std::int64_t>(static_cast<double>(length) * options.masking + 0.5));
}

BatchLimits limits_of(const BenchOptions& options) {
  return {.sequences = options.micro_batch,
          .tokens = options.micro_batch * options.sequence_length,
          .longest = options.sequence_length,
          .labels = options.micro_batch * labels_of(options, options.sequence_length)};
}

// A sequence of random tokens, with evenly spaced labels.
void add_row(HostBatch& batch, const BenchOptions& options, std::int64_t length, Random& random) {
  const auto token = [&] {
    return static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(options.model.vocabulary_size)));
  };
  const std::int64_t labels = labels_of(options, length), first = batch.offsets.back();
  for (std::int64_t t = 0; t < length; ++t) {
    batch.input_ids.push_back(token());
    batch.token_type_ids.push_back(2 * t < length ? 0 : 1);
  }
  for (std::int64_t p = 0; p < labels; ++p) {
    batch.label_rows.push_back(static_cast<std::int32_t>(first + p * length / labels));
    batch.token_labels.push_back(token());
  }
  batch.samples.push_back(static_cast<std::int64_t>(batch.lengths.size()));
  batch.offsets.push_back(static_cast<std::int32_t>(first + length));
  batch.lengths.push_back(static_cast<std::int32_t>(length));
  batch.sequence_labels.push_back(static_cast<std::int32_t>(random.below(2)));
}

std::vector<HostBatch> random_batches(const BenchOptions& options, int rank) {
  std::vector<std::int64_t> lengths = options.lengths;
  if (lengths.empty()) lengths.assign(static_cast<std::size_t>(options.micro_batch), options.sequence_length);
  Random random(options.seed, Purpose::kTest, static_cast<std::uint64_t>(rank));
  std::vector<HostBatch> batches;
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    if (i % static_cast<std::size_t>(options.micro_batch) == 0) batches.emplace_back().offsets.push_back(0);
    add_row(batches.back(), options, lengths[i], random);
  }
  return batches;
}

}  // namespace

Bench::Bench(const BenchOptions& options, Comm& comm)
    : options_(options),
      comm_(comm),
      session_(options.device, options.threads,
               {.model = options.model,
                .head = HeadKind::kPretraining,
                .precision = options.precision,
                .training = true}),
      reduction_(make_device_reduction(options.device, comm, options.communication)),
      batches_(random_batches(options, comm.rank())),
      optimizer_(make_optimizer(options.optimizer, session_.network.parameters())),
      clip_(session_.context.memory(), 1.0),
      reducer_(session_.context, comm, session_.network.parameters().gradients(),
               {.device = reduction_.get()}),
      graphs_(options.cuda_graph ? make_op_graphs(session_.context) : nullptr),
      bound_(session_.context, computes_on_context_threads(options.precision)) {
  session_.network.initialize(options.seed);
  session_.plan(limits_of(options), options.recompute);
}

double Bench::step() {
  const HostBatch& host = batches_[static_cast<std::size_t>(steps_) % batches_.size()];
  const Pass pass{.training = true, .seed = options_.seed + static_cast<std::uint64_t>(steps_++)};
  const double ranks = comm_.ranks();
  const LossScales scales{
      options_.objective.weights[0] / (ranks * static_cast<double>(host.label_rows.size())),
      options_.objective.weights[1] / (ranks * static_cast<double>(host.lengths.size()))};
  const auto start = std::chrono::steady_clock::now();
  const BoundThreads::Scope bound(bound_, session_.context);
  const Batch& batch = session_.upload(arrays_of(host));
  session_.network.parameters().zero_gradients(session_.context);
  session_.network.head().reset_sums(session_.context);
  reducer_.begin();
  session_.network.encoder().prepare(session_.context, pass);
  RecordedOps ops(graphs_.get(), 0);
  session_.network.forward(session_.context, batch, pass, scales);
  session_.network.backward(session_.context, batch, pass, scales, [&](std::int64_t offset) {
    if (offset > 0 && reducer_.due(offset)) ops.interrupt([&] { reducer_.ready(offset); });
  });
  ops.finish();
  reducer_.finish();
  if (reduction_) reduction_->synchronize(steps_, kGradientSum);
  clip_.measure(session_.context, session_.network.parameters().gradients());
  optimizer_->step(session_.context, {}, clip_.factor());
  session_.context.synchronize();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

BenchTimes Bench::run(std::int64_t steps, double seconds, bool kernels) {
  step();
  if (graphs_) step();  // captures the graphs
  steps_ = 0;
  BenchTimes times;
  times.even = batches_.size() == 1;
  Stage stage("timing steps", 1);
  const auto whole = [&] { return times.step_seconds.size() % batches_.size() == 0; };
  // Ranks must run the same number of steps: the slowest rank's time decides.
  for (double spent = 0;
       static_cast<std::int64_t>(times.step_seconds.size()) < steps || spent < seconds || !whole();) {
    times.tokens += batches_[static_cast<std::size_t>(steps_) % batches_.size()].offsets.back();
    double slowest = step();
    std::vector<double> all(static_cast<std::size_t>(comm_.ranks()));
    comm_.all_gather(std::as_bytes(std::span(&slowest, 1)), std::as_writable_bytes(std::span(all)),
                     "the times of a step");
    slowest = *std::ranges::max_element(all);
    times.step_seconds.push_back(slowest);
    spent += slowest;
    const double counted = static_cast<double>(times.step_seconds.size()) /
                           static_cast<double>(std::max<std::int64_t>(steps, 1));
    stage.reach(seconds > 0 ? std::min(counted, spent / seconds) : counted);
  }
  if (kernels) {
    const KernelTiming timing(session_.context);
    step();
    times.kernels = timing.read();
  }
  const Profiling profiling(session_.context, times.profile);
  times.profiled_seconds = step();
  return times;
}

LoaderTimes bench_loader(LoaderOptions options, double seconds) {
  options.prefetch = 0;
  Loader loader(options);
  LoaderTimes times;
  const auto start = std::chrono::steady_clock::now();
  while (times.seconds < seconds) {
    const StepBatch step = loader.next();
    for (const HostBatch& batch : step.micro_batches) {
      times.sequences += static_cast<std::int64_t>(batch.lengths.size());
      times.tokens += batch.offsets.back();
    }
    times.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }
  return times;
}

std::vector<std::int64_t> document_lengths(const std::vector<std::string>& shards, std::int64_t longest,
                                           std::int64_t count) {
  std::vector<std::int64_t> lengths;
  for (const std::string& path : shards) {
    const ShardReader reader(path);
    std::uint64_t document = UINT64_MAX;
    reader.scan_sentences([&](std::uint64_t of, std::uint64_t, std::uint64_t first, std::uint64_t end) {
      if (of != document) lengths.push_back(2);
      document = of;
      lengths.back() += static_cast<std::int64_t>(end - first);
    });
    if (static_cast<std::int64_t>(lengths.size()) >= count) break;
  }
  lengths.resize(std::min(lengths.size(), static_cast<std::size_t>(count)));
  for (std::int64_t& length : lengths) length = std::min(length, longest);
  return lengths;
}

}  // namespace nystrom
