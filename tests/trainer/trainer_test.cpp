#include "trainer/trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <limits>

#include "send_signal.h"
#include "temporary_folder.h"
#include "toy_run.h"
#include "trainer/checkpoint/checkpoint.h"

namespace nystrom {
namespace {

using ::testing::HasSubstr;
using testing::toy_trainer;
using testing::ToyRun;

class TrainerTest : public ::testing::Test {
 protected:
  std::unique_ptr<Comm> comm = make_solo_comm();

  static void expect_equal_losses(const std::vector<StepReport>& a, const std::vector<StepReport>& b) {
    ASSERT_EQ(a.size(), b.size());
    for (std::size_t i = 0; i < a.size(); ++i) {
      EXPECT_EQ(a[i].step, b[i].step);
      EXPECT_EQ(a[i].losses.loss, b[i].losses.loss) << "step " << a[i].step;
      EXPECT_EQ(a[i].gradient_norm, b[i].gradient_norm) << "step " << a[i].step;
    }
  }
};

TEST_F(TrainerTest, initial_loss_is_log_vocabulary) {
  ToyRun run(toy_trainer(1), *comm);
  (void)run.trainer->run();
  const Losses& losses = run.recorder.steps.at(0).losses;
  ASSERT_EQ(losses.terms.size(), 2U);
  EXPECT_NEAR(losses.terms[0].loss, std::log(static_cast<double>(testing::kToyVocabulary)), 0.2);
  EXPECT_NEAR(losses.terms[1].loss, std::log(2.0), 0.1);
  EXPECT_DOUBLE_EQ(losses.loss, losses.terms[0].loss + losses.terms[1].loss);
  EXPECT_EQ(run.recorder.reasons, std::vector{StopReason::kDone});
}

TEST_F(TrainerTest, training_is_deterministic) {
  constexpr int kThreads = 2;
  ToyRun a(toy_trainer(5), *comm, {}, 0.1, HeadKind::kPretraining, kThreads);
  ToyRun b(toy_trainer(5), *comm, {}, 0.1, HeadKind::kPretraining, kThreads);
  (void)a.trainer->run();
  (void)b.trainer->run();
  expect_equal_losses(a.recorder.steps, b.recorder.steps);
  EXPECT_EQ(a.weights(), b.weights());
}

TEST_F(TrainerTest, micro_batch_changes_only_rounding) {
  ToyRun whole(toy_trainer(6), *comm, {.micro_batch = 8});
  (void)whole.trainer->run();
  for (const std::int64_t micro_batch : {1, 3}) {
    ToyRun parts(toy_trainer(6), *comm, {.micro_batch = micro_batch});
    (void)parts.trainer->run();
    for (std::size_t i = 0; i < 6; ++i)
      EXPECT_NEAR(parts.recorder.steps[i].losses.loss / whole.recorder.steps[i].losses.loss, 1, 1e-5)
          << "micro-batch " << micro_batch << ", step " << i + 1;
    EXPECT_LT(testing::distance(parts.weights(), whole.weights()), 1e-4);
  }
}

TEST_F(TrainerTest, one_batch_can_be_overfitted) {
  TrainerOptions options = toy_trainer(150);
  options.schedule.kind = "constant";
  ToyRun run(options, *comm, {.same_batch = true}, 0);
  (void)run.trainer->run();
  const Losses& last = run.recorder.steps.back().losses;
  EXPECT_LT(last.loss, 0.1);
  EXPECT_EQ(last.terms[0].accuracy, 1);
  EXPECT_EQ(last.terms[1].accuracy, 1);
}

TEST_F(TrainerTest, resume_is_bit_exact) {
  const testing::TemporaryFolder folder;
  TrainerOptions options = toy_trainer(7);
  options.checkpoint_folder = folder.path();
  options.save_every = 3;
  options.keep = {.newest = 10};
  ToyRun straight(options, *comm);
  (void)straight.trainer->run();
  ASSERT_EQ(straight.recorder.saves.size(), 3U);  // 3, 6, and the last

  ToyRun resumed(options, *comm);
  resumed.network.initialize(99);  // all that counts comes from the checkpoint
  resumed.trainer->restore(checkpoint_path(folder.path(), 3));
  EXPECT_EQ(resumed.trainer->state().step, 3);
  EXPECT_EQ(resumed.trainer->run(), StopReason::kDone);
  expect_equal_losses(resumed.recorder.steps,
                      {straight.recorder.steps.begin() + 3, straight.recorder.steps.end()});
  EXPECT_EQ(resumed.weights(), straight.weights());
  EXPECT_EQ(resumed.trainer->state().samples, straight.trainer->state().samples);
}

TEST_F(TrainerTest, averaged_weights_are_evaluated_and_training_does_not_see_them) {
  const testing::TemporaryFolder folder;
  TrainerOptions options = toy_trainer(6);
  ToyRun plain(options, *comm);
  (void)plain.trainer->run();
  options.optimizer.ema_decay = 0.7;
  options.evaluated_weights = EvaluatedWeights::kAveraged;
  options.validate_every = 3;
  options.checkpoint_folder = folder.path();
  ToyRun averaged(options, *comm);
  (void)averaged.trainer->run();
  EXPECT_EQ(averaged.weights(), plain.weights());

  ToyRun other(options, *comm);
  CheckpointReader reader(checkpoint_path(folder.path(), 6));
  reader.use_average();
  reader.load_weights(other.network.parameters());
  EXPECT_NE(other.weights(), averaged.weights());
  BatchBuffer buffer(other.validation.limits(), other.context);
  const Losses losses = evaluate(other.context, *comm, other.network, buffer, other.validation,
                                 options.validation_batches, options.objective);
  EXPECT_EQ(averaged.recorder.validations.back().losses.loss, losses.loss);
}

TEST_F(TrainerTest, an_evaluation_of_averaged_weights_that_fails_leaves_those_of_training) {
  TrainerOptions options = toy_trainer(3);
  options.optimizer.ema_decay = 0.7;
  options.evaluated_weights = EvaluatedWeights::kAveraged;
  ToyRun run(options, *comm);
  (void)run.trainer->run();
  const std::vector<float> trained = run.weights();
  std::vector<float> evaluated;
  EXPECT_THROW(run.trainer->with_evaluated_weights([&] {
    evaluated = run.weights();
    fail("The evaluation failed.");
  }),
               Error);
  EXPECT_NE(evaluated, trained);
  EXPECT_EQ(run.weights(), trained);
  run.trainer->with_evaluated_weights([&] { EXPECT_EQ(run.weights(), evaluated); });
}

TEST_F(TrainerTest, a_checkpoint_without_averaged_weights_is_refused) {
  const testing::TemporaryFolder folder;
  TrainerOptions options = toy_trainer(1);
  options.checkpoint_folder = folder.path();
  ToyRun run(options, *comm);
  (void)run.trainer->run();
  CheckpointReader reader(checkpoint_path(folder.path(), 1));
  EXPECT_THROW(reader.use_average(), InputError);
}

TEST_F(TrainerTest, a_decay_is_branched_off_any_checkpoint) {
  const testing::TemporaryFolder folder;
  TrainerOptions main = toy_trainer(8);
  main.schedule = {.kind = "wsd", .warmup_steps = 2};
  main.checkpoint_folder = folder.path();
  main.save_every = 4;
  ToyRun trunk(main, *comm);
  (void)trunk.trainer->run();
  TrainerOptions decay = main;
  decay.steps = 7;
  decay.schedule.decay_steps = 3;
  decay.checkpoint_folder.clear();
  ToyRun straight(decay, *comm), branch(decay, *comm);
  (void)straight.trainer->run();
  branch.trainer->restore(checkpoint_path(folder.path(), 4));
  (void)branch.trainer->run();
  EXPECT_EQ(branch.weights(), straight.weights());
  EXPECT_DOUBLE_EQ(branch.recorder.steps.back().learning_rate, 0.25 * decay.optimizer.learning_rate);
}

/// Raises a signal when a step is reported.
class Raiser final : public Observer {
 public:
  Raiser(std::int64_t step, int signal) : step_(step), signal_(signal) {}
  void step(const StepReport& report) override {
    if (report.step == step_) testing::send_signal(signal_);
  }

 private:
  std::int64_t step_;
  int signal_;
};

class SignalTest : public TrainerTest {
 protected:
  StopReason run_with(int signal) {
    options.checkpoint_folder = folder.path();
    options.keep = {.newest = 10};
    ToyRun parts(options, *comm);
    Raiser raiser(2, signal);
    Observers both;
    both.add(raiser);
    both.add(recorder);
    Trainer trainer(options, {parts.context, *comm, parts.network, parts.source, nullptr, both});
    return trainer.run();
  }
  const testing::TemporaryFolder folder;
  TrainerOptions options = toy_trainer(6);
  testing::Recorder recorder;
};

TEST_F(SignalTest, sigterm_saves_and_stops) {
  EXPECT_EQ(run_with(SIGTERM), StopReason::kStopped);
  EXPECT_EQ(recorder.steps.back().step, 3);  // the step under way is finished
  EXPECT_EQ(recorder.saves, std::vector{checkpoint_path(folder.path(), 3)});
  EXPECT_EQ(recorder.reasons, std::vector{StopReason::kStopped});
}

TEST_F(SignalTest, sigint_saves_and_stops) {
  EXPECT_EQ(run_with(SIGINT), StopReason::kStopped);
  EXPECT_EQ(recorder.saves.size(), 1U);
}

TEST_F(SignalTest, sigusr1_saves_and_continues) {
  EXPECT_EQ(run_with(SIGUSR1), StopReason::kDone);
  EXPECT_EQ(recorder.steps.back().step, 6);
  EXPECT_EQ(recorder.saves,
            (std::vector{checkpoint_path(folder.path(), 3), checkpoint_path(folder.path(), 6)}));
}

class NonfiniteTest : public TrainerTest {
 protected:
  /// A run in which a weight that the loss depends on is not a number after the first step.
  static void poison(ToyRun& run) {
    const Parameter* parameter = run.network.parameters().find("cls.predictions.transform.dense.weight");
    run.network.parameters().weights().span<float>()[static_cast<std::size_t>(parameter->offset)] =
        std::numeric_limits<float>::quiet_NaN();
  }
};

TEST_F(NonfiniteTest, stop_names_step_and_tensor_and_saves_nothing) {
  const testing::TemporaryFolder folder;
  TrainerOptions options = toy_trainer(3);
  options.checkpoint_folder = folder.path();
  ToyRun run(options, *comm);
  (void)run.trainer->step();
  poison(run);
  try {
    (void)run.trainer->run();
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("At step 2 the gradient of cls.predictions"));
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST_F(NonfiniteTest, skip_leaves_weights_unchanged_and_warns) {
  TrainerOptions options = toy_trainer(3);
  options.on_nonfinite = OnTrouble::kSkip;
  ToyRun run(options, *comm);
  poison(run);
  const auto before = run.weights();
  const StepReport report = run.trainer->step();
  EXPECT_TRUE(report.skipped);
  EXPECT_EQ(run.trainer->state().step, 1);
  EXPECT_EQ(run.trainer->state().updates, 0);
  ASSERT_EQ(run.recorder.warnings.size(), 1U);
  EXPECT_THAT(run.recorder.warnings[0], HasSubstr("At step 1"));
  EXPECT_EQ(std::memcmp(before.data(), run.weights().data(), before.size() * sizeof(float)), 0);
}

TEST_F(TrainerTest, without_sop_labels_there_is_no_sop_loss_and_its_weights_are_unchanged) {
  TrainerOptions options = toy_trainer(2);
  options.optimizer.weight_decay = 0;
  ToyRun run(options, *comm, {.sentence_order = false});
  const auto before = run.weights();
  (void)run.trainer->run();
  const auto after = run.weights();
  ASSERT_EQ(run.recorder.steps[0].losses.terms.size(), 1U);
  EXPECT_EQ(run.recorder.steps[0].losses.terms[0].name, "mlm");
  const Parameter* parameter = run.network.parameters().find("cls.seq_relationship.weight");
  for (std::int64_t i = parameter->offset; i < parameter->offset + parameter->numel(); ++i)
    EXPECT_EQ(after[static_cast<std::size_t>(i)], before[static_cast<std::size_t>(i)]);
}

TEST_F(TrainerTest, masked_lm_head_has_one_loss) {
  ToyRun run(toy_trainer(2), *comm, {}, 0.1, HeadKind::kMaskedLm);
  (void)run.trainer->run();
  EXPECT_EQ(run.recorder.steps[1].losses.terms.size(), 1U);
}

TEST_F(TrainerTest, validation_is_deterministic_and_does_not_affect_training) {
  TrainerOptions options = toy_trainer(4);
  options.validate_every = 2;
  ToyRun with(options, *comm), without(toy_trainer(4), *comm);
  (void)with.trainer->run();
  (void)without.trainer->run();
  EXPECT_EQ(with.weights(), without.weights());
  ASSERT_EQ(with.recorder.validations.size(), 2U);
  EXPECT_EQ(with.recorder.validations[1].step, 4);
  BatchBuffer buffer(with.source.limits());
  const Losses again =
      evaluate(with.context, *comm, with.network, buffer, with.validation, 50, options.objective);
  EXPECT_EQ(again.loss, with.recorder.validations[1].losses.loss);
}

TEST_F(TrainerTest, pinv_residuals_are_reported_when_due) {
  TrainerOptions options = toy_trainer(4);
  options.pinv_residual_every = 2;
  ToyRun run(options, *comm, {.micro_batch = 3});
  (void)run.trainer->run();
  EXPECT_TRUE(run.recorder.steps[0].pinv_residual_mean.empty());
  const StepReport& report = run.recorder.steps[1];
  ASSERT_EQ(report.pinv_residual_mean.size(), 2U);
  for (std::size_t layer = 0; layer < 2; ++layer) {
    EXPECT_GT(report.pinv_residual_mean[layer], 0);
    EXPECT_LE(report.pinv_residual_mean[layer], report.pinv_residual_max[layer]);
  }
}

TEST_F(TrainerTest, failed_checkpoint_is_a_warning_except_the_last) {
  const testing::TemporaryFolder folder;
  TrainerOptions options = toy_trainer(3);
  options.checkpoint_folder = (folder / "gone");
  options.save_every = 2;
  ToyRun run(options, *comm);
  try {
    (void)run.trainer->run();
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("step-00000003.h5 could not be written"));
  }
  ASSERT_EQ(run.recorder.warnings.size(), 1U);
  EXPECT_THAT(run.recorder.warnings[0], HasSubstr("step-00000002.h5 could not be written"));
}

}  // namespace
}  // namespace nystrom
