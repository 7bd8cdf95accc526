// What a training step does, counted: nothing here depends on the machine's speed. A change of these figures
// is a change of the program's cost; if it is meant, put the new ones (the failure prints them) into
// step_counts.json and say why in the commit.

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "allocations.h"
#include "kernels/core/trace.h"
#include "kernels/tensor/cpu_features.h"
#include "launch/bench/bench.h"
#include "model/attention/registry.h"
#include "small_network.h"
#include "trainer/comm/comm.h"

namespace nystrom {
namespace {

using Json = nlohmann::ordered_json;

ModelConfig base_model() {
  ModelConfig model;
  model.vocabulary_size = 30000;
  return model;
}

Json expected() {
  std::ifstream file("tests/system/counts/step_counts.json");
  return Json::parse(file);
}

Json calls_of(const Profile& profile) {
  Json calls = Json::object();
  for (const auto& [name, count] : profile) calls[name] = count.calls;
  return calls;
}

TEST(StepCounts, planned_bytes_of_the_base_model_match_the_stored_ones) {
  Json bytes = Json::object();
  for (const DType precision : {DType::kF32, DType::kBF16}) {
    for (const auto& [length, batch] : {std::pair{512, 4}, std::pair{4096, 1}}) {
      const EncoderPlan plan{.limits = {.sequences = batch,
                                        .tokens = std::int64_t{batch} * length,
                                        .longest = length,
                                        .labels = std::int64_t{batch} * length * 15 / 100},
                             .threads = 2,
                             .training = true};
      ModelConfig model = base_model();
      model.max_positions = length;
      bytes[fmt::format("{} {} x {}", name_of(precision), batch, length)] =
          Network::planned_bytes(model, HeadKind::kPretraining, precision, plan);
    }
  }
  EXPECT_EQ(bytes, expected()["planned_bytes"]) << bytes.dump(1);
}

TEST(StepCounts, op_counts_of_a_step_match_the_stored_ones) {
  const auto comm = make_solo_comm();
  BenchOptions options;
  options.model = base_model();
  options.model.vocabulary_size = 2000;  // less to allocate and compute; the calls are the same
  options.threads = 2;
  options.sequence_length = 80;
  options.micro_batch = 1;
  Bench bench(options, *comm);
  const Json calls = calls_of(bench.run(1, 0).profile);
  EXPECT_EQ(calls, expected()["calls"]) << calls.dump(1);
}

// The library for matrix products allocates its own scratch; what is counted is this project's code.
TEST(StepCounts, a_step_allocates_nothing) {
  const auto comm = make_solo_comm();
  for (const AttentionEntry& kind : attention_registry()) {
    BenchOptions options;
    options.precision = bf16_is_native() ? DType::kBF16 : DType::kF32;
    options.threads = 2;
    options.sequence_length = 200;
    options.micro_batch = 3;
    options.model = testing::small_model();
    options.model.hidden_size = 64;  // whole vectors in each head
    options.model.intermediate_size = 128;
    options.model.max_positions = options.sequence_length;
    options.model.attention.kind = kind.name;
    Bench bench(options, *comm);
    bench.step();
    const AllocationCount count;
    bench.step();
    EXPECT_EQ(count.here(), 0) << count.where();
  }
}

// What `run.profile_steps` costs outside its steps.
TEST(StepCounts, a_trace_that_does_not_record_allocates_nothing) {
  Trace trace;
  Activity activity;
  activity.set_trace(&trace);
  const AllocationCount count;
  activity.set_step(20);
  activity.set_phase("forward and backward");
  {
    const WaitScope wait(activity, "the all-reduce of gradients, which has a long name");
    const TraceSpan span(&trace, Trace::Kind::kLoader, "a batch, with a name longer than a short string", 3);
  }
  trace.add({.name = "an op, with a name longer than a short string has", .begin_ns = 1, .end_ns = 2});
  EXPECT_EQ(count.here(), 0) << count.where();
}

TEST(StepCounts, allocations_are_detected) {
  const AllocationCount count;
  const std::vector<int> some(100);
  EXPECT_EQ(count.here(), 1) << some.size();
}

}  // namespace
}  // namespace nystrom
