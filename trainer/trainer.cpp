#include "trainer/trainer.h"

#include <algorithm>
#include <cmath>

#include "kernels/matmul.h"
#include "trainer/checkpoint/restore.h"
#include "trainer/guards/consistency.h"
#include "trainer/guards/self_check.h"
#include "trainer/process/signals.h"

namespace nystrom {
namespace {

constexpr std::size_t kWholeMicroBatch = 0, kFirstSegment = 1;  // slots of captured ops

bool is_due(std::int64_t step, std::int64_t every) {
  return every > 0 && step % every == 0;
}

/// weight / labels of the whole global batch; a loss without labels has no gradient.
LossScales loss_scales(const Objective& objective, std::span<const double> labels) {
  LossScales scales{};
  for (std::size_t i = 0; i < scales.size(); ++i)
    scales[i] = labels[i] > 0 ? objective.weights[i] / labels[i] : 0;
  return scales;
}

/// Where gradients are summed; empty: on every rank.
std::span<const std::int64_t> shards_of(const Optimizer& optimizer) {
  const ZeroPartition& partition = optimizer.partition();
  return partition.sharded() ? partition.begins() : std::span<const std::int64_t>();
}

ZeroPartition partition_of(const TrainerOptions& options, const ParameterStore& store, const Comm& comm) {
  return optimizer_partition(options.optimizer, store, options.zero ? comm.rank() : 0,
                             options.zero ? comm.ranks() : 1);
}

BatchLimits limits_of(const BatchSource& training, const BatchSource* validation) {
  return validation == nullptr ? training.limits() : joined(training.limits(), validation->limits());
}

}  // namespace

void check_trainer_options(const TrainerOptions& options) {
  check_schedule(options.schedule, options.steps);
  if (options.evaluated_weights == EvaluatedWeights::kAveraged && options.optimizer.ema_decay == 0)
    refuse(
        "`evaluation.weights` is ema, but `training.ema_decay` is 0, so there are no averaged weights; set it, "
        "to 0.999 for example.");
  if (options.in_batch && options.noise_scale_every > 0)
    refuse(
        "`run.noise_scale_every` is {}, but the loss of embeddings couples all rows of a batch, so a "
        "micro-batch's gradient does not estimate its noise; set it to 0.",
        options.noise_scale_every);
}

Trainer::Trainer(const TrainerOptions& options, const TrainerDependencies& dependencies)
    : options_(options),
      context_(dependencies.context),
      comm_(dependencies.comm),
      network_(dependencies.network),
      store_(network_.parameters()),
      batches_(dependencies.batches),
      validation_batches_(dependencies.validation),
      observer_(dependencies.observer),
      reduction_(dependencies.reduction),
      optimizer_(make_optimizer(options.optimizer, store_, partition_of(options, store_, comm_),
                                [this](const Tensor& values) { sum_over_ranks(values); })),
      exchange_(context_, comm_, reduction_, store_, optimizer_->partition()),
      clip_(store_.memory(), options.clip_norm),
      reducer_(context_, comm_, store_.gradients(),
               {options.bucket_bytes, options.bf16_reduction, reduction_, shards_of(*optimizer_)}),
      buffer_(limits_of(batches_, validation_batches_), context_, dependencies.group),
      graphs_(options.cuda_graph ? make_op_graphs(context_) : nullptr),
      guard_({options.on_nonfinite, options.spike, options.checkpoint_folder}, comm_, store_, observer_),
      residuals_({options.pinv_residual_every, options.pinv_residual_limit}, network_, comm_, observer_),
      noise_(options.noise_scale_every, comm_),
      bound_(context_, computes_on_context_threads(store_.activation())),
      profile_(options.profile, context_, comm_, dependencies.trace),
      saver_({.folder = options.checkpoint_folder,
              .keep = options.keep,
              .failures_allowed = options.failures_allowed,
              .timeout_seconds = options.timeout_seconds},
             comm_, network_, *optimizer_, options_.identity, observer_) {
  if (options_.in_batch) in_batch_.emplace(context_, comm_, network_, *options_.in_batch);
}

void Trainer::restore(const std::string& checkpoint) {
  state_ = restore_checkpoint(checkpoint, comm_, store_, *optimizer_);
}

StopReason Trainer::run_until(std::int64_t end) {
  const SignalWatch watch;
  if (!ranks_agree_) check_ranks_agree();
  StopReason reason = StopReason::kDone;
  while (state_.step < std::min(end, options_.steps) && reason == StopReason::kDone) {
    profile_.before(state_.step + 1);
    StepReport report = step_with_context();
    if (verdict_ == StepVerdict::kRollBack) {
      roll_back();
      continue;
    }
    report_step(report);
    saver_.poll();
    if (requests_.give_up) saver_.give_up();

    const bool last = state_.step == options_.steps;
    if (last || is_due(state_.step, options_.validate_every)) validate();
    if (requests_.stop && !last) reason = StopReason::kStopped;
    save_if_due(last, reason == StopReason::kStopped);
    finish_profile(last || reason == StopReason::kStopped);
  }
  if (reason == StopReason::kStopped) note_stop();
  exchange_.complete(state_.step);
  saver_.finish();
  const bool over = reason == StopReason::kStopped || state_.step >= options_.steps;
  if (over && comm_.rank() == 0) observer_.finished(reason);
  return reason;
}

StepReport Trainer::step() {
  const std::int64_t step = state_.step + 1;
  Activity& activity = comm_.activity();
  activity.set_step(step);
  activity.set_phase("reading the batch");
  clock_.begin_step();

  // The next global batch: this rank's share of it, and the label counts of all ranks.
  const StepBatch& batch = batches_.read(state_.step + state_.batches_skipped);
  const BatchCounts counts = count(batch);
  const LossScales scales = loss_scales(options_.objective, counts.labels);
  if (is_due(step, options_.check_every)) self_check(batch, scales);
  residuals_.begin_step(step);
  noise_.begin_step(step);

  const BoundThreads::Scope bound(bound_, context_);

  // Forward and backward by micro-batch; gradients are all-reduced during the rest of backward.
  activity.set_phase("forward and backward");
  forward_backward(batch, counts, scales);
  clip_.measure(context_, optimizer_->partition().shard_of(store_.gradients()));

  // Everything but the update is enqueued: here the host waits, once a step.
  GradientNorm gradient = clip_.read(context_, store_, optimizer_->partition());
  const Losses losses = reduce_losses(gradient);
  noise_.finish(counts.sequences, gradient.norm);

  activity.set_phase("the optimizer");
  const UpdateRates rates = update_rates(options_.schedule, step, options_.steps);
  verdict_ = guard_.judge(step, losses, gradient, state_.losses);
  if (verdict_ == StepVerdict::kGood) update_weights(rates, gradient.norm);

  return finish_step(counts, losses, gradient.norm, rates);
}

/// step(); an error of the GPU is rethrown with rank and step.
StepReport Trainer::step_with_context() {
  try {
    return step();
  } catch (const DeviceError& error) {
    throw DeviceError(
        fmt::format("Rank {} at step {}: {} Nothing of this step was saved; resume from the last checkpoint.",
                    comm_.rank(), state_.step + 1, error.what()));
  }
}

// Every rank needs the label counts of the whole global batch before its backward.
Trainer::BatchCounts Trainer::count(const StepBatch& batch) {
  std::array<double, kMaxLosses + 2> sums{};
  for (const HostBatch& micro_batch : batch.micro_batches) {
    const auto labels = count_labels(network_.head(), arrays_of(micro_batch));
    for (std::size_t i = 0; i < kMaxLosses; ++i) sums[i] += labels[i];
    sums[kMaxLosses] += static_cast<double>(micro_batch.begun());
    sums[kMaxLosses + 1] += static_cast<double>(micro_batch.real_tokens());
  }
  comm_.all_reduce(sums, "the label counts");
  BatchCounts counts{.labels = {}, .sequences = sums[kMaxLosses], .real_tokens = sums[kMaxLosses + 1]};
  std::copy_n(sums.begin(), kMaxLosses, counts.labels.begin());
  return counts;
}

Pass Trainer::training_pass() const {
  return {.training = true, .seed = options_.seed, .step = state_.step};
}

// Silent data corruption: the weights of all ranks, then this rank's arithmetic on the first micro-batch.
void Trainer::self_check(const StepBatch& batch, const LossScales& scales) {
  comm_.activity().set_phase("checking for silent corruption");
  check_states_agree(comm_, exchange_.shared(), store_.memory(), *optimizer_, state_.step);
  check_arithmetic(context_, comm_, network_, buffer_, batch, training_pass(), scales, state_.step + 1,
                   reduction_);
}

// Leaves the gradients of the global batch in every rank's gradient tensor (with ZeRO, in its shard), and the
// sums of the rank's own losses in the head. A rank without tokens adds zeros. All-reduces start between
// captured segments, so that they run during the rest of backward as they do without CUDA graphs; a step that
// measures residuals waits for the device in between, and is not captured, nor is one that is traced op by
// op.
void Trainer::forward_backward(const StepBatch& batch, const BatchCounts& counts, const LossScales& scales) {
  const Pass pass = training_pass();
  network_.encoder().prepare(context_, pass);
  store_.zero_gradients(context_);
  network_.head().reset_sums(context_);
  if (in_batch_) compute_in_batch_loss(batch, pass);
  reducer_.begin();
  // The activations of a single micro-batch are still there.
  const bool is_forward_done = in_batch_ && batch.micro_batches.size() == 1 && graphs_ == nullptr;
  for (const HostBatch& micro_batch : batch.micro_batches) {
    if (micro_batch.tokens() == 0) continue;  // the other ranks of the group have them all
    const bool last = &micro_batch == &batch.micro_batches.back();
    const bool segmented = last && reducer_.buckets() > 0;
    settle();
    const Batch& uploaded = buffer_.upload(arrays_of(micro_batch));
    if (in_batch_) in_batch_->set_gradient(uploaded.sequences.count);
    RecordedOps ops(residuals_.active() || profile_.active() ? nullptr : graphs_.get(),
                    segmented ? kFirstSegment : kWholeMicroBatch);
    if (!is_forward_done) forward(uploaded, pass, scales);
    const PartScope part(context_, "backward");
    network_.backward(context_, uploaded, pass, scales, [&](std::int64_t offset) {
      if (residuals_.active()) {
        settle();
        residuals_.collect(context_, offset, uploaded.sequences.count);
      }
      // The last bucket, at offset 0, is started by finish().
      if (last && offset > 0 && reducer_.due(offset) && !noise_.active())
        ops.interrupt([&] { reducer_.ready(offset); });
    });
    ops.finish();
    if (noise_.active() && &micro_batch == batch.micro_batches.data()) measure_noise(micro_batch, counts);
  }
  reducer_.finish();
  if (reduction_ != nullptr)
    reduction_->synchronize(state_.step + 1,
                            optimizer_->partition().sharded() ? kGradientScatter : kGradientSum);
}

// A forward pass ahead of forward_backward's own, where the loss couples all vectors of the global batch: it
// computes their gradients.
void Trainer::compute_in_batch_loss(const StepBatch& batch, const Pass& pass) {
  std::int64_t sequences = 0;
  for (const HostBatch& micro_batch : batch.micro_batches) sequences += micro_batch.sequences();
  in_batch_->begin(sequences);
  for (const HostBatch& micro_batch : batch.micro_batches) {
    forward(buffer_.upload(arrays_of(micro_batch)), pass, LossScales{});
    in_batch_->collect();
  }
  in_batch_->finish();
}

// Of the first micro-batch, whose gradients are not yet summed with others: its share of the sum is that of
// its labels.
void Trainer::measure_noise(const HostBatch& micro_batch, const BatchCounts& counts) {
  const auto labels = count_labels(network_.head(), arrays_of(micro_batch));
  const double share = counts.labels[0] > 0 ? labels[0] / counts.labels[0] : 0;
  noise_.measure(context_, store_.gradients(), static_cast<double>(micro_batch.begun()), share);
}

void Trainer::forward(const Batch& batch, const Pass& pass, const LossScales& scales) {
  const PartScope part(context_, "forward");
  network_.forward(context_, batch, pass, scales);
}

// Ops of a device may exchange parts of sequences: the host waits for those, at most the timeout, before it
// waits for the device in another way.
void Trainer::settle() {
  if (reduction_ != nullptr) reduction_->settle(state_.step + 1);
}

// Losses of the global batch. The ranks' requests travel in the same all-reduce, and with ZeRO the squares of
// their shards' norms.
Losses Trainer::reduce_losses(GradientNorm& gradient) {
  constexpr std::size_t kSums = kMaxLosses * 3;
  const bool sharded = optimizer_->partition().sharded();
  std::array<double, kSums + 4> sums{};
  std::ranges::copy(network_.head().read_sums(context_), sums.begin());
  stop_reason_ = options_.stop_reason ? options_.stop_reason() : "";
  if (stop_reason_.empty() && SignalWatch::stop_requested()) stop_reason_ = "requested by a signal";
  sums[kSums] = stop_reason_.empty() ? 0 : 1;
  sums[kSums + 1] = SignalWatch::take_save_request() ? 1 : 0;
  sums[kSums + 2] = saver_.too_many_failures() ? 1 : 0;
  sums[kSums + 3] = sharded ? gradient.norm * gradient.norm : 0;
  comm_.all_reduce(sums, "the sums of the losses");
  if (sharded) agree_on_norm(sums[kSums + 3], gradient);
  requests_ = {.stop = sums[kSums] > 0, .save = sums[kSums + 1] > 0, .give_up = sums[kSums + 2] > 0};
  return mean_losses(network_.head(), std::span(sums).first(kSums), options_.objective);
}

// ZeRO-1: the norm of all gradients, and the one that is not finite: a rank knows only its shard's.
void Trainer::agree_on_norm(double square, GradientNorm& gradient) {
  gradient.norm = std::sqrt(square);
  if (std::isfinite(square)) return;
  std::vector<ParameterId> bad(static_cast<std::size_t>(comm_.ranks()));
  comm_.all_gather(std::as_bytes(std::span(&gradient.bad, 1)), std::as_writable_bytes(std::span(bad)),
                   "the search for a gradient that is not finite");
  std::erase(bad, store_.count());
  if (!bad.empty()) gradient.bad = std::ranges::max(bad);  // the first in backward
}

void Trainer::update_weights(const UpdateRates& rates, double gradient_norm) {
  if (!optimizer_->partition().sharded()) return optimizer_->step(context_, rates, clip_.factor());
  optimizer_->step(context_, rates, clip_scale(gradient_norm, options_.clip_norm));
  exchange_.share(state_.step + 1);
}

// ZeRO-1: of tensors that are split across ranks.
void Trainer::sum_over_ranks(const Tensor& values) {
  if (reduction_ == nullptr) return comm_.all_reduce(values, kOptimizerSum);
  reduction_->sum(values);
  reduction_->synchronize(state_.step + 1, kOptimizerSum);
}

void Trainer::with_evaluated_weights(const std::function<void()>& body) {
  const bool averaged =
      options_.evaluated_weights == EvaluatedWeights::kAveraged && optimizer_->has_average();
  if (!averaged) return body();
  swap_average();
  try {
    body();
  } catch (...) {
    take_back_average();
    throw;
  }
  swap_average();
}

/// Undoes a swap while an exception is on its way, which the other ranks may not have seen: without
/// collectives. The other ranks' parts stay averaged where the state is sharded.
void Trainer::take_back_average() {
  optimizer_->swap_average(context_);
  exchange_.round_shard();
}

void Trainer::swap_average() {
  optimizer_->swap_average(context_);
  exchange_.share(state_.step);
}

// Counters and metrics of the step that was just computed.
StepReport Trainer::finish_step(const BatchCounts& counts, const Losses& losses, double gradient_norm,
                                const UpdateRates& rates) {
  state_.step += 1;
  validation_loss_.reset();
  state_.samples += static_cast<std::int64_t>(counts.sequences);
  state_.updates = optimizer_->updates();
  state_.seconds += clock_.take_elapsed();
  clock_.end_step(counts.real_tokens);
  StepReport report;
  report.step = state_.step;
  report.steps = options_.steps;
  report.losses = losses;
  report.learning_rate = options_.optimizer.learning_rate * rates.share;
  report.beta1 = rates.beta1;
  if (options_.optimizer.kind == "muon")
    report.adamw_learning_rate = options_.optimizer.adamw_learning_rate * rates.share;
  report.gradient_norm = gradient_norm;
  report.samples = state_.samples;
  report.seconds = state_.seconds;
  report.skipped = verdict_ != StepVerdict::kGood;
  if (options_.report_batch) report.global_batch = static_cast<std::int64_t>(counts.sequences);
  report.use = profile_.use(clock_.last_step_seconds());
  noise_.report(report);
  residuals_.report(report);
  return report;
}

void Trainer::check_ranks_agree() {
  require_agreement(comm_, {{"configuration", digest_of(options_.identity), options_.identity.settings},
                            {"weights", digest_of(HostValues(store_.weights(), store_.memory()))},
                            {"step", std::to_string(state_.step)}});
  ranks_agree_ = true;
}

void Trainer::roll_back() {
  saver_.finish();  // the latest checkpoint may still be being written
  guard_.roll_back(state_, *optimizer_);
}

void Trainer::report_step(StepReport& report) {
  const bool wanted = is_due(report.step, options_.log_every) || report.step == options_.steps ||
                      report.skipped || !report.pinv_residual_mean.empty() || report.gradient_noise ||
                      report.use;
  if (!wanted || comm_.rank() != 0) return;
  report.tokens_per_second = clock_.take_speed();
  report.epochs_of = batches_.epochs_of(state_.step + state_.batches_skipped);
  report.seconds_left = clock_.seconds_for(options_.steps - report.step);
  observer_.step(report);
}

void Trainer::validate() {
  if (validation_batches_ == nullptr || options_.validate_every == 0) return;
  comm_.activity().set_phase("evaluation");
  StepClock clock;
  Losses losses;
  with_evaluated_weights([&] {
    losses = evaluate(context_, comm_, network_, buffer_, *validation_batches_, options_.validation_batches,
                      options_.objective, reduction_);
  });
  validation_loss_ = losses.loss;
  if (comm_.rank() == 0)
    observer_.validated({.step = state_.step, .losses = losses, .seconds = clock.take_elapsed()});
}

void Trainer::save_if_due(bool last, bool stop) {
  const bool must = last || stop;
  if (must || requests_.save || is_due(state_.step, options_.save_every)) save(must);
}

// A checkpoint that a signal asked for is waited for; others are written in the background.
void Trainer::save(bool must) {
  comm_.activity().set_phase("writing a checkpoint");
  state_.seconds += clock_.take_elapsed();
  exchange_.complete(state_.step);
  saver_.save(context_, state_, validation_loss_, must);
  if (requests_.save) saver_.finish();
  guard_.checkpoint_saved();
}

void Trainer::finish_profile(bool ends) {
  const StepProfile::Result result = profile_.after(state_.step, ends);
  if (!result.note.empty()) observer_.note(result.note);
  if (!result.warning.empty()) observer_.warning(result.warning);
}

// The reason may be another rank's: clocks differ, and a signal may reach one rank alone.
void Trainer::note_stop() {
  const auto reasons = comm_.all_gather_text(stop_reason_, "the reason for the stop");
  const auto given = std::ranges::find_if(reasons, [](const auto& reason) { return !reason.empty(); });
  if (comm_.rank() != 0 || given == reasons.end()) return;
  observer_.note(fmt::format("stopping after step {}: {}", state_.step, *given));
}

}  // namespace nystrom
