#include "trainer/pretrain.h"

#include <algorithm>
#include <optional>

#include "model/sequence_cuts.h"
#include "trainer/batches/span_source.h"
#include "trainer/comm/rank_group.h"
#include "trainer/comm/threads.h"
#include "trainer/guards/consistency.h"
#include "trainer/run/run_directory.h"
#include "trainer/run/run_files.h"
#include "trainer/run/run_session.h"

namespace nystrom {
namespace {

BatchSizes sizes_of(const PretrainOptions& options) {
  return BatchSizes(options.global_batch, options.batch_schedule);
}

/// Keys that contradict each other; the ranges of single keys are the configuration table's.
void check_options(const PretrainOptions& options, const Comm& comm) {
  const TrainerOptions& t = options.trainer;
  NYSTROM_CHECK(t.steps >= 1 && options.global_batch >= 1, "{} steps of {} sequences", t.steps,
                options.global_batch);
  check_trainer_options(t);
  if (options.sequence_length > options.model.max_positions)
    refuse(
        "`data.sequence_length` ({}) is above `model.max_positions` ({}); lower the former or raise the "
        "latter.",
        options.sequence_length, options.model.max_positions);
  if (options.sequence_ranks == 1) return;
  check_sequence_ranks(options.model, options.sequence_ranks);
  if (t.noise_scale_every > 0)
    refuse(
        "`run.noise_scale_every` compares the gradients of ranks, but with `communication.sequence_ranks` above 1 a "
        "rank has parts of sequences alone; set it to 0.");
  if (comm.ranks() % options.sequence_ranks != 0)
    refuse(
        "`communication.sequence_ranks` is {}, but this job has {} rank{}: start a multiple of {}, or change the "
        "key.",
        options.sequence_ranks, comm.ranks(), comm.ranks() == 1 ? "" : "s", options.sequence_ranks);
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

/// A source of the group's batches, or of this rank's spans of them.
std::unique_ptr<BatchSource> source_of(const SourceFactory& make, const SourceRequest& request,
                                       const ModelConfig& model, const RankGroup& group) {
  auto whole = make(request);
  if (group.ranks() == 1) return whole;
  SpanOptions options{
      .rank = group.rank(),
      .cuts = [&model, ranks = group.ranks()](
                  std::span<const std::int32_t> offsets) { return sequence_cuts(model, offsets, ranks); },
      .limits = span_limits(model, whole->limits(), group.ranks())};
  return std::make_unique<SpanSource>(std::move(whole), std::move(options));
}

/// Opens both sources with the micro-batch of the configuration, or the largest that fits the device.
RunBatches open_batches(const PretrainOptions& options, const Device& device, Comm& comm,
                        const RankGroup& group, const Network& network, Trace* trace) {
  const std::int64_t tokens_of_rank = (options.sequence_length + group.ranks() - 1) / group.ranks();
  SourceRequest request{
      .global_batch = options.global_batch,
      .micro_batch = options.micro_batch > 0
                         ? options.micro_batch
                         : automatic_micro_batch(tokens_of_rank, sizes_of(options).largest(), group.groups(),
                                                 device.is_gpu()),
      .rank = group.index(),
      .ranks = group.groups(),
      .batch_schedule = options.batch_schedule,
      .trace = trace};
  RunBatches batches{.training = source_of(options.training_data, request, options.model, group),
                     .validation = nullptr,
                     .micro_batch = 0};
  const BatchLimits limits = batches.training->limits();
  const std::int64_t fits = fit_device(
      options, device, comm,
      {network, limits, 1, options.recompute,
       optimizer_bytes(options.trainer.optimizer, network.parameters(), state_ranks(options, comm)),
       options.trainer.bf16_reduction && comm.ranks() > 1});
  if (fits < limits.sequences) {
    request.micro_batch = fits;
    batches.training = source_of(options.training_data, request, options.model, group);
  }
  request.batch_schedule.clear();
  request.trace = nullptr;
  if (options.validation_data)
    batches.validation = source_of(options.validation_data, request, options.model, group);
  batches.micro_batch = std::min(request.micro_batch, batches.training->limits().sequences);
  return batches;
}

void report_batches(const PretrainOptions& options, const BatchSource& batches, Observer& observer) {
  for (const auto& note : options.data_notes) observer.note(note);
  for (const auto& warning : batches.warnings()) observer.warning(warning);
  if (const auto epochs = epochs_sentence(batches, options.trainer.steps); !epochs.empty())
    observer.note(epochs);
}

/// What a start makes once it knows its checkpoint: device, network with its first weights, data, and memory.
struct ReadyRun {
  Trace trace;  // of the steps that are profiled
  Device device;
  Context context;
  Network network;
  RankGroup group;
  RunBatches batches;
  std::unique_ptr<DeviceReduction> reduction;

  /// For the trainer: null where every rank has whole sequences.
  [[nodiscard]] SequenceGroup* sequence_group() { return group.ranks() == 1 ? nullptr : &group; }

  /// Null where no step is profiled.
  [[nodiscard]] Trace* trace_of(const PretrainOptions& options) {
    return options.trainer.profile.steps.any() ? &trace : nullptr;
  }

  ReadyRun(const PretrainOptions& options, Comm& comm, const std::string& checkpoint, Observer& observer)
      : device(options.device ? options.device(comm) : Device()),
        context(device.context(threads_of_rank(comm, options.threads))),
        network(options.model, options.head, options.precision, true, context.memory()),
        group(comm, options.sequence_ranks) {
    for (const auto& warning :
         thread_warnings(comm, context.host_threads(), options.threads, device.is_gpu()))
      observer.warning(warning);
    if (checkpoint.empty()) initialize(network, options);
    batches = open_batches(options, device, comm, group, network, trace_of(options));
    report_batches(options, *batches.training, observer);
    if (group.ranks() > 1)
      observer.note(fmt::format("{} ranks share the tokens of a micro-batch; a rank has at most {}.",
                                group.ranks(), batches.training->limits().tokens));
    network.plan(batches.limits(), context.host_threads(), options.recompute);
    ReductionOptions communication = options.communication;
    communication.group_ranks = group.ranks();
    reduction = make_device_reduction(device, comm, communication);
    group.use(reduction.get());
  }
};

std::vector<RunCorpus> corpora_of(const BatchSource& batches) {
  std::vector<RunCorpus> corpora;
  for (const SampledCorpus& corpus : batches.corpora())
    corpora.push_back({corpus.name, corpus.share, corpus.samples});
  return corpora;
}

RunInfo run_info(const PretrainOptions& options, const Comm& comm, const ReadyRun& run, const RunState& state,
                 const ResumePoint& resume) {
  const ParameterStore& store = run.network.parameters();
  return {.first_step = state.step + 1,
          .steps = options.trainer.steps,
          .parameters = store.values(),
          .global_batch = options.global_batch,
          .micro_batch = run.batches.micro_batch,
          .ranks = comm.ranks(),
          .threads = run.context.host_threads(),
          .precision = std::string(name_of(options.precision)),
          .activation_bytes = run.network.arena().bytes(),
          .state_bytes = state_bytes(options.trainer.optimizer, store, state_ranks(options, comm)),
          .resumed_from = resume.checkpoint,
          .departure = resume.departure,
          .over = {},
          .corpora = corpora_of(*run.batches.training)};
}

/// A source like that of the run, of the global batch that is timed.
std::unique_ptr<BatchSource> source_to_time(const PretrainOptions& options, const ReadyRun& run) {
  const std::int64_t micro_batch = run.batches.micro_batch;
  const RankGroup& group = run.group;
  return source_of(options.training_data,
                   {.global_batch = timed_batch(options.global_batch, micro_batch, group.groups()),
                    .micro_batch = micro_batch,
                    .rank = group.index(),
                    .ranks = group.groups()},
                   options.model, group);
}

}  // namespace

SourceFactory shard_source(const LoaderOptions& options) {
  return [options](const SourceRequest& request) -> std::unique_ptr<BatchSource> {
    LoaderOptions own = options;
    own.global_batch = request.global_batch;
    own.micro_batch = request.micro_batch;
    own.rank = request.rank;
    own.ranks = request.ranks;
    own.batch_schedule = request.batch_schedule;
    own.trace = request.trace;
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

ResumePoint choose_resume_point(const PretrainOptions& options, RunIdentity& identity, Comm& comm,
                                Observer& observer, ChooseResumePoint* choose) {
  constexpr std::string_view kWhat = "the choice of the checkpoint";
  for (const auto& [key, files] : options.contents)
    identity.settings[content_key(key)] = content_digest(comm, files);
  ResumePoint point;
  if (comm.rank() == 0) point = choose(options, identity, observer);
  for (std::string* text : {&point.checkpoint, &point.history, &point.departure})
    *text = comm.broadcast_text(std::move(*text), 0, kWhat);
  if (!point.history.empty()) identity.settings[kHistoryKey] = point.history;
  return point;
}

StopReason pretrain(const PretrainOptions& options, Comm& comm, Observer& observer) {
  check_options(options, comm);
  require_same_start(options, comm);
  Observer silent;
  Observer& rank0_observer = comm.rank() == 0 ? observer : silent;  // until the metrics files are open
  RunSession session({.directory = options.directory,
                      .stop_after_seconds = options.stop_after_seconds,
                      .report = options.report,
                      .takeover = options.takeover},
                     comm, rank0_observer);
  TrainerOptions trainer_options = options.trainer;
  const ResumePoint resume =
      choose_resume_point(options, trainer_options.identity, comm, rank0_observer, prepare_run_directory);
  const std::string& checkpoint = resume.checkpoint;
  session.begin();

  ReadyRun run(options, comm, checkpoint, rank0_observer);
  trainer_options.checkpoint_folder = checkpoint_folder(options.directory);
  trainer_options.stop_reason = [&session] { return session.stop_reason(); };
  trainer_options.profile.before_writing = [&session] { session.require_lock(); };
  // Observers outlive the trainer, whose last checkpoint waits for them. They are added below: the metrics
  // file is truncated to the step of the checkpoint.
  Observers observers;
  std::optional<RunFiles> files;
  Trainer trainer(trainer_options,
                  {run.context, comm, run.network, *run.batches.training, run.batches.validation.get(),
                   observers, run.reduction.get(), run.sequence_group(), run.trace_of(options)});
  if (!checkpoint.empty()) trainer.restore(checkpoint);
  if (comm.rank() == 0) {
    session.require_lock();
    publish_configuration(options.directory, options.trainer.identity.configuration);
    files.emplace(options.directory, trainer.state().step, observer, [&session] { session.require_lock(); });
    files->describe(options.trainer.identity.configuration, options.trainer.identity.settings,
                    options.defaults);
    observers.add(files->all());
  }
  observers.started(run_info(options, comm, run, trainer.state(), resume));
  return trainer.run();
}

StartReport check_pretraining(const PretrainOptions& options, const TimingPlan& plan, Comm& comm,
                              Observer& observer) {
  check_options(options, comm);
  require_same_start(options, comm);
  Observer silent;
  Observer& rank0_observer = comm.rank() == 0 ? observer : silent;
  RunIdentity identity = options.trainer.identity;
  const ResumePoint resume =
      choose_resume_point(options, identity, comm, rank0_observer, check_run_directory);
  const std::string& checkpoint = resume.checkpoint;

  ReadyRun run(options, comm, checkpoint, rank0_observer);
  const auto source = source_to_time(options, run);
  StepMeter meter;
  Trainer trainer(
      timing_options(options.trainer, plan.steps),
      {run.context, comm, run.network, *source, nullptr, meter, run.reduction.get(), run.sequence_group()});
  if (!checkpoint.empty()) trainer.restore(checkpoint);
  const std::int64_t steps_left = std::max<std::int64_t>(options.trainer.steps - trainer.state().step, 0);
  StartReport report{.backend = run.device.kind(),
                     .info = run_info(options, comm, run, trainer.state(), resume)};
  report.memory = memory_parts({.network = run.network,
                                .optimizer = options.trainer.optimizer,
                                .state_ranks = state_ranks(options, comm),
                                .bf16_sums = options.trainer.bf16_reduction && comm.ranks() > 1,
                                .limits = run.batches.limits()});
  report.checkpoint_bytes = checkpoint_bytes(run.network, options.trainer.optimizer);
  const BatchSizes sizes = sizes_of(options);
  report.sequences_left =
      sizes.before(trainer.state().step + steps_left + 1) - sizes.before(trainer.state().step + 1);
  report.epochs = run.batches.training->epochs_of(options.trainer.steps);
  if (steps_left > 0) report.timed = meter.measure(trainer, steps_to_time(plan, report, comm));
  return report;
}

}  // namespace nystrom
