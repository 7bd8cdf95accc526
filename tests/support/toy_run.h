#pragma once
// Toy training run: a network that trains within a test, and synthetic batches.

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "kernels/core/philox.h"
#include "trainer/trainer.h"

namespace nystrom::testing {

struct ToyOptions {
  std::int64_t global_batch = 8;
  std::int64_t micro_batch = 8;
  int rank = 0, ranks = 1;
  bool same_batch = false;  ///< every index gives batch 0, as for overfitting
  std::int64_t batches = INT64_MAX;
  bool sentence_order = true;  ///< else no row has a sentence-order label
};

inline constexpr std::int64_t kToyVocabulary = 97, kToyLongest = 24;

/// Rows of 5 to 24 random tokens; each second token repeats the one before it, so that there is something to
/// learn. A pure function of the index, sharded across ranks as by the loader.
class ToySource final : public BatchSource {
 public:
  explicit ToySource(const ToyOptions& options) : options_(options) {}

  const StepBatch& read(std::int64_t index) override {
    batch_ = {};
    const std::int64_t share = options_.global_batch / options_.ranks,
                       rest = options_.global_batch % options_.ranks;
    const std::int64_t begin = options_.rank * share + std::min<std::int64_t>(options_.rank, rest);
    const std::int64_t end = begin + share + (options_.rank < rest ? 1 : 0);
    for (std::int64_t row = begin; row < end; ++row) {
      if ((row - begin) % options_.micro_batch == 0) batch_.micro_batches.emplace_back().offsets = {0};
      add_row(batch_.micro_batches.back(), (options_.same_batch ? 0 : index) * options_.global_batch + row);
    }
    return batch_;
  }
  [[nodiscard]] std::int64_t batches() const override { return options_.batches; }
  [[nodiscard]] BatchLimits limits() const override {
    const std::int64_t rows = std::min(options_.micro_batch, options_.global_batch);
    return {.sequences = rows,
            .tokens = rows * kToyLongest,
            .longest = kToyLongest,
            .labels = rows * kToyLongest,
            .values = 1};
  }

 private:
  void add_row(HostBatch& to, std::int64_t sample) const {
    Random random(7, Purpose::kTest, static_cast<std::uint64_t>(sample));
    const auto length = static_cast<std::int32_t>(5 + random.below(kToyLongest - 4));
    const auto first = static_cast<std::int32_t>(to.input_ids.size());
    std::int32_t before = 0;
    for (std::int32_t t = 0; t < length; ++t) {
      const auto drawn = static_cast<std::int32_t>(5 + random.below(kToyVocabulary - 5));
      const std::int32_t token = t % 2 == 0 ? drawn : before;
      const bool predicted = t > 0 && random.below(5) == 0;
      if (predicted) {
        to.label_rows.push_back(first + t);
        to.token_labels.push_back(token);
      }
      to.input_ids.push_back(predicted ? 4 : token);
      to.token_type_ids.push_back(t > length / 2 ? 1 : 0);
      before = token;
    }
    to.offsets.push_back(first + length);
    to.lengths.push_back(length);
    to.samples.push_back(sample);
    const bool labelled = options_.sentence_order && random.below(4) != 0;
    to.sequence_labels.push_back(labelled ? static_cast<std::int32_t>(random.below(2)) : -1);
  }

  ToyOptions options_;
  StepBatch batch_;
};

inline ModelConfig toy_model(double dropout = 0.1) {
  ModelConfig model;
  model.vocabulary_size = kToyVocabulary;
  model.hidden_size = 32;
  model.layers = 2;
  model.intermediate_size = 64;
  model.max_positions = 32;
  model.dropout = dropout;
  model.attention.heads = 2;
  model.attention.landmarks = 4;
  model.attention.taps = 3;
  return model;
}

inline TrainerOptions toy_trainer(std::int64_t steps) {
  TrainerOptions options;
  options.steps = steps;
  options.seed = 3;
  options.optimizer.learning_rate = 2e-3;
  options.schedule.warmup_steps = 2;
  options.bucket_bytes = 4096;  // several buckets
  options.identity = {.seed = 3,
                      .configuration = "seed: 3\n",
                      .settings = {{"seed", "3"}, {"training.steps", std::to_string(steps)}},
                      .tokenizer = std::string("toy\0tokenizer", 13),
                      .tokenizer_kind = "toy"};
  return options;
}

/// Records all callbacks.
class Recorder final : public Observer {
 public:
  void started(const RunInfo& info) override { runs.push_back(info); }
  void step(const StepReport& report) override { steps.push_back(report); }
  void validated(const ValidationReport& report) override { validations.push_back(report); }
  void saved(const SavedReport& report) override { saves.push_back(report.path); }
  void warning(const std::string& sentence) override { warnings.push_back(sentence); }
  void finished(StopReason reason) override { reasons.push_back(reason); }

  std::vector<RunInfo> runs;
  std::vector<StepReport> steps;
  std::vector<ValidationReport> validations;
  std::vector<std::string> saves, warnings;
  std::vector<StopReason> reasons;
};

/// A trainer with all that it needs.
struct ToyRun {
  ToyRun(const TrainerOptions& options, Comm& comm, const ToyOptions& toy = {}, double dropout = 0.1,
         HeadKind head = HeadKind::kPretraining, int threads = 1, DType activation = DType::kF32)
      : context(threads), network(toy_model(dropout), head, activation, true), source(toy), validation([&] {
          ToyOptions other = toy;
          other.batches = 3;
          return other;
        }()) {
    network.initialize(options.seed);
    network.plan(source.limits(), context.threads());
    trainer = std::make_unique<Trainer>(
        options, TrainerDependencies{context, comm, network, source, &validation, recorder});
  }
  [[nodiscard]] std::vector<float> weights() const {
    const auto values = network.parameters().weights().span<float>();
    return {values.begin(), values.end()};
  }

  Context context;
  Network network;
  ToySource source, validation;
  Recorder recorder;
  std::unique_ptr<Trainer> trainer;
};

/// ||a - b|| / ||b||
inline double distance(const std::vector<float>& a, const std::vector<float>& b) {
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference += (double{a[i]} - double{b[i]}) * (double{a[i]} - double{b[i]});
    norm += double{b[i]} * double{b[i]};
  }
  return std::sqrt(difference / norm);
}

}  // namespace nystrom::testing
