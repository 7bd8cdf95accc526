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

/// Keys that contradict each other; the ranges of single keys are the configuration table's.
void check_options(const PretrainOptions& options) {
  const TrainerOptions& t = options.trainer;
  NYSTROM_CHECK(t.steps >= 1 && options.global_batch >= 1, "{} steps of {} sequences", t.steps,
                options.global_batch);
  if (t.schedule.warmup_steps > t.steps)
    refuse("`schedule.warmup_steps` ({}) is above `training.steps` ({}); lower it.", t.schedule.warmup_steps,
           t.steps);
  if (options.sequence_length > options.model.max_positions)
    refuse(
        "`data.sequence_length` ({}) is above `model.max_positions` ({}); lower the former or raise the "
        "latter.",
        options.sequence_length, options.model.max_positions);
}

/// The micro-batch that fits the device, the same on every rank: smaller than wanted only where the
/// configuration leaves the choice open. Fails otherwise, saying how many sequences would fit.
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
      fits > 0 ? fmt::format("`training.micro_batch` can be at most {}", fits)
               : std::string(
                     "not even `training.micro_batch`: 1 fits; set `training.recompute`, or choose a smaller "
                     "model or `data.sequence_length`");
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

/// The checkpoint to resume from, the same on every rank; empty: none. Afterwards the run directory exists.
std::string choose_checkpoint(const PretrainOptions& options, Comm& comm, Observer& observer) {
  std::string checkpoint;
  if (comm.rank() == 0) checkpoint = prepare_run_directory(options, options.trainer.identity, observer);
  return comm.broadcast_text(std::move(checkpoint), 0, "the choice of the checkpoint");
}

/// Weights of a new run: a warm start, or random initialization.
void initialize(Network& network, const PretrainOptions& options) {
  if (options.start_from)
    options.start_from(network);
  else
    network.initialize(options.trainer.seed);
}

int state_ranks(const PretrainOptions& options, const Comm& comm) {
  return options.trainer.zero ? comm.ranks() : 1;
}

struct RunBatches {
  std::unique_ptr<BatchSource> training, validation;
  std::int64_t micro_batch = 0;  // wanted, or the largest that fits
  [[nodiscard]] BatchLimits limits() const {
    return validation ? joined(training->limits(), validation->limits()) : training->limits();
  }
};

/// Opens both sources with the micro-batch of the configuration, or the largest that fits the device.
RunBatches open_batches(const PretrainOptions& options, const Device& device, Comm& comm,
                        const Network& network) {
  SourceRequest request{
      .global_batch = options.global_batch,
      .micro_batch = options.micro_batch > 0
                         ? options.micro_batch
                         : automatic_micro_batch(options.sequence_length, options.global_batch, comm.ranks(),
                                                 device.is_gpu()),
      .rank = comm.rank(),
      .ranks = comm.ranks()};
  RunBatches batches{.training = options.training_data(request), .validation = nullptr, .micro_batch = 0};
  const BatchLimits limits = batches.training->limits();
  const std::int64_t fits = fit_device(
      options, device, comm,
      {network, limits, 1, options.recompute,
       optimizer_bytes(options.trainer.optimizer, network.parameters(), state_ranks(options, comm)),
       options.trainer.bf16_reduction && comm.ranks() > 1});
  if (fits < limits.sequences) {
    request.micro_batch = fits;
    batches.training = options.training_data(request);
  }
  if (options.validation_data) batches.validation = options.validation_data(request);
  batches.micro_batch = std::min(request.micro_batch, batches.training->limits().sequences);
  return batches;
}

void report_batches(const PretrainOptions& options, const BatchSource& batches, Observer& observer) {
  for (const auto& note : options.data_notes) observer.note(note);
  for (const auto& warning : batches.warnings()) observer.warning(warning);
  if (const auto epochs = epochs_sentence(batches, options.trainer.steps); !epochs.empty())
    observer.note(epochs);
}

RunInfo run_info(const PretrainOptions& options, const Comm& comm, const Context& context,
                 const Network& network, const RunBatches& batches) {
  return {
      .steps = options.trainer.steps,
      .parameters = network.parameters().values(),
      .global_batch = options.global_batch,
      .micro_batch = batches.micro_batch,
      .ranks = comm.ranks(),
      .threads = context.host_threads(),
      .precision = std::string(name_of(options.precision)),
      .activation_bytes = network.arena().bytes(),
      .state_bytes = state_bytes(options.trainer.optimizer, network.parameters(), state_ranks(options, comm)),
      .resumed_from = {}};
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
  require_same_start(options, comm);
  Observer silent;
  Observer& rank0_observer = comm.rank() == 0 ? observer : silent;  // until the metrics files are open
  RunSession session({.directory = options.directory,
                      .stop_after_seconds = options.stop_after_seconds,
                      .report = options.report},
                     comm, rank0_observer);
  const std::string checkpoint = choose_checkpoint(options, comm, rank0_observer);
  session.begin();

  const Device device = options.device ? options.device(comm) : Device();
  Context context = device.context(threads_of_rank(comm, options.threads));
  Network network(options.model, options.head, options.precision, true, context.memory());
  if (checkpoint.empty()) initialize(network, options);
  const RunBatches batches = open_batches(options, device, comm, network);
  report_batches(options, *batches.training, rank0_observer);
  network.plan(batches.limits(), context.host_threads(), options.recompute);
  const auto reduction = make_device_reduction(device, comm, options.communication);

  TrainerOptions trainer_options = options.trainer;
  trainer_options.checkpoint_folder = checkpoint_folder(options.directory);
  trainer_options.stop_reason = [&session] { return session.stop_reason(); };
  // Observers outlive the trainer, whose last checkpoint waits for them. They are added below: the metrics
  // file is truncated to the step of the checkpoint.
  Observers observers;
  std::optional<RunFiles> files;
  Trainer trainer(trainer_options, {context, comm, network, *batches.training, batches.validation.get(),
                                    observers, reduction.get()});
  if (!checkpoint.empty()) trainer.restore(checkpoint);
  if (comm.rank() == 0) {
    publish_configuration(options.directory, options.trainer.identity.configuration);
    files.emplace(options.directory, trainer.state().step, observer);
    observers.add(files->all());
  }
  RunInfo info = run_info(options, comm, context, network, batches);
  info.first_step = trainer.state().step + 1;
  info.resumed_from = checkpoint;
  observers.started(info);
  return trainer.run();
}

}  // namespace nystrom
