#include "trainer/finetune.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>
#include <optional>

#include "kernels/core/files.h"
#include "model/compute_session.h"
#include "trainer/checkpoint/checkpoint.h"
#include "trainer/comm/threads.h"
#include "trainer/run/run_directory.h"
#include "trainer/run/run_files.h"
#include "trainer/run/run_session.h"
#include "trainer/tasks/answers.h"
#include "trainer/tasks/in_batch_options.h"
#include "trainer/tasks/task_details.h"
#include "trainer/tasks/task_outputs.h"
#include "trainer/tasks/task_results.h"
#include "trainer/tasks/task_source.h"

namespace nystrom {
namespace {

namespace fs = std::filesystem;

/// The task's data, encoded; the same on every rank.
struct TaskData {
  std::unique_ptr<Task> task;
  std::unique_ptr<TaskSplit> train;
  Splits validation, test;

  [[nodiscard]] std::vector<const TaskSplit*> all() const {
    std::vector<const TaskSplit*> splits;
    if (train) splits.push_back(train.get());
    for (const auto* part : {&validation, &test})
      for (const auto& split : *part) splits.push_back(split.get());
    return splits;
  }
};

/// Refuses a model whose embeddings are not those of the task's tokens.
void check_tokens(const FinetuneOptions& options, const TaskInfo& task) {
  if (task.vocabulary == 0 && options.tokenizer.empty())
    refuse("There is no tokenizer: neither the model that `model.from` names nor `tokenizer.path` has one.");
  const std::int64_t tokens = task.vocabulary > 0 ? task.vocabulary : options.tokenizer.vocabulary_size();
  if (tokens > options.run.model.vocabulary_size)
    refuse("{} {} tokens, but the model embeds {}: it was trained with other tokens.",
           task.vocabulary > 0 ? task.name + " has" : std::string("The tokenizer has"), tokens,
           options.run.model.vocabulary_size);
}

TaskData load_data(const FinetuneOptions& options, bool training) {
  TaskData data{.task = open_task(options.task), .train = {}, .validation = {}, .test = {}};
  check_tokens(options, data.task->info());
  const TextEncoder encoder(options.tokenizer, options.run.sequence_length);
  if (training) {
    auto train = data.task->load(Split::kTrain, encoder);
    if (train.empty() || train.front()->rows() == 0)
      refuse("{} has no training examples.", data.task->info().name);
    data.train = std::move(train.front());
  }
  data.validation = data.task->load(Split::kValidation, encoder);
  data.test = data.task->load(Split::kTest, encoder);
  if (data.all().empty()) refuse("{} has no examples to evaluate or predict.", data.task->info().name);
  return data;
}

class Finetuning {
 public:
  Finetuning(const FinetuneOptions& options, Comm& comm, Observer& observer, bool training)
      : options_(options),
        comm_(comm),
        speaker_(comm.rank() == 0 ? observer : nobody_),
        data_(load_data(options, training)),
        metric_(chosen_metric(info(), options.metric)),
        session_(options.run.device ? options.run.device(comm) : Device(),
                 threads_of_rank(comm, options.run.threads),
                 {.model = options.run.model,
                  .head = head_for(info()),
                  .precision = options.run.precision,
                  .training = training}),
        reduction_(make_device_reduction(session_.device, comm, options.run.communication)),
        observer_(observer) {
    if (training) source_.emplace(*data_.train, info().answer, source_options());
    if (training) weigh_classes();
    if (training && options.patience > 0 && data_.validation.empty())
      speaker_.note("`training.patience` is ignored: the task has no validation split.");
    for (const auto* split : data_.all())
      for (const auto& note : split->notes()) speaker_.note(note);
    for (const auto& warning : thread_warnings(comm, session_.context.host_threads(), options.run.threads,
                                               session_.device.is_gpu()))
      speaker_.warning(warning);
  }

  StopReason train() {
    TrainerOptions trainer_options = options_of_trainer();
    require_same_start(options_.run, comm_);
    // Signals are handled during training and between its parts.
    RunSession session({.directory = options_.run.directory,
                        .stop_after_seconds = options_.run.stop_after_seconds,
                        .report = options_.run.report,
                        .takeover = options_.run.takeover},
                       comm_, speaker_);
    require_lock_ = [&session] { session.require_lock(); };
    trainer_options.stop_reason = [&session] { return session.stop_reason(); };
    trainer_options.profile.before_writing = require_lock_;
    resume_ =
        choose_resume_point(options_.run, trainer_options.identity, comm_, speaker_, prepare_run_directory);
    session.begin();
    if (resume_.checkpoint.empty()) start_fresh();
    plan();

    // Filled below: where to truncate the metrics file is known after restoring. They outlive the trainer,
    // whose last checkpoint waits for them.
    Observers observers;
    std::optional<RunFiles> files;
    LossMeter meter;
    Trace trace;
    Trainer trainer(trainer_options, {session_.context, comm_, session_.network, *source_, nullptr, observers,
                                      reduction_.get(), nullptr, &trace});
    if (!resume_.checkpoint.empty()) trainer.restore(resume_.checkpoint);
    if (comm_.rank() == 0) {
      require_lock_();
      publish_configuration(options_.run.directory, trainer_options.identity.configuration);
      files.emplace(options_.run.directory, trainer.state().step, observer_, require_lock_);
      files->describe(trainer_options.identity.configuration, trainer_options.identity.settings,
                      options_.run.defaults);
      observers.add(files->all());
      observers.add(meter);
    }
    read_history(trainer.state().step);
    observers.started(run_info(trainer_options, trainer.state().step));
    const StopReason why = run_intervals(trainer, trainer_options, observers, meter);
    if (why == StopReason::kDone) conclude(trainer);
    return why;
  }

  StartReport check(const TimingPlan& timing) {
    TrainerOptions o = options_of_trainer();
    require_same_start(options_.run, comm_);
    resume_ = choose_resume_point(options_.run, o.identity, comm_, speaker_, check_run_directory);
    if (resume_.checkpoint.empty()) start_fresh();
    plan();

    TaskSourceOptions to_time = source_options();
    to_time.global_batch = timed_batch(to_time.global_batch, micro_batch_, comm_.ranks());
    TaskSource source(*data_.train, info().answer, to_time);
    StepMeter meter;
    Trainer trainer(timing_options(o, timing.steps),
                    {session_.context, comm_, session_.network, source, nullptr, meter, reduction_.get()});
    if (!resume_.checkpoint.empty()) trainer.restore(resume_.checkpoint);
    StartReport report = start_report(o, trainer.state());
    if (report.sequences_left > 0)
      report.timed = meter.measure(trainer, steps_to_time(timing, report, comm_));
    return report;
  }

  std::string score_only() {
    start_fresh();
    plan();
    return write_results({.step = 0, .steps = options_.from_step});
  }

 private:
  void weigh_classes() {
    const std::vector<float> weights = class_weights(options_.task, info(), *data_.train);
    if (!weights.empty()) session_.network.head().set_label_weights(weights);
  }

  struct Progress {
    std::int64_t step = 0;  // of the best checkpoint; 0: none was chosen
    std::int64_t steps = 0;
  };

  /// Mean training loss since the last take().
  class LossMeter final : public Observer {
   public:
    void step(const StepReport& report) override {
      sum_ += report.losses.loss;
      ++count_;
    }
    double take() {
      const double mean = count_ > 0 ? sum_ / static_cast<double>(count_) : std::nan("");
      sum_ = 0;
      count_ = 0;
      return mean;
    }

   private:
    double sum_ = 0;
    std::int64_t count_ = 0;
  };

  [[nodiscard]] const TaskInfo& info() const { return data_.task->info(); }
  [[nodiscard]] bool writes() const { return !options_.run.directory.empty(); }
  [[nodiscard]] std::string path(const char* name) const { return options_.run.directory + "/" + name; }
  [[nodiscard]] std::string best_path() const {
    return checkpoint_folder(options_.run.directory) + "/best.h5";
  }

  [[nodiscard]] TaskSourceOptions source_options() const {
    const std::int64_t share = (options_.run.global_batch + comm_.ranks() - 1) / comm_.ranks();
    return {.seed = options_.run.trainer.seed,
            .global_batch = options_.run.global_batch,
            .micro_batch = options_.run.micro_batch > 0 ? std::min(options_.run.micro_batch, share)
                                                        : automatic_rows(*data_.all().front(), share),
            .rank = comm_.rank(),
            .ranks = comm_.ranks()};
  }

  [[nodiscard]] TrainerOptions options_of_trainer() const {
    TrainerOptions o = options_.run.trainer;
    if (info().answer == AnswerKind::kVector) {
      o.in_batch = in_batch_options(options_.task, info(), *data_.train, options_.run.global_batch,
                                    options_.run.model.hidden_size);
      o.objective.weights[0] =
          static_cast<double>(o.in_batch->sizes.size());  // its sums count a row once per size
    }
    if (options_.epochs > 0) o.steps = options_.epochs * source_->steps_per_epoch();
    o.save_every = interval();
    o.checkpoint_folder = checkpoint_folder(options_.run.directory);
    o.identity.settings["task.label_names"] = label_names_text(info().labels);
    o.identity.settings["task.examples"] = task_examples_text(*data_.train);
    if (info().answer == AnswerKind::kSpan)
      o.identity.settings["task.unanswerable"] = info().unanswerable ? "true" : "false";
    if (const auto pairs = data_.train->pairs()) o.identity.settings["task.pair"] = *pairs ? "true" : "false";
    if (options_.warmup_share > 0)
      o.schedule.warmup_steps = std::llround(options_.warmup_share * static_cast<double>(o.steps));
    check_trainer_options(o);
    return o;
  }

  /// Steps between evaluations, each of which has a checkpoint.
  [[nodiscard]] std::int64_t interval() const {
    return options_.evaluate_every > 0 ? options_.evaluate_every : source_->steps_per_epoch();
  }
  [[nodiscard]] std::string_view interval_name() const {
    return options_.evaluate_every > 0 ? "evaluation" : "epoch";
  }
  /// Sequences of the first `steps` steps.
  [[nodiscard]] std::int64_t sequences_of(std::int64_t steps) const {
    const std::int64_t per_epoch = source_->steps_per_epoch(), rows = data_.train->rows();
    return (steps / per_epoch * rows + std::min(steps % per_epoch * options_.run.global_batch, rows)) *
           data_.train->choices();
  }

  void start_fresh() {
    session_.network.initialize(options_.run.trainer.seed);
    if (options_.run.start_from) options_.run.start_from(session_.network);
  }

  void plan() {
    micro_batch_ = source_options().micro_batch;
    BatchLimits limits;
    for (const auto* split : data_.all()) limits = joined(limits, limits_of(*split, micro_batch_));
    session_.plan(limits, options_.run.recompute);
  }

  [[nodiscard]] RunInfo run_info(const TrainerOptions& o, std::int64_t step) const {
    return {.first_step = step + 1,
            .steps = o.steps,
            .parameters = session_.network.parameters().values(),
            .global_batch = options_.run.global_batch,
            .micro_batch = micro_batch_,
            .ranks = comm_.ranks(),
            .threads = session_.context.host_threads(),
            .precision = std::string(name_of(options_.run.precision)),
            .activation_bytes = session_.network.arena().bytes(),
            .state_bytes =
                nystrom::state_bytes(o.optimizer, session_.network.parameters(), o.zero ? comm_.ranks() : 1),
            .resumed_from = resume_.checkpoint,
            .departure = resume_.departure,
            .over = out_of_patience() ? over_text(step, o.steps) : "",
            .corpora = {{data_.train->name(), 1.0, data_.train->rows() * data_.train->choices()}}};
  }

  /// Of a run that is started again after `training.patience` ended it.
  [[nodiscard]] std::string over_text(std::int64_t step, std::int64_t steps) const {
    return fmt::format(
        "The run was done before: it ended after step {} of {}, {} {}s without a better {} "
        "(`training.patience`); there is nothing to train. Its model is {}.",
        step, steps, options_.patience, interval_name(), metric_, best_path());
  }

  [[nodiscard]] StartReport start_report(const TrainerOptions& o, const RunState& state) const {
    StartReport report{.backend = session_.device.kind(), .info = run_info(o, state.step)};
    report.memory = memory_parts({.network = session_.network,
                                  .optimizer = o.optimizer,
                                  .state_ranks = o.zero ? comm_.ranks() : 1,
                                  .bf16_sums = o.bf16_reduction && comm_.ranks() > 1,
                                  .limits = session_.limits,
                                  .in_batch = o.in_batch});
    report.checkpoint_bytes = checkpoint_bytes(session_.network, o.optimizer);
    report.sequences_left = std::max<std::int64_t>(sequences_of(o.steps) - state.samples, 0);
    report.epochs = {{data_.train->name(),
                      static_cast<double>(o.steps) / static_cast<double>(source_->steps_per_epoch())}};
    for (const auto* split : data_.all()) report.rows.emplace_back(split->name(), split->rows());
    return report;
  }

  /// Evaluations up to the checkpoint's step.
  void read_history(std::int64_t step) {
    std::string text;
    if (comm_.rank() == 0) text = try_read_file(path("evaluations.json")).value_or("");
    history_ = read_evaluations(comm_.broadcast_text(std::move(text), 0, "the evaluations so far"));
    std::erase_if(history_, [step](const TaskEvaluation& e) { return e.step > step; });
  }

  StopReason run_intervals(Trainer& trainer, const TrainerOptions& o, Observer& observers, LossMeter& meter) {
    while (true) {
      const std::int64_t step = trainer.state().step;
      const bool due = step > 0 && (step % interval() == 0 || step >= o.steps);
      const bool scored = !history_.empty() && history_.back().step == step;
      if (due && !scored) trainer.with_evaluated_weights([&] { score(step, observers, meter.take()); });
      if (step >= o.steps || out_of_patience()) return StopReason::kDone;
      if (trainer.run_until((step / interval() + 1) * interval()) == StopReason::kStopped)
        return StopReason::kStopped;
    }
  }

  /// Scores the validation splits; a checkpoint that is better than all before becomes best.h5.
  void score(std::int64_t step, Observer& observers, double training_loss) {
    if (data_.validation.empty()) return;
    TaskEvaluation evaluation{step, step / source_->steps_per_epoch(), training_loss, 0, {}};
    StepClock clock;
    for (const auto& split : data_.validation) {
      const SplitOutputs result = outputs_of(*split);
      if (&split == &data_.validation.front()) evaluation.validation_loss = result.loss;
      if (split->labelled()) evaluation.splits.push_back({split->name(), split->score(result.outputs)});
    }
    history_.push_back(std::move(evaluation));
    if (comm_.rank() != 0) return;
    require_lock_();
    report(observers, clock.take_elapsed());
    if (const auto best = best_of(history_, metric_); best && *best + 1 == history_.size()) keep_best(step);
    write_file(path("evaluations.json"), evaluations_text(history_));
  }

  void report(Observer& observers, double seconds) const {
    const TaskEvaluation& latest = history_.back();
    ValidationReport report{.step = latest.step, .losses = {latest.validation_loss, {}}, .seconds = seconds};
    for (const auto& split : latest.splits)
      for (const auto& score : split.scores)
        report.scores.emplace_back(split.split == "validation" ? score.name : split.split + "_" + score.name,
                                   score.value);
    observers.validated(report);
  }

  /// A fork at an evaluated step starts from the checkpoint of another directory.
  void keep_best(std::int64_t step) const {
    std::string from = checkpoint_path(checkpoint_folder(options_.run.directory), step);
    if (!fs::exists(from)) from = resume_.checkpoint;
    const std::string temporary = temporary_name(best_path());
    std::error_code problem;
    fs::copy_file(from, temporary, problem);
    if (problem) fail("{} cannot be copied to {}: {}.", from, best_path(), problem.message());
    publish_file(temporary, best_path());
  }

  [[nodiscard]] bool out_of_patience() const {
    const auto best = best_of(history_, metric_);
    return options_.patience > 0 && best &&
           static_cast<std::int64_t>(history_.size() - 1 - *best) >= options_.patience;
  }

  void conclude(Trainer& trainer) {
    const std::int64_t steps = trainer.state().step;
    std::int64_t best = 0;
    if (const auto chosen = best_of(history_, metric_)) {
      best = history_[*chosen].step;
      trainer.restore(best_path());
    } else if (!history_.empty()) {
      speaker_.note(fmt::format("{0} was undefined after every {1}; the last {1}'s weights are kept.",
                                metric_, interval_name()));
    }
    trainer.with_evaluated_weights([&] { (void)write_results({.step = best, .steps = steps}); });
  }

  SplitOutputs outputs_of(const TaskSplit& split) {
    return compute_outputs(session_, comm_, split, info().answer);
  }

  std::string write_results(const Progress& progress) {
    TaskResults results{.task = info().name,
                        .model = options_.from.empty() ? "drawn from the seed" : options_.from,
                        .metric = metric_,
                        .data = data_.task->data(),
                        .seed = options_.run.trainer.seed,
                        .best_step = progress.step,
                        .steps = progress.steps,
                        .splits = {}};
    TaskDetails details;
    if (comm_.rank() == 0 && writes()) fs::create_directories(options_.run.directory);
    const Splits& predicted = data_.test.empty() ? data_.validation : data_.test;
    for (const auto* part : {&data_.validation, &data_.test})
      for (const auto& split : *part) {
        const SplitOutputs result = outputs_of(*split);
        if (split->labelled()) {
          results.splits.push_back({split->name(), split->score(result.outputs)});
          details.confusions.emplace_back(split->name(), split->confusion(result.outputs));
          details.scatters.emplace_back(split->name(), split->points(result.outputs));
          add_judgements(*split, result.outputs, details);
        }
        if (comm_.rank() != 0 || !writes() || part != &predicted) continue;
        require_lock_();
        write_predictions(*split, result.outputs, predicted);
      }
    const std::string text = results_text(results);
    if (comm_.rank() == 0 && writes()) {
      require_lock_();
      write_file(path("results.json"), text);
      write_file(path("details.json"), task_details_text(details));
    }
    return text;
  }

  void add_judgements(const TaskSplit& split, const Outputs& outputs, TaskDetails& details) const {
    const std::vector<Judgement> judgements = judgements_of(split.predictions(outputs));
    details.calibrations.emplace_back(split.name(), calibration_of(judgements));
    std::vector<WorstExample> worst;
    for (const std::size_t i : worst_of(judgements)) {
      const Judgement& one = judgements[i];
      worst.push_back({.id = one.id,
                       .text = beginning_of(split, one.row),
                       .truth = one.truth,
                       .prediction = one.prediction,
                       .loss = one.loss});
    }
    details.worst.emplace_back(split.name(), std::move(worst));
  }

  /// The first words of a row; empty where its tokens are not text.
  [[nodiscard]] std::string beginning_of(const TaskSplit& split, std::size_t row) const {
    constexpr std::size_t kTokens = 80;
    if (options_.tokenizer.empty()) return {};
    std::vector<std::int32_t> ids = split.sequence(row * static_cast<std::size_t>(split.choices())).ids;
    const bool is_cut = ids.size() > kTokens;
    ids.resize(std::min(ids.size(), kTokens));
    return options_.tokenizer.decode(ids) + (is_cut ? " …" : "");
  }

  void write_predictions(const TaskSplit& split, const Outputs& outputs, const Splits& all) const {
    const bool first = &split == all.front().get();
    const std::string name = first ? "predictions.tsv" : "predictions-" + split.name() + ".tsv";
    write_file(path(name.c_str()), tsv_text(split.predictions(outputs)));
    const LeaderboardFile leaderboard = split.leaderboard(outputs);
    if (leaderboard.file.empty()) return;
    fs::create_directories(path("leaderboard"));
    write_file(path("leaderboard/") + leaderboard.file, tsv_text(leaderboard.table));
  }

  const FinetuneOptions& options_;
  Comm& comm_;
  Observer nobody_;
  Observer& speaker_;
  TaskData data_;
  std::string metric_;
  ComputeSession session_;
  std::unique_ptr<DeviceReduction> reduction_;
  std::optional<TaskSource> source_;  // where there is training
  Observer& observer_;
  std::int64_t micro_batch_ = 1;
  std::vector<TaskEvaluation> history_;
  ResumePoint resume_;
  std::function<void()> require_lock_ = [] {};  // RunSession::require_lock, where there is a session
};

void check_options(const FinetuneOptions& options) {
  NYSTROM_CHECK((options.epochs >= 1 || options.run.trainer.steps >= 1) && options.run.global_batch >= 1,
                "{} epochs or {} steps of batches of {}", options.epochs, options.run.trainer.steps,
                options.run.global_batch);
  if (options.run.sequence_length > options.run.model.max_positions)
    refuse("`data.sequence_length` ({}) is above `model.max_positions` ({}); lower it.",
           options.run.sequence_length, options.run.model.max_positions);
}

}  // namespace

StopReason finetune(const FinetuneOptions& options, Comm& comm, Observer& observer) {
  check_options(options);
  return Finetuning(options, comm, observer, true).train();
}

StartReport check_finetuning(const FinetuneOptions& options, const TimingPlan& plan, Comm& comm,
                             Observer& observer) {
  check_options(options);
  return Finetuning(options, comm, observer, true).check(plan);
}

std::string evaluate_task(const FinetuneOptions& options, Comm& comm, Observer& observer) {
  check_options(options);
  return Finetuning(options, comm, observer, false).score_only();
}

}  // namespace nystrom
