#include "launch/bench.h"

#include <algorithm>
#include <chrono>

#include "data/batch.h"
#include "kernels/core/philox.h"
#include "trainer/batch_source.h"

namespace nystrom {
namespace {

std::int64_t labels_of(const BenchOptions& options) {
  const double tokens = static_cast<double>(options.sequence_length) * options.masking;
  return std::max<std::int64_t>(1, static_cast<std::int64_t>(tokens + 0.5));
}

BatchLimits limits_of(const BenchOptions& options) {
  return {.sequences = options.micro_batch,
          .tokens = options.micro_batch * options.sequence_length,
          .longest = options.sequence_length,
          .labels = options.micro_batch * labels_of(options)};
}

// Full rows of random tokens, labels spread evenly over each.
HostBatch random_batch(const BenchOptions& options, int rank) {
  Random random(options.seed, Purpose::kTest, static_cast<std::uint64_t>(rank));
  const auto token = [&] {
    return static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(options.model.vocabulary_size)));
  };
  const std::int64_t n = options.sequence_length, labels = labels_of(options);
  HostBatch batch;
  batch.offsets.push_back(0);
  for (std::int64_t b = 0; b < options.micro_batch; ++b) {
    for (std::int64_t t = 0; t < n; ++t) {
      batch.input_ids.push_back(token());
      batch.token_type_ids.push_back(2 * t < n ? 0 : 1);
    }
    for (std::int64_t p = 0; p < labels; ++p) {
      batch.mlm_rows.push_back(static_cast<std::int32_t>(b * n + p * n / labels));
      batch.mlm_labels.push_back(token());
    }
    batch.offsets.push_back(static_cast<std::int32_t>((b + 1) * n));
    batch.lengths.push_back(static_cast<std::int32_t>(n));
    batch.samples.push_back(rank * options.micro_batch + b);
    batch.sop_labels.push_back(static_cast<std::int32_t>(random.below(2)));
  }
  return batch;
}

}  // namespace

Bench::Bench(const BenchOptions& options, Comm& comm)
    : options_(options),
      comm_(comm),
      context_(options.threads),
      network_(options.model, HeadKind::kPretraining, options.precision, true),
      buffer_(limits_of(options)),
      optimizer_(make_optimizer({}, network_.parameters())),
      reducer_(comm, network_.parameters().gradients()) {
  network_.initialize(options.seed);
  network_.plan(limits_of(options), options.threads, options.recompute);
  batch_ = buffer_.upload(arrays_of(random_batch(options, comm.rank())));
  const double ranks = comm.ranks();
  scales_[0] = options.objective.weights[0] / (ranks * static_cast<double>(limits_of(options).labels));
  scales_[1] = options.objective.weights[1] / (ranks * static_cast<double>(options.micro_batch));
}

double Bench::step() {
  const Pass pass{.training = true, .seed = options_.seed + static_cast<std::uint64_t>(steps_++)};
  const auto start = std::chrono::steady_clock::now();
  network_.parameters().zero_gradients();
  network_.head().reset_sums(context_);
  network_.forward(context_, batch_, pass, scales_);
  reducer_.begin();
  network_.backward(context_, batch_, pass, scales_, [this](std::int64_t offset) { reducer_.ready(offset); });
  reducer_.finish();
  const double norm = gradient_norm(context_, network_.parameters()).norm;
  optimizer_->step(context_, 1e-5, clip_scale(norm, 1.0));
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

BenchTimes Bench::run(std::int64_t steps, double seconds) {
  step();
  BenchTimes times;
  // Ranks must do the same number of steps: the slowest clock decides.
  for (double spent = 0; static_cast<std::int64_t>(times.step_seconds.size()) < steps || spent < seconds;) {
    double slowest = step();
    std::vector<double> all(static_cast<std::size_t>(comm_.ranks()));
    comm_.all_gather(std::as_bytes(std::span(&slowest, 1)), std::as_writable_bytes(std::span(all)),
                     "the times of a step");
    slowest = *std::ranges::max_element(all);
    times.step_seconds.push_back(slowest);
    spent += slowest;
  }
  context_.set_profile(&times.profile);
  times.profiled_seconds = step();
  context_.set_profile(nullptr);
  return times;
}

}  // namespace nystrom
