// Numbers that go wrong: planted, found, named, and what is done about them.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <utility>

#include "temporary_folder.h"
#include "toy_run.h"
#include "trainer/checkpoint/checkpoint.h"
#include "trainer/guards/self_check.h"
#include "trainer/metrics/metrics.h"

namespace nystrom {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::toy_trainer;
using testing::ToyRun;

/// Batches of which one is not like the others: its labels are another token's. Records what was read.
class SpoiltSource final : public BatchSource {
 public:
  SpoiltSource(BatchSource& inner, std::int64_t spoilt) : inner_(inner), spoilt_(spoilt) {}
  const StepBatch& read(std::int64_t index) override {
    read_.push_back(index);
    batch_ = inner_.read(index);
    if (index == spoilt_)
      for (HostBatch& micro_batch : batch_.micro_batches)
        for (std::int32_t& label : micro_batch.token_labels) label = 5 + (label + 40) % 90;
    return batch_;
  }
  [[nodiscard]] BatchLimits limits() const override { return inner_.limits(); }
  [[nodiscard]] const std::vector<std::int64_t>& indices() const { return read_; }

 private:
  BatchSource& inner_;
  std::int64_t spoilt_;
  StepBatch batch_;
  std::vector<std::int64_t> read_;
};

/// Holds the checkpoint of a step back until the run wants to go back; then lets it be, or fails it once.
class HeldBack final : public Observer {
 public:
  HeldBack(std::int64_t step, bool fails) : step_(step), fails_(fails) {}
  void saving(std::int64_t step) override {
    if (step != step_) return;
    std::unique_lock held(mutex_);
    EXPECT_TRUE(heard_.wait_for(held, std::chrono::seconds(60), [this] { return going_back_; }));
    if (std::exchange(fails_, false)) fail("the disk is full.");
  }
  void warning(const std::string& sentence) override {
    const std::lock_guard held(mutex_);
    going_back_ = going_back_ || sentence.find("rolling back to the last checkpoint") != std::string::npos;
    heard_.notify_all();
  }

 private:
  std::int64_t step_;
  bool fails_;
  std::mutex mutex_;
  std::condition_variable heard_;
  bool going_back_ = false;
};

class Guards : public ::testing::Test {
 protected:
  /// 30 steps on the same batch, learnt quickly; the batch of step 24 is spoilt.
  TrainerOptions options(OnTrouble action) {
    TrainerOptions all = toy_trainer(30);
    all.optimizer.learning_rate = 1e-2;
    all.spike = {.action = action, .z_score = 4, .window = 5};
    return all;
  }
  StopReason run(const TrainerOptions& all, Observer* also = nullptr) {
    parts = std::make_unique<ToyRun>(all, *comm, testing::ToyOptions{.same_batch = true}, 0.0);
    source = std::make_unique<SpoiltSource>(parts->source, 23);
    observers = std::make_unique<Observers>();
    observers->add(parts->recorder);
    if (also != nullptr) observers->add(*also);
    trainer = std::make_unique<Trainer>(
        all, TrainerDependencies{parts->context, *comm, parts->network, *source, nullptr, *observers});
    return trainer->run();
  }
  [[nodiscard]] const testing::Recorder& heard() const { return parts->recorder; }

  testing::TemporaryFolder folder;
  std::unique_ptr<Comm> comm = make_solo_comm();
  std::unique_ptr<ToyRun> parts;
  std::unique_ptr<SpoiltSource> source;
  std::unique_ptr<Observers> observers;
  std::unique_ptr<Trainer> trainer;
};

TEST(SpikeGuard, z_score_is_computed_after_the_window) {
  const SpikeOptions options{.action = OnTrouble::kSkip, .z_score = 3, .window = 10};
  LossStatistics statistics;
  for (int i = 0; i < 10; ++i) EXPECT_EQ(judge_loss(i % 2 == 0 ? 1.0 : 3.0, options, statistics), 0);
  EXPECT_NEAR(statistics.mean, 2, 1e-12);
  EXPECT_NEAR(statistics.variance, 1, 1e-12);
  EXPECT_NEAR(judge_loss(6, options, statistics), 4, 1e-12);
  EXPECT_EQ(statistics.spikes_in_a_row, 1);
  EXPECT_NEAR(statistics.mean, 2, 1e-12);                       // a spike is not counted in
  EXPECT_NEAR(judge_loss(-1, options, statistics), -3, 1e-12);  // a fall is none
  EXPECT_EQ(statistics.spikes_in_a_row, 0);
}

TEST(SpikeGuard, constant_loss_does_not_divide_by_zero) {
  const SpikeOptions options{.action = OnTrouble::kSkip, .z_score = 3, .window = 2};
  LossStatistics statistics;
  for (int i = 0; i < 5; ++i) EXPECT_EQ(judge_loss(2, options, statistics), 0);
  EXPECT_GT(judge_loss(2.1, options, statistics), 3);
}

TEST_F(Guards, ignore_continues_through_a_spike) {
  EXPECT_EQ(run(options(OnTrouble::kIgnore)), StopReason::kDone);
  EXPECT_TRUE(heard().warnings.empty());
  EXPECT_GT(heard().steps[23].losses.loss, 2 * heard().steps[22].losses.loss);  // the planted fault is one
}

TEST_F(Guards, stop_names_step_and_z_score) {
  try {
    (void)run(options(OnTrouble::kStop));
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("At step 24 the loss is "));
    EXPECT_THAT(error.what(), HasSubstr("standard deviations above its mean"));
  }
}

TEST_F(Guards, skip_leaves_the_weights_of_a_spiking_step) {
  EXPECT_EQ(run(options(OnTrouble::kSkip)), StopReason::kDone);
  EXPECT_TRUE(heard().steps[23].skipped);
  EXPECT_EQ(trainer->state().updates, 29);
  ASSERT_EQ(heard().warnings.size(), 1U);
  EXPECT_THAT(heard().warnings[0], HasSubstr("the step is skipped, the weights are unchanged"));
  EXPECT_LT(heard().steps[24].losses.loss, heard().steps[22].losses.loss);  // as if nothing had been
}

TEST_F(Guards, rollback_restores_and_skips_the_samples) {
  TrainerOptions all = options(OnTrouble::kRollBack);
  all.checkpoint_folder = folder.path();
  all.save_every = 10;
  EXPECT_EQ(run(all), StopReason::kDone);
  EXPECT_EQ(trainer->state().step, 30);
  EXPECT_EQ(trainer->state().batches_skipped, 4);  // batches 20 to 23
  std::vector<std::int64_t> expected;
  for (std::int64_t i = 0; i < 34; ++i) expected.push_back(i);
  EXPECT_EQ(source->indices(), expected);  // none twice
  EXPECT_THAT(heard().warnings, ElementsAre(HasSubstr("rolling back to the last checkpoint"),
                                            HasSubstr("step-00000020.h5 and skips 4 global batches")));
  EXPECT_EQ(heard().steps.back().step, 30);

  // What is resumed after that does not see the spoilt batch either, and ends with the same bits.
  const auto straight = parts->weights();
  ToyRun resumed(all, *comm, {.same_batch = true}, 0.0);
  SpoiltSource other(resumed.source, 23);
  Trainer second(all, {resumed.context, *comm, resumed.network, other, nullptr, resumed.recorder});
  second.restore(checkpoint_path(folder.path(), 30));
  EXPECT_EQ(second.state().batches_skipped, 4);
  EXPECT_EQ(resumed.weights(), straight);
}

TEST_F(Guards, rollback_waits_for_the_checkpoint_in_progress) {
  TrainerOptions all = options(OnTrouble::kRollBack);
  all.checkpoint_folder = folder.path();
  all.save_every = 23;
  HeldBack disk(23, false);
  EXPECT_EQ(run(all, &disk), StopReason::kDone);
  EXPECT_EQ(trainer->state().batches_skipped, 1);  // the spoilt one alone
  EXPECT_THAT(heard().warnings, ElementsAre(HasSubstr("rolling back to the last checkpoint"),
                                            HasSubstr("step-00000023.h5 and skips 1 global batches")));
}

TEST_F(Guards, rollback_uses_the_previous_checkpoint_if_the_latest_fails) {
  TrainerOptions all = options(OnTrouble::kRollBack);
  all.checkpoint_folder = folder.path();
  all.save_every = 10;
  HeldBack disk(20, true);
  EXPECT_EQ(run(all, &disk), StopReason::kDone);
  EXPECT_EQ(trainer->state().batches_skipped, 14);  // batches 10 to 23
  EXPECT_THAT(heard().warnings, ElementsAre(HasSubstr("rolling back to the last checkpoint"),
                                            HasSubstr("step-00000020.h5 could not be written"),
                                            HasSubstr("step-00000010.h5 and skips 14 global batches")));
  EXPECT_EQ(trainer->state().step, 30);
  EXPECT_TRUE(std::filesystem::exists(checkpoint_path(folder.path(), 20)));  // of the second way there
}

TEST_F(Guards, rollback_without_a_checkpoint_fails) {
  TrainerOptions all = options(OnTrouble::kRollBack);
  all.checkpoint_folder = folder.path();
  EXPECT_THROW((void)run(all), Error);
}

TEST_F(Guards, loss_statistics_survive_a_resume) {
  TrainerOptions all = options(OnTrouble::kSkip);
  all.checkpoint_folder = folder.path();
  all.save_every = 22;
  (void)run(all);
  ToyRun resumed(all, *comm, {.same_batch = true}, 0.0);
  SpoiltSource other(resumed.source, 23);
  Trainer second(all, {resumed.context, *comm, resumed.network, other, nullptr, resumed.recorder});
  second.restore(checkpoint_path(folder.path(), 22));
  (void)second.run();
  EXPECT_EQ(resumed.recorder.warnings, heard().warnings);
  EXPECT_EQ(resumed.weights(), parts->weights());
}

TEST_F(Guards, rollback_truncates_the_metrics) {
  const std::string path = folder / "metrics.jsonl";
  MetricsFile file(path, 0);
  StepReport report;
  for (report.step = 1; report.step <= 5; ++report.step) file.step(report);
  file.rolled_back(3);
  report.step = 4;
  file.step(report);
  EXPECT_EQ(std::filesystem::file_size(path), 4 * (metrics_line(report).size() + 1));
}

TEST_F(Guards, pinv_residual_above_the_limit_is_warned_about_once_per_layer) {
  TrainerOptions all = toy_trainer(4);
  all.pinv_residual_every = 1;
  all.pinv_residual_limit = 1e-4;
  ToyRun strict(all, *comm);
  // Three landmark matrices are never inverted to 1e-4 by six steps where their rows are nearly equal.
  (void)strict.trainer->run();
  const double residual = strict.recorder.steps[0].pinv_residual_max[0];
  ASSERT_GT(residual, 1e-4);
  EXPECT_EQ(strict.recorder.warnings.size(), 2U);  // two layers
  EXPECT_THAT(strict.recorder.warnings[0], HasSubstr("At step 1 the pseudo-inverse residual of layer "));
  all.pinv_residual_limit = 2 * residual + 1;
  ToyRun lenient(all, *comm);
  (void)lenient.trainer->run();
  EXPECT_TRUE(lenient.recorder.warnings.empty());
}

TEST_F(Guards, wrong_arithmetic_is_detected_and_the_rank_named) {
  ToyRun run(toy_trainer(1), *comm);
  const StepBatch& batch = run.source.read(0);
  BatchBuffer buffer(run.source.limits());
  const ParameterStore& store = run.network.parameters();
  int times = 0;
  const auto compute = [&] {
    if (++times == 2)
      run.network.parameters().weights().span<float>()[3000] *= 1.0000002F;  // the planted fault
    run.network.parameters().zero_gradients(run.context);
    const Batch& uploaded = buffer.upload(arrays_of(batch.micro_batches.front()));
    run.network.forward(run.context, uploaded, {.training = true, .seed = 1}, {1, 1});
    run.network.backward(run.context, uploaded, {.training = true, .seed = 1}, {1, 1});
    std::vector<std::string> digests;
    const auto gradients = store.gradients().span<float>();
    digests.emplace_back(reinterpret_cast<const char*>(gradients.data()), gradients.size_bytes());
    return digests;
  };
  try {
    check_same_twice(
        *comm, compute, [](std::size_t) { return std::string("all"); }, 7);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_THAT(
        error.what(),
        HasSubstr(
            "At step 7 the same micro-batch gave different gradients of all when computed twice: Rank 0"));
  }
}

TEST_F(Guards, self_check_does_not_affect_training) {
  TrainerOptions all = toy_trainer(5);
  ToyRun plain(all, *comm);
  (void)plain.trainer->run();
  all.check_every = 1;
  ToyRun checked(all, *comm);
  (void)checked.trainer->run();
  EXPECT_EQ(plain.weights(), checked.weights());
  EXPECT_EQ(plain.recorder.steps.back().losses.loss, checked.recorder.steps.back().losses.loss);
}

}  // namespace
}  // namespace nystrom
