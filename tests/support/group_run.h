#pragma once
// Toy runs of groups of ranks that share sequences, and how they are compared with one rank.

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ranks.h"
#include "toy_run.h"
#include "trainer/batches/span_source.h"
#include "trainer/comm/rank_group.h"

namespace nystrom::testing {

/// Where the toy's batches are cut; no sequence of theirs is so short that it must not be.
using Cuts = std::vector<std::int64_t> (*)(std::span<const std::int32_t> offsets, int ranks);

inline std::vector<std::int64_t> even_cuts(std::span<const std::int32_t> offsets, int ranks) {
  std::vector<std::int64_t> cuts;
  for (int r = 0; r <= ranks; ++r) cuts.push_back(std::int64_t{offsets.back()} * r / ranks);
  return cuts;
}

/// Two rows for the first rank, none for the last, and nearly all for the one before it.
inline std::vector<std::int64_t> uneven_cuts(std::span<const std::int32_t> offsets, int ranks) {
  std::vector<std::int64_t> cuts{0};
  for (int r = 1; r < ranks; ++r)
    cuts.push_back(r == ranks - 1 ? offsets.back() : std::min(2 * r, offsets.back()));
  cuts.push_back(offsets.back());
  return cuts;
}

/// The whole sequences of even shares: nothing is split.
inline std::vector<std::int64_t> whole_cuts(std::span<const std::int32_t> offsets, int ranks) {
  std::vector<std::int64_t> cuts;
  for (int r = 0; r <= ranks; ++r)
    cuts.push_back(
        offsets[(offsets.size() - 1) * static_cast<std::size_t>(r) / static_cast<std::size_t>(ranks)]);
  return cuts;
}

struct GroupOptions {
  int sequence_ranks = 1;
  std::int64_t micro_batch = 8;
  Cuts cuts = even_cuts;
  bool recompute = false;
  std::string attention = "nystrom";
  std::optional<CommKind> gpu = {};  ///< on this rank's GPU, which talks to others so
  double timeout_seconds = 60;
  DType activation = DType::kF32;
};

inline ModelConfig model_of(const GroupOptions& options) {
  ModelConfig model = toy_model();
  model.attention.kind = options.attention;
  if (options.attention == "softmax") model.attention_dropout = 0.1;
  return model;
}

/// A toy run whose ranks share sequences in groups.
struct GroupRun {
  GroupRun(const TrainerOptions& options, const GroupOptions& of, Comm& comm = ranks())
      : device(of.gpu ? Device::gpu(comm.local_rank()) : Device()),
        context(device.context(1)),
        network(model_of(of), HeadKind::kPretraining, of.activation, true, context.memory()),
        group(comm, of.sequence_ranks),
        training(source(of, INT64_MAX)),
        validation(source(of, 3)) {
    network.initialize(options.seed);
    network.plan(training->limits(), 1, of.recompute);
    reduction = make_device_reduction(device, comm,
                                      {.kind = of.gpu.value_or(CommKind::kAuto),
                                       .timeout_seconds = of.timeout_seconds,
                                       .group_ranks = of.sequence_ranks});
    group.use(reduction.get());
    trainer = std::make_unique<Trainer>(
        options, TrainerDependencies{context, comm, network, *training, validation.get(), recorder,
                                     reduction.get(), &group, &trace});
  }
  std::unique_ptr<BatchSource> source(const GroupOptions& of, std::int64_t batches) const {
    auto whole = std::make_unique<ToySource>(ToyOptions{.global_batch = 8,
                                                        .micro_batch = of.micro_batch,
                                                        .rank = group.index(),
                                                        .ranks = group.groups(),
                                                        .batches = batches});
    BatchLimits limits = whole->limits();
    limits.split = true;
    return std::make_unique<SpanSource>(
        std::move(whole),
        SpanOptions{.rank = group.rank(),
                    .cuts = [cuts = of.cuts, n = of.sequence_ranks](
                                std::span<const std::int32_t> offsets) { return cuts(offsets, n); },
                    .limits = limits});
  }
  [[nodiscard]] std::vector<float> weights() const {
    const HostValues values(network.parameters().weights(), network.parameters().memory());
    const auto span = values.view().span<float>();
    return {span.begin(), span.end()};
  }

  Device device;
  Context context;
  Network network;
  std::unique_ptr<DeviceReduction> reduction;
  RankGroup group;
  std::unique_ptr<BatchSource> training, validation;
  Trace trace;  // of the steps that the options say
  Recorder recorder;
  std::unique_ptr<Trainer> trainer;
};

/// The sizes of groups that this many ranks can form.
inline std::vector<int> group_sizes() {
  std::vector<int> sizes;
  for (int n = 1; n <= ranks().ranks(); ++n)
    if (ranks().ranks() % n == 0) sizes.push_back(n);
  return sizes;
}

template <class Run>
void expect_equal_runs(const GroupRun& together, const Run& alone) {
  EXPECT_LT(distance(together.weights(), alone.weights()), 1e-4);
  if (ranks().rank() != 0) return;
  ASSERT_EQ(together.recorder.steps.size(), alone.recorder.steps.size());
  for (std::size_t i = 0; i < alone.recorder.steps.size(); ++i) {
    const StepReport &a = together.recorder.steps[i], &b = alone.recorder.steps[i];
    EXPECT_NEAR(a.losses.loss / b.losses.loss, 1, 1e-5) << "step " << a.step;
    EXPECT_NEAR(a.gradient_norm / b.gradient_norm, 1, 1e-4) << "step " << a.step;
    EXPECT_EQ(a.samples, b.samples);
    for (std::size_t term = 0; term < 2; ++term) {
      EXPECT_EQ(a.losses.terms[term].labels, b.losses.terms[term].labels) << "step " << a.step;
      EXPECT_NEAR(a.losses.terms[term].loss / b.losses.terms[term].loss, 1, 1e-5) << "step " << a.step;
    }
    ASSERT_EQ(a.pinv_residual_mean.size(), b.pinv_residual_mean.size());
    for (std::size_t layer = 0; layer < b.pinv_residual_mean.size(); ++layer)
      EXPECT_NEAR(a.pinv_residual_mean[layer] / b.pinv_residual_mean[layer], 1, 1e-3) << "step " << a.step;
  }
  ASSERT_EQ(together.recorder.validations.size(), alone.recorder.validations.size());
  for (std::size_t i = 0; i < alone.recorder.validations.size(); ++i)
    EXPECT_NEAR(together.recorder.validations[i].losses.loss / alone.recorder.validations[i].losses.loss, 1,
                1e-5);
}

}  // namespace nystrom::testing
