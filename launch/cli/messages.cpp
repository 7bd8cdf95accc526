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
    Message{kStart, "unknown key `…`; …", 2,
            "The configuration contains an unknown key.",
            "Correct the key. `nystrom --help-config` lists all keys."},
    Message{kStart, "is in use by …", 2,
            "A live job, on the host and with the process id named, writes to this run directory.",
            "Wait for it, end it (`scancel`, `kill`), or choose another `run.directory`. Do not delete "
            "`lock` while that process is alive."},
    Message{kStart, "was left locked by …, which is dead; this job takes the lock over.", 0,
            "The previous job was killed and could not release its lock.", "Nothing."},
    Message{kStart, "If it is surely dead, start once with `--takeover`", 2,
            "The lock belongs to another user and cannot be read, or to a process that this system hides "
            "(/proc with hidepid): whether the job is alive is unknown, so it counts as alive.",
            "Ask the user named by `ls -l DIR/lock`, or wait. `--takeover` takes the lock in any case; a job "
            "that still lives then ends."},
    Message{kStart, "is locked by …; waiting up to … s for its heartbeat.", 0,
            "The lock was created on another machine, so only its heartbeat shows whether that job is alive.",
            "Wait; the job then starts or is refused."},
    Message{kStart, "was made with another configuration: …", 2,
            "This run directory belongs to a run whose configuration differs in the keys named.",
            "Restore the values, or choose another `run.directory`. To continue from a checkpoint with another "
            "optimizer, schedule, objective or data, fork it: `--resume PATH` with a new `run.directory`."},
    Message{kStart, "was trained on other data under the same names", 2,
            "The shards were regenerated or replaced since the checkpoint was written: their content differs.",
            "Restore the shards, or give `--accept-new-data`, which is recorded in the run."},
    Message{kStart, "holds another run, and … is not one of its checkpoints.", 2,
            "`--resume PATH` was to fork a run into a directory that another run uses.",
            "Choose a new `run.directory`."},
    Message{kStart, "This run departs from the one that it continues: …", 0,
            "A fork, or a resume with `--accept-new-data`: the losses are no longer bit-identical to those of the run "
            "that it continues.",
            "Nothing."},
    Message{kStart, "was already used by a run, and `--resume` is never.", 2,
            "You asked for a new run in a directory with a checkpoint.",
            "Choose another `run.directory`, or omit `--resume` to resume."},
    Message{kStart, "does not have the … of rank 0", 1,
            "The ranks were started with different programs, configurations or copies of the shards. The "
            "message names the difference.",
            "Install the same build and the same files on the host shown. Typical causes are a machine that "
            "was not updated and a local copy of the data."},
    Message{kStart, "use… … of the … of …: …", 0,
            "Half of a machine or more stays idle: the launcher bound each rank to one core, or a variable or key "
            "sets few threads; the message says which.",
            "Start the job by launch/mpirun.sh, or change what the message names."},
    Message{kStart, "threads of … share … of …, and wait for each other", 0,
            "More threads than CPUs: steps take several times as long.",
            "Start fewer ranks, or change what the message names."},
    Message{kStart, "ranks were started, but MPI sees one", 2,
            "The launcher belongs to another MPI library than the program.",
            "Use the `mpirun` of the library that `nystrom doctor` names."},
    Message{kStart, "but MPI does not know of them (`--mpi=none`)", 2,
            "`srun` started several tasks that do not know of each other.", "Add `--mpi=pmix` to `srun`."},
    Message{kStart, "This CPU lacks instructions that this program is compiled for", 2,
            "The program needs AVX2 (x86-64-v3).",
            "Run it on a newer CPU; let a virtual machine see the host's CPU."},
    Message{kStart, "write a time such as 11h45m, 90s or 2d12h", 2,
            "The value of a configuration key is not a valid duration.",
            "Write it as shown."},

    Message{kRanks, "This rank waited … s in MPI's … for the others", 1,
            "At the start or the end of the job a rank is missing: its machine is down, its process hangs or "
            "is stopped.",
            "Inspect the machines of the job (`ps`, `dmesg`); remove the faulty one and restart."},
    Message{kRanks, "did not take part", 1,
            "The rank named is alive or stopped, but did not enter the collective within "
            "`communication.timeout`.",
            "Inspect that process (`nystrom doctor --job DIR`, `gdb -p`): a stopped process, a slow disk, a "
            "hung GPU. Restart the job; it resumes from the last checkpoint."},
    Message{
        kRanks, "did not answer and is presumed dead", 1,
        "The rank named died; the launcher had begun to end the job.",
        "Look for its own message above, and for the kernel's out-of-memory killer (`dmesg`) on its host."},
    Message{kRanks, "every rank is waiting, so the ranks disagree or the network is down", 1,
            "All ranks are in a collective that does not end.",
            "Check the network; if it works, file a bug report with the output of all ranks."},
    Message{kRanks, "drifted from the others", 1,
            "The check of `training.check_every`: weights or optimizer state of the rank named differ from "
            "those of the other ranks, though all applied the same updates.",
            "Remove that machine (its memory or CPU is likely faulty) and resume from a checkpoint before "
            "the last check that passed."},
    Message{kRanks, "the same micro-batch gave different gradients of …", 1,
            "The same check: that machine computed the same micro-batch twice with different results.",
            "As above."},
    Message{kRanks, "has sent no heartbeat for", 0,
            "From `doctor --job` and SIGUSR2: the rank's heartbeat is old.",
            "Inspect that process on the host named."},
    Message{kRanks, "has been in `…` for … s, and others wait for it", 0,
            "From `doctor --job` and SIGUSR2: the rank that holds the job up, and what it is doing.",
            "Inspect that process on the host named."},

    Message{
        kNumbers, "the gradient of … is not finite", 1,
        "A value overflowed or is NaN; the tensor named is the first in backward, so nearest to the "
        "cause. No checkpoint contains it.",
        "Lower `optimizer.learning_rate`, lengthen `schedule.warmup_steps`, or set `training.on_nonfinite`, in a "
        "fork: `--resume PATH` with a new `run.directory`. With `skip` or `rollback` it is a warning."},
    Message{kNumbers, "standard deviations above its mean of", 1, "`training.on_spike`: the loss spiked.",
            "Inspect the samples of the step; lower the learning rate. With `skip` or `rollback` the run "
            "continues and this is a warning."},
    Message{kNumbers, "consecutive steps: training is diverging.", 1,
            "Twenty consecutive steps were loss spikes.",
            "Fork an earlier checkpoint: `--resume PATH` with a lower learning rate and a new `run.directory`."},
    Message{kNumbers, "and skips … global batches.", 0,
            "`rollback` restored the checkpoint named and skips the samples read since then.",
            "Nothing; if it happens often, lower the learning rate."},
    Message{kNumbers, "The rollback at step … failed: there is no checkpoint yet.", 1,
            "`rollback` was due before the first checkpoint.",
            "Lower `checkpoint.every_steps` or the learning rate."},
    Message{kNumbers, "The run was about to roll back from step … to … for the …th time.", 1,
            "Rolling back does not help.",
            "Fork an earlier checkpoint: `--resume PATH` with a lower learning rate and a new `run.directory`."},
    Message{kNumbers, "the pseudo-inverse residual of layer … is …", 0,
            "The iteration no longer inverts the layer's landmark matrix (1 is as bad as no inverse at all).",
            "Raise `model.attention.pinv_iterations`, or lower the learning rate. A model that has reached "
            "this state may still be good: check the validation loss."},

    Message{kStop, "stopping after step …: …", 3,
            "A signal, `run.stop_after` or the file `stop` requested it; a checkpoint was written.",
            "Run the same command to resume."},
    Message{
        kStop, "The lock of … was taken over by …", 1,
        "This job was suspended or disconnected for so long that another job took over its run directory, or "
        "the other was started with `--takeover`. This one writes nothing more there.",
        "Nothing, if the other job is the one that you want."},
    Message{kStop, "has no heartbeats: no job is running there", 2,
            "`doctor --job` found no running job in that directory.",
            "Give the `run.directory` of a running job."},

    Message{kFiles, "The checkpoint … could not be written", 0,
            "The disk is full, read-only or gone; older checkpoints are valid. At the last step this ends "
            "the job with status 1.",
            "Free disk space."},
    Message{kFiles, "is corrupt: its content does not match its digest.", 0,
            "The checkpoint is not what was written. At the start it is skipped and the previous one is "
            "used; given to `--resume PATH` or another command it is refused (2).",
            "Check the disk; delete the file."},
    Message{kFiles, "No checkpoint in … is valid", 2,
            "All checkpoints are corrupt; nothing was started or overwritten.",
            "Restore one from a backup, or remove them to start over."},
    Message{kFiles, "does not read back as it was written", 0,
            "The file, read right after writing, differs from what was written.",
            "The disk or the memory of rank 0's machine is faulty: run the job elsewhere."},
    Message{kFiles, ", and `checkpoint.failures_allowed` is …", 1,
            "More consecutive checkpoints failed than the configuration allows; the last reason is named, "
            "older checkpoints are valid.",
            "Free disk space, or check the file system; the same command resumes from the last valid "
            "checkpoint."},
    Message{kFiles, "has made no progress for … s: the disk or its file server hangs.", 1,
            "Rank 0's thread that writes a checkpoint has been in one system call for "
            "`communication.timeout`. The file is never published; older checkpoints are valid.",
            "Check the file system (`dmesg`, the server); the same command resumes from the previous "
            "checkpoint."},
    Message{kFiles, "New records are kept in memory until there is space.", 0,
            "`metrics.jsonl` or the TensorBoard file cannot be written: a full or read-only disk. The run "
            "continues; pending records are written later, in order.",
            "Free disk space."},
    Message{kFiles, "The run continues without its report.", 0,
            "`report.html` could not be written: a full or read-only disk, or a file that cannot be read. It is "
            "reported once; each validation tries again.",
            "Free disk space, or set `run.report: false`."},
    Message{kFiles, "Only data in the file itself is read.", 2,
            "An HDF5 file has a dataset whose values are in other files: external storage, or a virtual dataset.",
            "Nobody writes models or shards so: do not trust the file. For your own data write a file that holds them "
            "(`h5repack`)."},
    Message{kFiles, "Links can lead to any file, so only data in this file itself is read.", 2,
            "An HDF5 file has a soft link, or a link to another file.",
            "The same."},
    Message{kFiles, "outside of its folder, and is not followed: it could be any file.", 2,
            "A file of a model's folder is a link that leads out of it, other than to Hugging Face's cache.",
            "If you made the link, copy the file into the folder (`cp -L`); else do not trust the folder."},
    Message{kFiles, "makes the HDF5 library crash (…)", 2,
            "A shard or checkpoint is corrupt or malicious. It was read in a child process, which crashed.",
            "Get the file again, or leave it out."},
    Message{kFiles, "cannot be created: …", 2, "The run directory cannot be created.",
            "Choose another `run.directory`, or grant write permission there."},

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
