#include "trainer/pretrain.h"

#include <algorithm>
#include <optional>

#include "trainer/comm/threads.h"
#include "trainer/guards/consistency.h"
#include "trainer/run/run_directory.h"
#include "trainer/run/run_files.h"
#include "trainer/run/run_session.h"

namespace nystrom {
namespace {

void check_options(const PretrainOptions& options) {
  const auto at_least = [](const char* key, std::int64_t value, std::int64_t least) {
    if (value < least) refuse("{} is {}; it must be at least {}.", key, value, least);
  };
  const TrainerOptions& t = options.trainer;
  at_least("training.steps", t.steps, 1);
  at_least("training.global_batch", options.global_batch, 1);
  at_least("training.micro_batch", options.micro_batch, 0);
  at_least("schedule.warmup_steps", t.schedule.warmup_steps, 0);
  at_least("checkpoint.keep", t.keep.newest, 1);
  at_least("checkpoint.keep_every_steps", t.keep.every, 0);
  at_least("checkpoint.keep_best", t.keep.best, 0);
  at_least("checkpoint.failures_allowed", t.failures_allowed, 0);
  if (t.schedule.warmup_steps > t.steps)
    refuse("schedule.warmup_steps ({}) is above training.steps ({}); lower it.", t.schedule.warmup_steps,
           t.steps);
  if (options.sequence_length > options.model.max_positions)
    refuse("data.sequence_length ({}) is above model.max_positions ({}); raise the one or lower the other.",
           options.sequence_length, options.model.max_positions);
  if (!(t.clip_norm >= 0))
    refuse("training.clip_norm is {}; it must be at least 0 (0: no clipping).", t.clip_norm);
}

/// What the caller's observer hears before the files are open, and on other ranks: nothing there.
Observer& on_rank_zero(const Comm& comm, Observer& observer, Observer& nobody) {
  return comm.rank() == 0 ? observer : nobody;
}

/// The sequences at once that fit the device, on every rank alike: fewer than wanted only where the choice
/// was left open. Fails otherwise, saying how many would fit.
std::int64_t fit_device(const PretrainOptions& options, const Device& device, Comm& comm, MicroBatchFit fit) {
  const std::int64_t wanted = fit.limits.sequences;
  if (!device.is_gpu()) return wanted;
  fit.free_bytes = device.free_bytes();
  const std::int64_t mine = fitting_micro_batch(fit);
  std::vector<std::int64_t> all(static_cast<std::size_t>(comm.ranks()));
  comm.all_gather(std::as_bytes(std::span(&mine, 1)), std::as_writable_bytes(std::span(all)),
                  "the micro-batches that fit");
  const std::int64_t fits = *std::ranges::min_element(all);
  if (fits >= wanted || (fits > 0 && options.micro_batch == 0)) return fits;
  const std::string advice =
      fits > 0 ? fmt::format("training.micro_batch can be at most {}", fits)
               : std::string(
                     "not even training.micro_batch: 1 fits; set training.recompute, or take a smaller "
                     "model or data.sequence_length");
  fail("A micro-batch of {} sequences takes {:.0f} MiB for training, and {} has {:.0f} MiB free: {}.", wanted,
       mebibytes(training_bytes(fit, fit.limits)), device.text(), mebibytes(fit.free_bytes), advice);
}

/// "10000 steps read, in epochs: wikipedia 1.31, books 4.02"
std::string epochs_sentence(const BatchSource& batches, std::int64_t steps) {
  std::string corpora;
  for (const auto& [name, epochs] : batches.epochs_of(steps))
    corpora += fmt::format("{}{} {:.3g}", corpora.empty() ? "" : ", ", name, epochs);
  return corpora.empty() ? corpora : fmt::format("{} steps read, in epochs: {}", steps, corpora);
}

}  // namespace

SourceFactory shard_source(const LoaderOptions& options) {
  return [options](const SourceRequest& request) -> std::unique_ptr<BatchSource> {
    LoaderOptions own = options;
    own.global_batch = request.global_batch;
    own.micro_batch = request.micro_batch;
    own.rank = request.rank;
    own.ranks = request.ranks;
    return std::make_unique<LoaderSource>(own);
  };
}

void require_same_start(const PretrainOptions& options, Comm& comm) {
  if (comm.ranks() == 1) return;
  const RunIdentity& identity = options.trainer.identity;
  const Settings files = fingerprints(options.files);
  require_agreement(comm, {{"program", digest_of_program()},
                           {"configuration", digest_of(identity), identity.settings},
                           {"files", digest_of(files), files}});
}

StopReason pretrain(const PretrainOptions& options, Comm& comm, Observer& observer) {
  check_options(options);
  Observer nobody;
  Observer& speaker = on_rank_zero(comm, observer, nobody);
  require_same_start(options, comm);
  RunSession session({.directory = options.directory,
                      .stop_after_seconds = options.stop_after_seconds,
                      .report = options.report},
                     comm, speaker);
  std::string checkpoint;
  if (comm.rank() == 0) checkpoint = prepare_run_directory(options, options.trainer.identity, speaker);
  checkpoint = comm.broadcast_text(std::move(checkpoint), 0, "the choice of the checkpoint");
  session.begin();

  const Device device = options.device ? options.device(comm) : Device();
  Context context = device.context(options.threads > 0 ? options.threads : threads_of_rank(comm));
  Network network(options.model, options.head, options.precision, true, context.memory());
  if (checkpoint.empty()) {
    if (options.start_from)
      options.start_from(network);
    else
      network.initialize(options.trainer.seed);
  }

  SourceRequest request{
      .global_batch = options.global_batch,
      .micro_batch = options.micro_batch > 0
                         ? options.micro_batch
                         : automatic_micro_batch(options.sequence_length, options.global_batch, comm.ranks(),
                                                 device.is_gpu()),
      .rank = comm.rank(),
      .ranks = comm.ranks()};
  const int state_ranks = options.trainer.zero ? comm.ranks() : 1;
  auto batches = options.training_data(request);
  if (const std::int64_t fits =
          fit_device(options, device, comm,
                     {network, batches->limits(), 1, options.recompute,
                      optimizer_bytes(options.trainer.optimizer, network.parameters(), state_ranks),
                      options.trainer.bf16_reduction && comm.ranks() > 1});
      fits < batches->limits().sequences) {
    request.micro_batch = fits;
    batches = options.training_data(request);
  }
  const auto validation = options.validation_data ? options.validation_data(request) : nullptr;
  for (const auto& warning : batches->warnings()) speaker.warning(warning);
  if (const auto epochs = epochs_sentence(*batches, options.trainer.steps); !epochs.empty())
    speaker.note(epochs);
  network.plan(validation ? joined(batches->limits(), validation->limits()) : batches->limits(),
               context.host_threads(), options.recompute);
  const auto reduction = make_device_reduction(device, comm, options.communication);

  TrainerOptions trainer_options = options.trainer;
  trainer_options.checkpoint_folder = checkpoint_folder(options.directory);
  trainer_options.stop_reason = [&session] { return session.stop_reason(); };
  // Filled below: how far to cut the metrics file is known after restoring. They outlive the trainer, whose
  // last checkpoint waits for them.
  Observers observers;
  std::optional<RunFiles> files;
  Trainer trainer(trainer_options,
                  {context, comm, network, *batches, validation.get(), observers, reduction.get()});
  if (!checkpoint.empty()) trainer.restore(checkpoint);
  if (comm.rank() == 0) {
    files.emplace(options.directory, trainer.state().step, observer);
    observers.add(files->all());
  }
  observers.started({.first_step = trainer.state().step + 1,
                     .steps = trainer_options.steps,
                     .parameters = network.parameters().values(),
                     .global_batch = options.global_batch,
                     .micro_batch = std::min(request.micro_batch, batches->limits().sequences),
                     .ranks = comm.ranks(),
                     .threads = context.host_threads(),
                     .precision = std::string(name_of(options.precision)),
                     .activation_bytes = network.arena().bytes(),
                     .state_bytes = state_bytes(options.trainer.optimizer, network.parameters(), state_ranks),
                     .resumed_from = checkpoint});
  return trainer.run();
}

}  // namespace nystrom
