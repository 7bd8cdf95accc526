#include "trainer/trainer.h"

#include <algorithm>
#include <cmath>

#include "trainer/checkpoint/checkpoint.h"
#include "trainer/guards/consistency.h"
#include "trainer/guards/self_check.h"
#include "trainer/process/signals.h"

namespace nystrom {
namespace {

constexpr int kMostRollbacks = 3;                             // to the same checkpoint
constexpr std::size_t kWholeMicroBatch = 0, kFirstPiece = 1;  // slots of recorded ops

bool due(std::int64_t step, std::int64_t every) {
  return every > 0 && step % every == 0;
}

/// weight / labels of the whole global batch; a loss without labels has no gradient.
LossScales loss_scales(const Objective& objective, std::span<const double> labels) {
  LossScales scales{};
  for (std::size_t i = 0; i < scales.size(); ++i)
    scales[i] = labels[i] > 0 ? objective.weights[i] / labels[i] : 0;
  return scales;
}

}  // namespace

Trainer::Trainer(const TrainerOptions& options, const TrainerParts& parts)
    : options_(options),
      parts_(parts),
      optimizer_(
          make_optimizer(options.optimizer, parts.network.parameters(),
                         Parts(parts.network.parameters().flat_size(), options.zero ? parts.comm.rank() : 0,
                               options.zero ? parts.comm.ranks() : 1))),
      clip_(parts.network.parameters().memory(), options.clip_norm),
      reducer_(parts.context, parts.comm, parts.network.parameters().gradients(),
               {options.bucket_bytes, options.bf16_reduction, parts.reduction}),
      buffer_(joined(parts.batches.limits(),
                     parts.validation == nullptr ? BatchLimits{} : parts.validation->limits()),
              parts.context),
      graphs_(options.cuda_graph ? make_op_graphs(parts.context) : nullptr),
      saver_({.folder = options.checkpoint_folder,
              .keep = options.keep,
              .failures_allowed = options.failures_allowed,
              .timeout_seconds = options.timeout_seconds},
             parts.comm, parts.network, *optimizer_, options_.identity, parts.observer) {}

StepReport Trainer::step() {
  const std::int64_t step = state_.step + 1;
  Activity& activity = parts_.comm.activity();
  activity.set_step(step);
  activity.set_phase("reading the batch");
  clock_.begin_step();

  const StepBatch& batch = parts_.batches.read(state_.step + state_.batches_skipped);
  const auto [token_labels, sequence_labels, sequences, real_tokens] = count(batch);
  const std::array labels{token_labels, sequence_labels};
  if (due(step, options_.pinv_residual_every)) residuals_.emplace(parts_.network.encoder().blocks().size());

  const LossScales scales = loss_scales(options_.objective, labels);
  if (due(step, options_.check_every)) self_check(batch, scales);
  activity.set_phase("forward and backward");
  forward_backward(batch, scales);
  clip_.measure(parts_.context, parts_.network.parameters());
  // All but the update has been asked for: here the host waits, once a step.
  const Losses losses = sum_losses();
  const GradientNorm gradient = clip_.read(parts_.context, parts_.network.parameters());

  const double rate =
      options_.optimizer.learning_rate * schedule_factor(options_.schedule, step, options_.steps);
  activity.set_phase("the optimizer");
  const bool good = is_good(step, losses, gradient);
  if (good) optimizer_->step(parts_.context, rate, clip_.factor());
  if (good && optimizer_->parts().divided()) exchange_weights();

  state_.step = step;
  validation_.reset();
  state_.samples += static_cast<std::int64_t>(sequences);
  state_.updates = optimizer_->updates();
  state_.seconds += clock_.take_elapsed();
  clock_.end_step(real_tokens);
  StepReport report;
  report.step = step;
  report.steps = options_.steps;
  report.losses = losses;
  report.learning_rate = rate;
  report.gradient_norm = gradient.norm;
  report.samples = state_.samples;
  report.seconds = state_.seconds;
  report.skipped = !good;
  if (residuals_) report_residuals(report);
  return report;
}

StepReport Trainer::named_step() {
  try {
    return step();
  } catch (const DeviceError& error) {
    throw DeviceError(
        fmt::format("Rank {} at step {}: {} Nothing of this step was saved; resume from the last checkpoint.",
                    parts_.comm.rank(), state_.step + 1, error.what()));
  }
}

// Every rank needs the labels of the whole global batch before its backward.
std::array<double, kMaxLosses + 2> Trainer::count(const StepBatch& batch) {
  std::array<double, kMaxLosses + 2> counts{};
  for (const HostBatch& micro_batch : batch.micro_batches) {
    const auto labels = count_labels(parts_.network.head(), arrays_of(micro_batch));
    for (std::size_t i = 0; i < kMaxLosses; ++i) counts[i] += labels[i];
    counts[kMaxLosses] += static_cast<double>(micro_batch.sequences());
    counts[kMaxLosses + 1] += static_cast<double>(micro_batch.real_tokens());
  }
  parts_.comm.all_reduce(counts, "the label counts");
  return counts;
}

// Gradients of the global batch in every rank's gradient tensor, sums of the rank's own losses in the head.
// A rank without rows adds zeros. Sums over ranks are started between recorded pieces, so that they run
// beside the rest of backward as they do without graphs; a step that looks at residuals waits for the device
// in between, and is not recorded.
void Trainer::forward_backward(const StepBatch& batch, const LossScales& scales) {
  Network& network = parts_.network;
  const Pass pass{.training = true, .seed = options_.seed};
  network.parameters().zero_gradients(parts_.context);
  network.head().reset_sums(parts_.context);
  reducer_.begin();
  for (const HostBatch& micro_batch : batch.micro_batches) {
    const bool last = &micro_batch == &batch.micro_batches.back();
    const Batch& uploaded = buffer_.upload(arrays_of(micro_batch));
    const bool in_pieces = last && reducer_.buckets() > 0;
    RecordedOps ops(residuals_ ? nullptr : graphs_.get(), in_pieces ? kFirstPiece : kWholeMicroBatch);
    network.forward(parts_.context, uploaded, pass, scales);
    network.backward(parts_.context, uploaded, pass, scales, [&](std::int64_t offset) {
      if (residuals_) collect_residuals(offset, uploaded.sequences.count);
      // What comes last, at offset 0, is started by finish().
      if (last && offset > 0 && reducer_.due(offset)) ops.interrupt([&] { reducer_.ready(offset); });
    });
    ops.finish();
  }
  reducer_.finish();
  if (parts_.reduction != nullptr) parts_.reduction->settle(state_.step + 1, kGradientSum);
}

// Each rank has updated its part of the weights.
void Trainer::exchange_weights() {
  ParameterStore& store = parts_.network.parameters();
  const auto begins = optimizer_->parts().begins();
  if (parts_.reduction != nullptr) {
    parts_.reduction->gather(store.weights(), begins);
    parts_.reduction->settle(state_.step + 1, kWeightExchange);
  } else {
    parts_.comm.all_gather_parts(store.weights(), begins, kWeightExchange);
  }
  store.round_copy(parts_.context);
}

// The sums of all ranks; the ranks' requests travel along.
Losses Trainer::sum_losses() {
  const auto mine = parts_.network.head().read_sums(parts_.context);
  std::array<double, kMaxLosses * 3 + 3> sums{};
  std::ranges::copy(mine, sums.begin());
  stop_reason_ = options_.stop_reason ? options_.stop_reason() : "";
  if (stop_reason_.empty() && SignalWatch::stop_requested()) stop_reason_ = "a signal asked for it";
  sums[kMaxLosses * 3] = stop_reason_.empty() ? 0 : 1;
  sums[kMaxLosses * 3 + 1] = SignalWatch::take_save_request() ? 1 : 0;
  sums[kMaxLosses * 3 + 2] = saver_.hopeless() ? 1 : 0;
  parts_.comm.all_reduce(sums, "the sums of the losses");
  requests_ = {.stop = sums[kMaxLosses * 3] > 0,
               .save = sums[kMaxLosses * 3 + 1] > 0,
               .give_up = sums[kMaxLosses * 3 + 2] > 0};
  return mean_losses(parts_.network.head(), std::span(sums).first(kMaxLosses * 3), options_.objective);
}

// All ranks see the same sums and gradients, so they decide alike.
bool Trainer::is_good(std::int64_t step, const Losses& losses, const GradientNorm& gradient) {
  const ParameterStore& store = parts_.network.parameters();
  if (gradient.bad != store.count() || !std::isfinite(losses.loss)) {
    const std::string what = gradient.bad == store.count()
                                 ? fmt::format("At step {} the loss is {}", step, losses.loss)
                                 : fmt::format("At step {} the gradient of {} is not finite (loss {})", step,
                                               store[gradient.bad].name, losses.loss);
    give_up_step(
        options_.on_nonfinite, what,
        "Lower optimizer.learning_rate, lengthen schedule.warmup_steps, or set training.on_nonfinite "
        "to skip or rollback");
    return false;
  }
  if (options_.spike.action == OnTrouble::kIgnore) return true;
  const double z = judge_loss(losses.loss, options_.spike, state_.losses);
  if (z <= options_.spike.z_score) return true;
  const std::string what =
      fmt::format("At step {} the loss is {:.6g}, {:.1f} standard deviations above its mean of {:.6g}", step,
                  losses.loss, z, state_.losses.mean);
  if (state_.losses.spikes_in_a_row >= kMostSpikesInARow)
    fail(
        "{}, as in the {} steps before: this is no spike but a rise. Nothing of this step was saved. Resume "
        "from an "
        "earlier checkpoint with a lower optimizer.learning_rate, or set training.on_spike to ignore.",
        what, kMostSpikesInARow - 1);
  give_up_step(
      options_.spike.action, what,
      "Look at the step's samples, lower optimizer.learning_rate, or set training.on_spike to skip or "
      "rollback");
  return false;
}

void Trainer::give_up_step(OnTrouble action, const std::string& what, const std::string& advice) {
  if (action == OnTrouble::kStop) fail("{}. Nothing of this step was saved. {}.", what, advice);
  roll_back_ = action == OnTrouble::kRollBack;
  if (parts_.comm.rank() == 0 && !roll_back_)
    parts_.observer.warning(what + "; the step is skipped, the weights stay.");
  if (parts_.comm.rank() == 0 && roll_back_) parts_.observer.warning(what + "; the run goes back.");
}

// To the newest whole checkpoint, and from there on with the samples after those that made the trouble.
void Trainer::roll_back() {
  roll_back_ = false;
  saver_.finish();  // the newest may just be on its way
  const std::int64_t step = state_.step, next_batch = state_.step + state_.batches_skipped;
  std::string path;
  if (parts_.comm.rank() == 0 && !options_.checkpoint_folder.empty())
    path = find_newest_checkpoint(options_.checkpoint_folder).path.value_or("");
  path = parts_.comm.broadcast_text(std::move(path), 0, "the choice of the checkpoint to go back to");
  if (path.empty())
    fail(
        "At step {} the run should go back, but there is no checkpoint yet. Lower checkpoint.every_steps, or "
        "start with a lower optimizer.learning_rate.",
        step);
  if (++rollbacks_ > kMostRollbacks)
    fail(
        "At step {} the run went back to {} for the {}th time. Resume from an earlier checkpoint with a "
        "lower optimizer.learning_rate.",
        step, path, rollbacks_);
  const double seconds = state_.seconds;
  restore(path);
  state_.seconds = seconds;  // they were spent
  state_.batches_skipped = next_batch - state_.step;
  if (parts_.comm.rank() != 0) return;
  parts_.observer.rolled_back(state_.step);
  parts_.observer.warning(fmt::format("The run goes on from {}, {} global batches further on in the data.",
                                      path, next_batch - state_.step));
}

// Weights of all ranks, then this rank's arithmetic on the step's first micro-batch.
void Trainer::self_check(const StepBatch& batch, const LossScales& scales) {
  parts_.comm.activity().set_phase("checking for silent corruption");
  check_states_agree(parts_.comm, parts_.network.parameters(), *optimizer_, state_.step);
  check_arithmetic(parts_.context, parts_.comm, parts_.network, buffer_, batch,
                   {.training = true, .seed = options_.seed}, scales, state_.step + 1);
}

void Trainer::collect_residuals(std::int64_t offset, std::int64_t sequences) {
  const auto& blocks = parts_.network.encoder().blocks();
  for (std::size_t layer = 0; layer < blocks.size(); ++layer)
    if (parts_.network.parameters()[blocks[layer].first_parameter()].offset == offset)
      residuals_->add(parts_.context, layer, blocks[layer].residuals(sequences));
}

void Trainer::report_residuals(StepReport& report) {
  residuals_->share(parts_.comm);
  report.pinv_residual_mean = residuals_->means();
  report.pinv_residual_max = residuals_->maxima();
  residuals_.reset();
  warn_of_residuals(report);
}

// Once when a layer rises above the limit, and again when it does so after having come back.
void Trainer::warn_of_residuals(const StepReport& report) {
  if (options_.pinv_residual_limit <= 0 || parts_.comm.rank() != 0) return;
  residual_warned_.resize(report.pinv_residual_max.size());
  for (std::size_t layer = 0; layer < residual_warned_.size(); ++layer) {
    const double residual = report.pinv_residual_max[layer];
    const bool above = !(residual <= options_.pinv_residual_limit);  // NaN too
    if (above && !residual_warned_[layer])
      parts_.observer.warning(fmt::format(
          "At step {} the residual of layer {}'s pseudo-inverse is {:.3g}, above "
          "run.pinv_residual_limit ({:.3g}): its attention is not the Nystrom approximation any more. "
          "Raise model.attention.pinv_iterations, or lower optimizer.learning_rate.",
          report.step, layer, residual, options_.pinv_residual_limit));
    residual_warned_[layer] = above;
  }
}

StopReason Trainer::run_until(std::int64_t end) {
  const SignalWatch watch;
  if (!ranks_agree_) check_ranks_agree();
  ranks_agree_ = true;
  StopReason reason = StopReason::kDone;
  while (state_.step < std::min(end, options_.steps) && reason == StopReason::kDone) {
    StepReport report = named_step();
    if (roll_back_) {
      roll_back();
      continue;
    }
    tell(report);
    saver_.look();
    if (requests_.give_up) saver_.give_up();
    const bool last = state_.step == options_.steps, stop = requests_.stop && !last;
    if (last || due(state_.step, options_.validate_every)) validate();
    const bool must = last || stop;
    if (must || requests_.save || due(state_.step, options_.save_every)) save(must);
    if (stop) {
      reason = StopReason::kStopped;
      if (parts_.comm.rank() == 0)
        parts_.observer.note(fmt::format("stopping after step {}: {}", state_.step,
                                         stop_reason_.empty() ? "another rank asked for it" : stop_reason_));
    }
  }
  saver_.finish();
  const bool over = reason == StopReason::kStopped || state_.step >= options_.steps;
  if (over && parts_.comm.rank() == 0) parts_.observer.finished(reason);
  return reason;
}

void Trainer::tell(StepReport& report) {
  const bool wanted = due(report.step, options_.log_every) || report.step == options_.steps ||
                      report.skipped || !report.pinv_residual_mean.empty();
  if (!wanted || parts_.comm.rank() != 0) return;
  report.tokens_per_second = clock_.take_speed();
  report.epochs_of = parts_.batches.epochs_of(state_.step + state_.batches_skipped);
  report.seconds_left = clock_.seconds_for(options_.steps - report.step);
  parts_.observer.step(report);
}

void Trainer::validate() {
  if (parts_.validation == nullptr || options_.validate_every == 0) return;
  parts_.comm.activity().set_phase("evaluation");
  StepClock clock;
  const Losses losses = evaluate(parts_.context, parts_.comm, parts_.network, buffer_, *parts_.validation,
                                 options_.validation_batches, options_.objective);
  validation_ = losses.loss;
  if (parts_.comm.rank() == 0)
    parts_.observer.validated({.step = state_.step, .losses = losses, .seconds = clock.take_elapsed()});
}

// What a signal asked for is waited for; the rest goes on in the background.
void Trainer::save(bool must) {
  parts_.comm.activity().set_phase("writing a checkpoint");
  state_.seconds += clock_.take_elapsed();
  saver_.save(parts_.context, state_, validation_, must);
  if (requests_.save) saver_.finish();
  rollbacks_ = 0;
}

void Trainer::restore(const std::string& checkpoint) {
  ParameterStore& store = parts_.network.parameters();
  const Parts& parts = optimizer_->parts();
  std::optional<CheckpointReader> reader;  // on rank 0
  if (parts_.comm.rank() == 0) {
    reader.emplace(checkpoint);
    reader->load_weights(store);
    if (!parts.divided()) reader->load_optimizer(store, *optimizer_);
    state_ = reader->state();
  }
  const auto share = [this](void* address, std::size_t bytes) {
    parts_.comm.broadcast({static_cast<std::byte*>(address), bytes}, 0, "the content of the checkpoint");
  };
  const auto share_tensor = [&](const Tensor& tensor) {
    if (parts_.comm.ranks() == 1) return;
    const HostValues values(tensor, store.memory());
    share(values.view().address, values.view().bytes());
    values.write_back();
  };
  share(&state_, sizeof state_);
  share_tensor(store.weights());
  for (const OptimizerState& state : optimizer_->states()) {
    if (!parts.divided()) {
      share_tensor(state.values);
      continue;
    }
    OwnedTensor whole;
    if (reader) {
      whole = OwnedTensor(state.values.dtype, {store.flat_size()});
      reader->load_state(store, state.name, whole, Memory::host());
    }
    scatter_parts(parts_.comm, parts, whole, state.values, store.memory(), "the content of the checkpoint");
  }
  optimizer_->set_updates(state_.updates);
  store.refresh_copy();
}

void Trainer::check_ranks_agree() {
  const ParameterStore& store = parts_.network.parameters();
  require_agreement(parts_.comm, {{"configuration", digest_of(options_.identity), options_.identity.settings},
                                  {"weights", digest_of(HostValues(store.weights(), store.memory()))},
                                  {"step", std::to_string(state_.step)}});
}

}  // namespace nystrom
