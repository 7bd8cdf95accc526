#include "launch/cli/messages.h"

#include <array>

#include <fmt/format.h>

namespace nystrom {
namespace {

constexpr std::string_view kStart = "At the start", kRanks = "Ranks", kNumbers = "Numbers",
                           kStop = "Stopping", kFiles = "Checkpoints and disks",
                           kData = "Shards and tokenizers";

const std::array kMessages = {
    Message{kStart, "there is no key '…'; did you mean '…'?", 2,
            "The configuration has a key that no command knows.",
            "Correct it; `nystrom --help-config` lists all keys."},
    Message{kStart, "is in use by …", 2,
            "A job that lives, on the host and with the process number named, writes to this run directory.",
            "Wait for it, end it (`scancel`, `kill`), or choose another `run.directory`. Do not delete "
            "`lock` while that process lives."},
    Message{kStart, "was left locked by …, which is dead; this job takes over", 0,
            "The job before was killed and could not give its lock back.", "Nothing."},
    Message{kStart, "is locked by …; looking for up to … s whether it lives", 0,
            "The lock was made on another machine, so only its beats tell whether that job lives.",
            "Wait; the job goes on by itself or is refused."},
    Message{kStart, "was made with another configuration: …", 2,
            "This run directory belongs to a run whose configuration differs in the keys named.",
            "Restore the values, or choose another `run.directory`."},
    Message{kStart, "was used by a run before, and --resume is never.", 2,
            "You asked for a fresh start in a used folder.",
            "Choose another `run.directory`, or leave `--resume` out to go on."},
    Message{kStart, "does not have the … of rank 0", 1,
            "A rank was started with another program, configuration, or copy of the shards; what differs is "
            "named.",
            "Install the same build and files on the host named. Often a machine that was not updated, or a "
            "local copy of the data."},
    Message{kStart, "write a time such as 11h45m, 90s or 2d12h", 2,
            "A time in the configuration cannot be read.", "Write it as shown."},

    Message{kRanks, "This rank waited … s in MPI's … for the others", 1,
            "At the start or the end of the job a rank did not come: its machine is down, its process hangs "
            "or was stopped.",
            "Look at the machines of the job (`ps`, `dmesg`); take the bad one out and start again."},
    Message{
        kRanks, "did not take part", 1,
        "The rank named is alive or stopped, but was not in the collective within `communication.timeout`.",
        "Look at that process (`nystrom doctor --job DIR`, `gdb -p`): a stopped process, a slow disk, a hung "
        "GPU. Start the job again; it goes on from the last checkpoint."},
    Message{
        kRanks, "did not answer and must be dead", 1,
        "The rank named died; the launcher had begun to end the job.",
        "Look for its own message above, and for the kernel's out-of-memory killer (`dmesg`) on its host."},
    Message{kRanks, "every rank is waiting, so the ranks disagree or the network is down", 1,
            "All ranks are in a collective that does not end.",
            "Look at the network; if it is well, report it with the output of all ranks."},
    Message{kRanks, "drifted from the others", 1,
            "The check of `training.check_every`: weights or optimizer state on the rank named are not those "
            "of the other ranks, though all did the same updates.",
            "Take that machine out (memory or processor is likely faulty) and resume from a checkpoint "
            "before the last check that passed."},
    Message{kRanks, "the same micro-batch gave different gradients of …", 1,
            "The same check: that machine computed one thing twice with different results.", "As above."},
    Message{kRanks, "has given no sign of life for", 0,
            "From `doctor --job` and SIGUSR2: the rank's heartbeat is old.",
            "Look at that process on the host named."},
    Message{kRanks, "has been in `…` for … s, and others wait for it", 0,
            "From `doctor --job` and SIGUSR2: the rank that holds the job up, and what it is doing.",
            "Look at that process on the host named."},

    Message{
        kNumbers, "the gradient of … is not finite", 1,
        "A number overflowed or is not one; the tensor named is the first in backward, so nearest to the "
        "cause. No checkpoint has it.",
        "Lower `optimizer.learning_rate`, lengthen `schedule.warmup_steps`, or set `training.on_nonfinite`. "
        "With `skip` or `rollback` it is a warning."},
    Message{kNumbers, "standard deviations above its mean of", 1,
            "The guard of `training.on_spike`: the loss jumped.",
            "Look at the samples of the step; lower the rate; `skip` or `rollback` go on by themselves, and "
            "then it is a warning."},
    Message{kNumbers, "this is no spike but a rise", 1,
            "Twenty steps in a row were spikes: training has diverged.",
            "Resume from an earlier checkpoint (`--resume PATH`) with a lower rate."},
    Message{kNumbers, "global batches further on in the data", 0,
            "`rollback` went to the checkpoint named and passes over the samples since then.",
            "Nothing; if it happens often, lower the rate."},
    Message{kNumbers, "the run should go back, but there is no checkpoint yet", 1,
            "`rollback` was due before the first checkpoint.", "Lower `checkpoint.every_steps` or the rate."},
    Message{kNumbers, "the run went back to … for the …th time", 1, "Going back does not help.",
            "Resume from an earlier checkpoint with a lower rate."},
    Message{
        kNumbers, "the residual of layer …'s pseudo-inverse is …", 0,
        "The iteration no longer inverts the layer's landmark matrix (1 is as bad as no inverse at all).",
        "Raise `model.attention.pinv_iterations`, or lower the rate; a model that is already so may still be "
        "good: look at the validation loss."},

    Message{kStop, "stopping after step …: …", 3,
            "A signal, `run.stop_after` or the file `stop` asked for it; a checkpoint was written.",
            "Start the same command to go on."},
    Message{kStop, "The lock of … was lost to …", 1,
            "This job was stopped or cut off for so long that another took its run directory over.",
            "Nothing, if the other is the one that you want."},
    Message{kStop, "has no heartbeats of ranks", 2, "`doctor --job` found no running job in that directory.",
            "Give the `run.directory` of a running job."},

    Message{kFiles, "The checkpoint … could not be written", 0,
            "The disk is full, read-only or gone; older checkpoints are whole. At the last step this ends "
            "the job with status 1.",
            "Make room."},
    Message{
        kFiles, "is damaged: its content does not agree with its digest.", 0,
        "A checkpoint is not what was written; at the start it is passed over for the one before. Named by "
        "`--resume PATH` or another command it is refused (2).",
        "Look at the disk; delete the file."},
    Message{kFiles, "No checkpoint in … is whole", 2,
            "All checkpoints are damaged; nothing was started or overwritten.",
            "Restore one from a backup, or remove them to start anew."},
    Message{kFiles, "reads back otherwise than it was written", 0,
            "What came back from the disk right after writing is not what was written.",
            "The disk or the memory of rank 0's machine is faulty: move the job."},
    Message{
        kFiles, ", and checkpoint.failures_allowed is …", 1,
        "More checkpoints in a row could not be written than the configuration allows; the last reason is "
        "named, older checkpoints are whole.",
        "Make room, or look at the file system; the same command goes on from the last good one."},
    Message{
        kFiles, "has not moved on for … s: the disk or its file server hangs.", 1,
        "Rank 0's thread that writes a checkpoint has been in one call for `communication.timeout`. The file "
        "never gets its name; older checkpoints are whole.",
        "Look at the file system (`dmesg`, the server); the same command goes on from the checkpoint "
        "before."},
    Message{kFiles, "It is kept in memory until there is room.", 0,
            "`metrics.jsonl` or the TensorBoard file cannot be written: a full or read-only disk. The run "
            "goes on; what is not written yet is written later, in order.",
            "Make room."},
    Message{kFiles, "makes the HDF5 library crash (…)", 2,
            "A shard or checkpoint is corrupt or malicious; it was validated in a child process.",
            "Get the file again, or leave it out."},
    Message{kFiles, "cannot be made: …", 2, "The run directory cannot be created.",
            "Choose another `run.directory`, or give the right to write there."},

    Message{kData, "was made with another tokenizer", 2, "Shards and tokenizer do not belong together.",
            "Prepare the text with that tokenizer, or name the right one by `tokenizer.path`."},
    Message{kData, "was replaced while it was in use", 2, "A shard changed under the running job.",
            "Start again when nothing writes to the shards."},
    Message{kData, "The file is corrupt; prepare it again.", 2, "A shard is not what was written.",
            "Copy it again, or run `nystrom prepare` again; look at the disk."},
};

}  // namespace

std::span<const Message> messages() {
  return kMessages;
}

std::string messages_document() {
  std::string text =
      "# Messages\n\n"
      "<!-- Written by `nystrom --help-messages`; a test compares the two. -->\n\n"
      "What a job says that an operator should act on. One sentence of ours goes to standard error, then "
      "`mpirun` may add a banner. The sentences below are parts of what is printed; `…` stands for names and "
      "numbers. Status: how the job ends (1 failed, 2 refused, 3 stopped, to be resumed), or – where it goes "
      "on.\n";
  std::string_view subject;
  for (const Message& message : kMessages) {
    if (message.subject != subject) {
      subject = message.subject;
      text += fmt::format("\n## {}\n\n| it says | status | it means | what to do |\n|---|---|---|---|\n",
                          subject);
    }
    const std::string status = message.status == 0 ? "–" : std::to_string(message.status);
    text += fmt::format("| {} | {} | {} | {} |\n", message.sentence, status, message.meaning, message.action);
  }
  return text;
}

}  // namespace nystrom
