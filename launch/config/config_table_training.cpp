// The keys of training; those of the run, the model and the data are in config_table.cpp.

#include <limits>

#include "launch/config/config_table.h"
#include "trainer/optimizer/optimizer.h"
#include "trainer/optimizer/schedule.h"

namespace nystrom {
namespace {

constexpr OnResume kFree = OnResume::kFree;

/// The formulas of the kinds.
std::string_view schedule_meaning() {
  static const std::string meaning = [] {
    std::string text = "Factor of the peak rate: s/w up to step w, then";
    for (const ScheduleKind& kind : schedule_kinds())
      text +=
          fmt::format("{} `{}`: {}", &kind == schedule_kinds().data() ? "" : ";", kind.name, kind.formula);
    return text + ".";
  }();
  return meaning;
}

}  // namespace

std::vector<ConfigKey> training_keys(Config& c) {
  return {
      {"training.steps",
       &c.training.steps,
       "Number of steps of the whole run; `finetune`: instead of `training.epochs`, if that is not given.",
       {.range = kPositive, .unset = "*", .resume = kFree}},
      {"training.epochs",
       &c.training.epochs,
       "`finetune`: epochs over the task's examples; 0: `training.steps` sets the length of the run.",
       {.range = {0, 1e9}}},
      {"training.patience",
       &c.training.patience,
       "`finetune`: stop after this many evaluations without a better metric; 0: never.",
       {.range = kCount}},
      {"training.global_batch",
       &c.training.global_batch,
       "Sequences per step, over all ranks (`finetune`: examples, 32 by default).",
       {.range = kPositive}},
      {"training.batch_schedule",
       &c.training.batch_schedule,
       "Later values of `global_batch`, such as `[{step: 1000, global_batch: 512}]`: from that step on "
       "(docs/training.md). `pretrain` only.",
       {}},
      {"training.micro_batch",
       &c.training.micro_batch,
       "Sequences per forward and backward pass of a rank; gradients are accumulated up to `global_batch`. Changes no "
       "result beyond rounding.",
       {.range = {1, std::numeric_limits<std::int32_t>::max()}, .unset = "auto", .resume = kFree}},
      {"training.precision", WordSlot(&c.training.precision),
       "Precision of activations. `auto`: bf16 on a GPU and on a CPU with bf16 matrix products, else fp32; "
       "the log names the choice."},
      {"training.backend",
       WordSlot(&c.training.backend),
       "`auto`: a GPU if there is one, else the CPU.",
       {.resume = kFree}},
      {"training.clip_norm",
       &c.training.clip_norm,
       "Maximum global gradient norm; 0: no clipping.",
       {.range = kNonNegative}},
      {"training.on_nonfinite", WordSlot(&c.training.on_nonfinite, std::optional(OnTrouble::kIgnore)),
       "Reaction to a loss or gradient that is not finite: `stop` the run, naming the tensor; `skip` the "
       "step, with a warning; `rollback` to the latest checkpoint and continue with the samples that "
       "follow."},
      {"training.on_spike",
       WordSlot(&c.training.spike.action),
       "Reaction to a loss spike, a loss more than `spike_z_score` standard deviations above the mean: the "
       "same, or `ignore`.",
       {.resume = kFree}},
      {"training.spike_z_score",
       &c.training.spike.z_score,
       "Standard deviations above the running mean that make a loss a spike.",
       {.range = {1e-3, 1e9}, .resume = kFree}},
      {"training.spike_window",
       &c.training.spike.window,
       "Steps in the running mean and deviation; no spike is detected earlier in the run.",
       {.range = {2, 9e15}, .resume = kFree}},
      {"training.ema_decay",
       &c.optimizer.ema_decay,
       "Decay d of an exponential moving average of the weights, E ← d E + (1 − d) w after each update; "
       "0: none. Training does not use it; checkpoints store it (4 bytes per weight).",
       {.range = kFraction}},
      {"training.check_every",
       &c.training.check_every,
       "Steps between checks for silent data corruption (weights identical on all ranks; a micro-batch "
       "computed twice with identical bits); 0: never.",
       {.range = kCount, .resume = kFree}},
      {"training.recompute", &c.training.recompute,
       "Activation checkpointing: keep only each block's input and recompute the rest in backward. Less "
       "memory, more time."},
      {"training.deterministic",
       &c.training.deterministic,
       "Two runs give identical bits on the same machine with the same number of ranks. `false` allows a run "
       "on a GPU to choose algorithms of matrix products by timing and to store them for later runs, as `bench` "
       "does.",
       {.resume = kFree}},
      {"training.cuda_graph",
       &c.training.cuda_graph,
       "Launch the operations of a micro-batch as one CUDA graph (with several ranks, as one graph between "
       "all-reduces); identical bits. The gain has not been measured. Refused on the CPU.",
       {.resume = kFree}},
      {"training.zero",
       &c.training.zero,
       "ZeRO stage 1: the optimizer state is sharded across ranks, with AdamW 8 bytes per weight divided by the "
       "number of ranks. Same result, same checkpoints; ranks all-gather the weights each step.",
       {.resume = kFree}},

      {"optimizer.kind", &c.optimizer.kind, "Optimizer.", {.choices = registered_names(optimizer_kinds())}},
      {"optimizer.learning_rate",
       &c.optimizer.learning_rate,
       "Peak learning rate of the schedule.",
       {.range = kNonNegative}},
      {"optimizer.beta1", &c.optimizer.beta1, "Decay rate of the first moment.", {.range = kFraction}},
      {"optimizer.beta2", &c.optimizer.beta2, "Decay rate of the second moment.", {.range = kFraction}},
      {"optimizer.epsilon",
       &c.optimizer.epsilon,
       "Epsilon, added outside the square root.",
       {.range = kNonNegative}},
      {"optimizer.weight_decay",
       &c.optimizer.weight_decay,
       "Decoupled weight decay, multiplied by the current learning rate.",
       {.range = kNonNegative}},
      {"optimizer.layer_decay",
       &c.optimizer.layer_decay,
       "`finetune`: factor of a layer's learning rate relative to the layer above; the head has the full "
       "rate.",
       {.range = {1e-6, 1}}},
      {"optimizer.groups",
       &c.optimizer.groups,
       "List of `{match: PATTERN, rate: 0.1, weight_decay: 0}`: a factor of the learning rate, and a weight decay "
       "(also of tensors of one dimension), for tensors whose name matches, such as `*.bias`. For each of the "
       "two numbers the first matching entry that gives it applies. A pattern that matches no tensor is refused.",
       {.unset = "[]"}},
      {"optimizer.all_tensors", &c.optimizer.all_tensors,
       "`lamb`: weight decay and trust ratio also for tensors of one dimension."},
      {"optimizer.adamw_learning_rate",
       &c.optimizer.adamw_learning_rate,
       "`muon`: peak learning rate of the tensors that AdamW updates: all but the matrices of the encoder's layers.",
       {.range = kNonNegative}},
      {"optimizer.momentum",
       &c.optimizer.momentum,
       "`muon`: decay rate of the momentum.",
       {.range = kFraction}},
      {"optimizer.nesterov", &c.optimizer.nesterov, "`muon`: Nesterov momentum."},
      {"optimizer.newton_schulz_steps",
       &c.optimizer.newton_schulz_steps,
       "`muon`: iterations of Newton–Schulz.",
       {.range = {1, 100}}},
      {"optimizer.scale", WordSlot(&c.optimizer.scale),
       "`muon`: factor of the learning rate of a matrix [rows, columns]. `original`: √max(1, rows/columns); "
       "`match_rms_adamw`: 0.2 √max(rows, columns), with which AdamW's learning rate and weight decay fit."},

      {"schedule.kind",
       &c.schedule.kind,
       schedule_meaning(),
       {.choices = registered_names(schedule_kinds())}},
      {"schedule.warmup_steps", &c.schedule.warmup_steps, "Warmup steps w.", {.range = kCount}},
      {"schedule.warmup_share",
       &c.schedule.warmup_share,
       "`finetune`: w as a fraction of all steps; 0: `warmup_steps`.",
       {.range = kFraction}},
      {"schedule.power", &c.schedule.power, "`polynomial`: exponent.", {.range = {0, 100}}},
      {"schedule.decay_steps",
       &c.schedule.decay_steps,
       "`wsd`: number of final steps, d, in which the rate decays; 0: no decay.",
       {.range = kCount, .resume = kFree}},
      {"schedule.decay_shape",
       WordSlot(&c.schedule.decay_shape),
       "`wsd`: shape of the decay.",
       {.resume = kFree}},
      {"schedule.start_share",
       &c.schedule.start_share,
       "`one_cycle`: share of the peak rate at step 1.",
       {.range = kFraction}},
      {"schedule.end_share",
       &c.schedule.end_share,
       "`polynomial`, `wsd`: share of the peak rate at step S + 1, 0 by default; `one_cycle`: at step S, "
       "4e-06 by default.",
       {.range = kFraction, .unset = "auto", .resume = kFree}},
      {"schedule.beta1_ends",
       &c.schedule.beta1_ends,
       "`one_cycle`: beta1 at steps 1 and S, instead of `optimizer.beta1`; it follows the same two lines as the "
       "rate.",
       {.range = kFraction, .unset = "none"}},
      {"schedule.beta1_peak",
       &c.schedule.beta1_peak,
       "`one_cycle`: beta1 at step w, where the rate has its peak.",
       {.range = kFraction, .unset = "none"}},

      {"communication.bucket_mib",
       &c.communication.bucket_mib,
       "MiB of gradients per all-reduce; the all-reduces overlap with backward. `auto`: 32 over NCCL, else 4.",
       {.range = {1, 4096}, .unset = "auto", .resume = kFree}},
      {"communication.kind",
       WordSlot(&c.communication.kind),
       "All-reduce of gradients on GPUs; `auto`: NCCL if it is found, else MPI. On the CPU it is always MPI.",
       {.resume = kFree}},
      {"communication.reduction",
       WordSlot(&c.communication.reduction, std::optional(Precision::kAuto)),
       "Precision of the all-reduce of gradients: `bf16` halves the bytes sent and rounds each rank's "
       "gradient, and each partial sum, to 8 bits.",
       {.resume = kFree}},
      {"communication.sequence_ranks",
       &c.communication.sequence_ranks,
       "Neighbouring ranks that share the tokens of each micro-batch (context parallelism), for sequences that exceed the "
       "memory of one rank; must divide the number of ranks. Only for pretraining with attention of kind `nystrom`, or on the CPU `softmax`.",
       {.range = {1, 65536}, .resume = kFree}},
      {"communication.timeout",
       &c.communication.timeout,
       "Seconds after which a rank that waits for another ends the job, naming rank, step and collective.",
       {.range = {1e-3, 1e9}, .resume = kFree}},

      {"checkpoint.every_steps",
       &c.checkpoint.every_steps,
       "Steps between checkpoints; the last step always writes one.",
       {.range = kPositive, .resume = kFree}},
      {"checkpoint.keep",
       &c.checkpoint.keep.newest,
       "Number of latest checkpoints to keep. One is removed only after a newer one is completely written.",
       {.range = kPositive, .resume = kFree}},
      {"checkpoint.keep_every_steps",
       &c.checkpoint.keep.every,
       "Checkpoints of steps divisible by this are kept forever; 0: none.",
       {.range = kCount, .resume = kFree}},
      {"checkpoint.keep_best",
       &c.checkpoint.keep.best,
       "Number of checkpoints with the lowest validation loss to keep as well; a checkpoint has a validation "
       "loss if its step was evaluated.",
       {.range = kCount, .resume = kFree}},
      {"checkpoint.failures_allowed",
       &c.checkpoint.failures_allowed,
       "Consecutive checkpoints that may fail to be written (disk full, no permission) before the run stops; "
       "the last one of a run must succeed.",
       {.range = kCount, .resume = kFree}},

      {"evaluation.every_steps",
       &c.evaluation.every_steps,
       "Steps between evaluations; the last step always has one. 0: only that one; with `finetune`, where 0 is the "
       "default, after each epoch. `finetune` writes a checkpoint at each evaluation.",
       {.range = kCount}},
      {"evaluation.batches",
       &c.evaluation.batches,
       "Maximum number of global batches per evaluation.",
       {.range = kPositive}},
      {"evaluation.weights", WordSlot(&c.evaluation.weights),
       "`trained`: the weights; `ema`: their average (`training.ema_decay`), in the evaluations of a run and in "
       "`evaluate`."},
  };
}

}  // namespace nystrom
