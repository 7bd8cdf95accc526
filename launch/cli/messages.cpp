#include "launch/cli/messages.h"

#include <array>

#include <fmt/format.h>

namespace nystrom {
namespace {

constexpr std::string_view kStart = "Startup", kRanks = "Ranks", kNumbers = "Numerics", kStop = "Stopping",
                           kFiles = "Checkpoints and disks", kData = "Shards and tokenizers";

// One row per message: the text as it is printed, the exit status, the cause, the action.
// clang-format off
const std::array kMessages = {
    Message{kStart, "there is no key '…'; did you mean '…'?", 2,
            "The configuration contains an unknown key.",
            "Correct the key. `nystrom --help-config` lists all keys."},
    Message{kStart, "is in use by …", 2,
            "A running job, on the host and with the process ID shown, writes to this run directory.",
            "Wait for it, end it (`scancel`, `kill`), or choose another `run.directory`. Do not delete "
            "`lock` while that process runs."},
    Message{kStart, "was left locked by …, which is dead; this job takes over", 0,
            "The previous job was killed and could not release its lock.",
            "Nothing."},
    Message{kStart, "is locked by …; looking for up to … s whether it lives", 0,
            "The lock was taken on another machine, so only its heartbeat shows whether that job still runs.",
            "Wait: the job then starts or is refused."},
    Message{kStart, "was made with another configuration: …", 2,
            "The run in this directory was started with a configuration that differs in the keys shown.",
            "Restore their values, or choose another `run.directory`."},
    Message{kStart, "was used by a run before, and --resume is never.", 2,
            "A new run was requested (`--resume never`) in a used run directory.",
            "Choose another `run.directory`, or omit `--resume` to resume the run."},
    Message{kStart, "does not have the … of rank 0", 1,
            "The ranks were started with different programs, configurations or copies of the shards. The "
            "message names the difference.",
            "Install the same build and the same files on the host shown. Typical causes are a machine that "
            "was not updated and a local copy of the data."},
    Message{kStart, "write a time such as 11h45m, 90s or 2d12h", 2,
            "The value of a configuration key is not a valid duration.",
            "Write it as shown."},

    Message{kRanks, "This rank waited … s in MPI's … for the others", 1,
            "A rank did not reach `MPI_Init` or `MPI_Finalize`: its machine is down, or its process hangs "
            "or was stopped.",
            "Check the machines of the job (`ps`, `dmesg`). Remove the faulty one and start the job again."},
    Message{kRanks, "did not take part", 1,
            "The rank shown runs or is stopped, but did not reach the collective within "
            "`communication.timeout`.",
            "Inspect that process (`nystrom doctor --job DIR`, `gdb -p`): it may be stopped, or wait for a "
            "slow disk or a hung GPU. Start the job again; it resumes from the last checkpoint."},
    Message{kRanks, "did not answer and must be dead", 1,
            "The process of the rank shown died, and the launcher was ending the job.",
            "Look for its own message above, and for the kernel's out-of-memory killer (`dmesg`) on its "
            "host."},
    Message{kRanks, "every rank is waiting, so the ranks disagree or the network is down", 1,
            "All ranks wait in a collective that does not complete.",
            "Check the network. If it works, report a bug with the output of all ranks."},
    Message{kRanks, "drifted from the others", 1,
            "The check of `training.check_every` failed: weights or optimizer state of the rank shown "
            "differ from those of the other ranks after the same updates.",
            "Remove that machine from the job (its memory or CPU is probably faulty). Resume from a "
            "checkpoint that is older than the last check that passed."},
    Message{kRanks, "the same micro-batch gave different gradients of …", 1,
            "The check of `training.check_every` failed: that machine computed the same gradients twice "
            "with different results.",
            "As above."},
    Message{kRanks, "has given no sign of life for", 0,
            "Printed by `doctor --job` and on SIGUSR2: the heartbeat of the rank is stale.",
            "Inspect that process on the host shown."},
    Message{kRanks, "has been in `…` for … s, and others wait for it", 0,
            "Printed by `doctor --job` and on SIGUSR2: the rank that blocks the job, and what it is doing.",
            "Inspect that process on the host shown."},

    Message{kNumbers, "the gradient of … is not finite", 1,
            "A value overflowed or became NaN. The tensor shown is the first one in the backward pass, "
            "hence nearest to the cause. No checkpoint contains it.",
            "Lower `optimizer.learning_rate`, increase `schedule.warmup_steps`, or set "
            "`training.on_nonfinite` to `skip` or `rollback`, which make this a warning."},
    Message{kNumbers, "standard deviations above its mean of", 1,
            "The check of `training.on_spike` found a loss spike.",
            "Inspect the samples of that step, lower the learning rate, or set `training.on_spike` to "
            "`skip` or `rollback`, which make this a warning."},
    Message{kNumbers, "this is no spike but a rise", 1,
            "Twenty consecutive steps were loss spikes: training diverges.",
            "Resume from an earlier checkpoint (`--resume PATH`) with a lower learning rate."},
    Message{kNumbers, "global batches further on in the data", 0,
            "`rollback` restored the checkpoint shown and skips the samples that were used since.",
            "Nothing. If it happens often, lower the learning rate."},
    Message{kNumbers, "the run should go back, but there is no checkpoint yet", 1,
            "`rollback` was due before the first checkpoint.",
            "Lower `checkpoint.every_steps` or the learning rate."},
    Message{kNumbers, "the run went back to … for the …th time", 1,
            "Rolling back did not help.",
            "Resume from an earlier checkpoint with a lower learning rate."},
    Message{kNumbers, "the residual of layer …'s pseudo-inverse is …", 0,
            "The iteration no longer inverts the landmark matrix of that layer (a residual of 1 is as bad "
            "as no inverse).",
            "Raise `model.attention.pinv_iterations`, or lower the learning rate. A trained model with such "
            "a layer may still be good: check its validation loss."},

    Message{kStop, "stopping after step …: …", 3,
            "A signal, `run.stop_after` or the file `stop` requested it. A checkpoint was written.",
            "Run the same command to resume."},
    Message{kStop, "The lock of … was lost to …", 1,
            "This job was stopped or cut off for so long that another job took over its run directory.",
            "Nothing, if the other job is the one that you want."},
    Message{kStop, "has no heartbeats of ranks", 2,
            "`doctor --job` found no running job in that directory.",
            "Give the `run.directory` of a running job."},

    Message{kFiles, "The checkpoint … could not be written", 0,
            "The disk is full, read-only or gone. Older checkpoints remain valid. At the last step the job "
            "fails with status 1.",
            "Free some space."},
    Message{kFiles, "is damaged: its content does not agree with its digest.", 0,
            "The checkpoint is corrupt. At the start of a run it is skipped, and the one before it is used. "
            "A corrupt checkpoint that is named by `--resume PATH`, or to another command, is refused (2).",
            "Check the disk, and delete the file."},
    Message{kFiles, "No checkpoint in … is whole", 2,
            "All checkpoints are corrupt. Nothing was started or overwritten.",
            "Restore one from a backup, or remove them to start again."},
    Message{kFiles, "reads back otherwise than it was written", 0,
            "The file that was read back right after writing differs from what was written.",
            "The disk or the memory of rank 0's machine is faulty: move the job."},
    Message{kFiles, ", and checkpoint.failures_allowed is …", 1,
            "More consecutive checkpoints failed than the configuration allows. The message has the last "
            "reason. Older checkpoints remain valid.",
            "Free some space, or check the file system. The same command resumes from the latest valid "
            "checkpoint."},
    Message{kFiles, "has not moved on for … s: the disk or its file server hangs.", 1,
            "The thread of rank 0 that writes a checkpoint was blocked in one system call for "
            "`communication.timeout`. The unfinished file never gets its final name, and older checkpoints "
            "remain valid.",
            "Check the file system (`dmesg`, the file server). The same command resumes from the previous "
            "checkpoint."},
    Message{kFiles, "It is kept in memory until there is room.", 0,
            "`metrics.jsonl` or the TensorBoard file cannot be written, because the disk is full or "
            "read-only. The run continues, and the lines are written later, in order.",
            "Free some space."},
    Message{kFiles, "makes the HDF5 library crash (…)", 2,
            "A shard or checkpoint is corrupt or malicious. It was read in a child process, which crashed.",
            "Get the file again, or leave it out."},
    Message{kFiles, "cannot be made: …", 2,
            "The run directory cannot be created.",
            "Choose another `run.directory`, or grant write permission."},

    Message{kData, "was made with another tokenizer", 2,
            "The shards were prepared with another tokenizer.",
            "Prepare the text with this tokenizer, or set `tokenizer.path` to the right one."},
    Message{kData, "was replaced while it was in use", 2,
            "A shard was changed while the job was running.",
            "Start the job again when the shards no longer change."},
    Message{kData, "The file is corrupt; prepare it again.", 2,
            "The shard is corrupt.",
            "Copy it again, or run `nystrom prepare` again. Check the disk."},
};
// clang-format on

}  // namespace

std::span<const Message> messages() {
  return kMessages;
}

std::string messages_document() {
  std::string text =
      "# Messages\n"
      "\n"
      "<!-- Generated by `nystrom --help-messages`; a test compares the two. -->\n"
      "\n"
      "Messages of a job that an operator should act on. The program prints one sentence to standard error; "
      "`mpirun` may add a banner. The texts below are parts of those sentences, and `…` stands for names and "
      "numbers. Status is the exit status of the job: 1 failed, 2 refused, 3 stopped and to be resumed. With "
      "– the job continues.\n";
  std::string_view subject;
  for (const Message& message : kMessages) {
    if (message.subject != subject) {
      subject = message.subject;
      text += fmt::format("\n## {}\n\n| message | status | cause | action |\n|---|---|---|---|\n", subject);
    }
    const std::string status = message.status == 0 ? "–" : std::to_string(message.status);
    text += fmt::format("| {} | {} | {} | {} |\n", message.sentence, status, message.cause, message.action);
  }
  return text;
}

}  // namespace nystrom
