// The timeline of all ranks (`run.profile_steps`), from toy runs.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "kernels/core/files.h"
#include "kernels/core/json.h"
#include "ranks.h"
#include "toy_run.h"
#include "trainer/comm/clock.h"
#include "trainer/metrics/trace_file.h"

namespace nystrom {
namespace {

using testing::FolderOfRanks;
using ::testing::HasSubstr;
using testing::ranks;
using testing::ToyRun;
using Json = nlohmann::json;

/// Six steps of two micro-batches a rank, with a checkpoint after the third, and a trace if `profile` says
/// so.
struct TracedRun {
  TracedRun(const std::string& folder, const ProfiledSteps& steps)
      : toy(options_for(folder, {}), ranks(),
            {.global_batch = 4 * ranks().ranks(),
             .micro_batch = 2,
             .rank = ranks().rank(),
             .ranks = ranks().ranks()}),
        trainer(options_for(folder, steps), {toy.context, ranks(), toy.network, toy.source, nullptr,
                                             toy.recorder, nullptr, nullptr, &trace}) {
    (void)trainer.run();
  }
  static TrainerOptions options_for(const std::string& folder, const ProfiledSteps& steps) {
    TrainerOptions options = testing::toy_trainer(6);
    options.checkpoint_folder = folder + "/checkpoints";  // where temporary files of others are removed
    std::filesystem::create_directories(options.checkpoint_folder);
    options.save_every = 3;
    options.zero = true;
    options.profile = {.steps = steps, .directory = folder};
    return options;
  }
  Trace trace;
  ToyRun toy;
  Trainer trainer;
};

struct Span {
  double begin = 0, end = 0;
  std::string name, category;
};

/// The events of a rank: complete ones, and collectives from their "b" to their "e".
std::vector<Span> spans_of(const Json& file, int rank, const std::string& category = "") {
  std::vector<Span> spans;
  std::map<std::string, std::size_t> open;
  for (const Json& event : file.at("traceEvents")) {
    if (event.at("pid") != rank || event.at("ph") == "M") continue;
    const std::string phase = event.at("ph"), kind = event.at("cat");
    if (!category.empty() && kind != category && phase != "e") continue;
    const double begin = event.at("ts");
    if (phase == "X") {
      spans.push_back({begin, begin + event.at("dur").get<double>(), event.at("name"), kind});
    } else if (phase == "b") {
      open[event.at("id")] = spans.size();
      spans.push_back({begin, -1, event.at("name"), kind});
    } else if (open.contains(event.at("id"))) {
      spans[open[event.at("id")]].end = begin;
    }
  }
  return spans;
}

std::vector<Span> named(const std::vector<Span>& spans, const std::string& name) {
  std::vector<Span> found;
  std::ranges::copy_if(spans, std::back_inserter(found), [&](const Span& s) { return s.name == name; });
  return found;
}

/// Of gradients: in stripes, and of what is in none.
std::vector<Span> reductions(const Json& file, int rank) {
  const auto all = spans_of(file, rank, "collective");
  std::vector<Span> found = named(all, std::string(kGradientScatter));
  std::ranges::copy(named(all, std::string(kGradientSum)), std::back_inserter(found));
  std::ranges::sort(found, {}, &Span::begin);
  return found;
}

class TraceOfRanks : public ::testing::Test {
 protected:
  TraceOfRanks() : run_(folder_.path, {.first = 3, .last = 4}) {
    ranks().barrier("a test");
    file_ = parse_json<Json>("trace", read_file(folder_.path + "/trace-3-4.json"));
  }
  FolderOfRanks folder_;
  TracedRun run_;
  Json file_;
};

TEST_F(TraceOfRanks, every_rank_is_a_process_with_named_threads) {
  std::set<int> processes;
  std::set<std::string> threads;
  for (const Json& event : file_.at("traceEvents")) {
    processes.insert(event.at("pid").get<int>());
    if (event.at("name") == "process_name") {
      EXPECT_EQ(event.at("args").at("name"), ranks().rank_name(event.at("pid")));
    }
    if (event.at("name") == "thread_name") threads.insert(event.at("args").at("name"));
  }
  EXPECT_EQ(processes.size(), static_cast<std::size_t>(ranks().ranks()));
  EXPECT_EQ(threads, (std::set<std::string>{"training", "loader", "checkpoint writer"}));
}

TEST_F(TraceOfRanks, the_events_of_a_thread_are_nested_and_begin_at_zero) {
  double first = 1;
  for (int rank = 0; rank < ranks().ranks(); ++rank) {
    std::map<int, std::vector<double>> ends;  // of what is open, by thread
    for (const Json& event : file_.at("traceEvents")) {
      if (event.at("pid") != rank || event.at("ph") != "X") continue;
      const double begin = event.at("ts"), end = begin + event.at("dur").get<double>();
      std::vector<double>& open = ends[event.at("tid").get<int>()];
      while (!open.empty() && open.back() <= begin + 1e-6) open.pop_back();
      if (!open.empty()) {
        EXPECT_LE(end, open.back() + 1e-6) << event.dump();
      }
      open.push_back(end);
      first = std::min(first, begin);
      EXPECT_GE(begin, 0);
    }
  }
  EXPECT_LT(first, 1);
}

TEST_F(TraceOfRanks, it_has_the_steps_with_their_phases_parts_and_ops) {
  for (int rank = 0; rank < ranks().ranks(); ++rank) {
    const auto steps = spans_of(file_, rank, "step");
    ASSERT_EQ(steps.size(), 2U);
    EXPECT_EQ(steps[0].name, "step 3");
    EXPECT_EQ(steps[1].name, "step 4");
    const auto parts = spans_of(file_, rank, "part");
    EXPECT_EQ(named(parts, "forward").size(), 4U);
    EXPECT_EQ(named(parts, "backward").size(), 4U);
    const auto phases = spans_of(file_, rank, "phase");
    EXPECT_EQ(named(phases, "reading the batch").size(), 2U);
    EXPECT_EQ(named(phases, "writing a checkpoint").size(), 1U);
    const auto ops = spans_of(file_, rank, "op");
    // Two layers, two micro-batches, two steps: the attention of each.
    EXPECT_EQ(named(ops, "attention_forward").size(), 8U);
    EXPECT_EQ(named(ops, "adamw_step").size(), 2U);
  }
  EXPECT_EQ(spans_of(file_, 0, "checkpoint").size(), 1U);
  EXPECT_THAT(file_.dump(), HasSubstr("\"flops\""));
}

TEST_F(TraceOfRanks, gradients_are_reduced_during_the_last_backward) {
  if (ranks().ranks() == 1) GTEST_SKIP() << "one rank reduces nothing";
  for (int rank = 0; rank < ranks().ranks(); ++rank) {
    const auto sums = reductions(file_, rank);
    EXPECT_GT(named(sums, std::string(kGradientScatter)).size(), 3U) << "ZeRO sums each shard on its rank";
    const auto backward = named(spans_of(file_, rank, "part"), "backward");
    const auto phases = named(spans_of(file_, rank, "phase"), "forward and backward");
    ASSERT_EQ(backward.size(), 4U);
    ASSERT_EQ(phases.size(), 2U);
    const std::size_t buckets = sums.size() / 2;
    ASSERT_GT(buckets, 3U);
    for (std::size_t step = 0; step < 2; ++step) {
      const Span &last = backward[2 * step + 1], &phase = phases[step];
      std::size_t beside = 0;
      for (std::size_t i = step * buckets; i < (step + 1) * buckets; ++i) {
        EXPECT_GE(sums[i].begin, last.begin);
        EXPECT_GT(sums[i].end, sums[i].begin);
        EXPECT_LE(sums[i].end, phase.end);
        beside += sums[i].begin < last.end ? 1 : 0;
      }
      EXPECT_GT(beside, buckets / 2) << "of " << buckets;
      EXPECT_LT(beside, buckets) << "the last one follows backward";
    }
  }
}

TEST_F(TraceOfRanks, no_rank_has_a_sum_before_all_have_begun_it) {
  std::vector<std::vector<Span>> sums;
  for (int rank = 0; rank < ranks().ranks(); ++rank) sums.push_back(reductions(file_, rank));
  const double error = 1e-3 * 2 * static_cast<double>(measure_clock(ranks()).error) + 50;
  for (std::size_t i = 0; i < sums[0].size(); ++i)
    for (const auto& a : sums)
      for (const auto& b : sums) {
        ASSERT_EQ(a.size(), b.size());
        EXPECT_LE(a[i].begin, b[i].end + error);
      }
}

TEST_F(TraceOfRanks, a_traced_run_has_the_bits_of_another) {
  const FolderOfRanks folder;
  const TracedRun other(folder.path, {});
  EXPECT_EQ(run_.toy.weights(), other.toy.weights());
  EXPECT_TRUE(other.trace.events().empty());
  for (const auto& entry : std::filesystem::directory_iterator(folder.path))
    EXPECT_EQ(entry.path().filename().string().find("trace"), std::string::npos) << entry.path();
}

TEST(RanksClocks, of_one_machine_differ_by_less_than_the_error) {
  const ClockOffset offset = measure_clock(ranks());  // all ranks of a test have one clock
  EXPECT_LE(std::abs(offset.offset), offset.error + 1);
}

TEST(RanksClocks, a_clock_that_drifts_is_followed) {
  const ClockLine clock({.at = 1000, .offset = 50, .error = 2}, {.at = 2000, .offset = 70, .error = 3});
  EXPECT_EQ(clock(1000), 1050);
  EXPECT_EQ(clock(1500), 1560);
  EXPECT_EQ(clock(2000), 2070);
  EXPECT_EQ(clock.error(), 3);
}

TEST(RanksTrace, a_trace_that_cannot_be_written_is_lost_with_a_reason) {
  Trace trace;
  trace.start();
  trace.stop();
  const ClockLine clock({}, {});
  const std::string problem = write_trace("/nonexistent/trace.json", trace, clock, ranks());
  EXPECT_THAT(problem, ranks().rank() == 0 ? HasSubstr("/nonexistent/") : HasSubstr(""));
}

TEST(RanksTrace, names_of_machines_may_have_any_characters) {
  Trace trace;
  trace.start();
  trace.stop();
  const std::string text = trace_events(trace, 0, "rank 0 on \"no\\de\"\n", {{}, {}}, 0);
  EXPECT_EQ(parse_json<Json>("text", "[" + text + "]")[0].at("args").at("name"), "rank 0 on \"no\\de\" ");
}

TEST(ProfiledStepsKey, is_a_step_or_two) {
  const auto same = [](const std::string& text, std::int64_t first, std::int64_t last) {
    const ProfiledSteps steps = profiled_steps(text, "run.profile_steps");
    return steps.first == first && steps.last == last;
  };
  EXPECT_TRUE(same("", 0, 0));
  EXPECT_TRUE(same("20", 20, 20));
  EXPECT_TRUE(same("20-22", 20, 22));
  for (const char* bad : {"0", "-3", "5-4", "1-", "a", "1-2-3", "3 - 4", "99999999999999999999"}) {
    try {
      (void)profiled_steps(bad, "run.profile_steps");
      ADD_FAILURE() << bad;
    } catch (const InputError& error) {
      EXPECT_THAT(error.what(), HasSubstr("`run.profile_steps` is "));
    }
  }
}

}  // namespace
}  // namespace nystrom
