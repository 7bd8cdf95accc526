#pragma once
// Collectives between the ranks of a job, over MPI or for a single process. (Tensors on GPUs:
// gpu_collectives.h.)
//
//   auto comm = make_comm({.timeout_seconds = 600});      // MPI under mpirun or srun, else one rank
//   comm->all_reduce(sums, "the sums of the losses");
//
// Every rank makes the same calls in the same order, from one thread. A collective that does not complete
// within the timeout throws CommTimeout, which names this rank, the step, the collective and, as far as
// known, the ranks that did not take part. After a failure of a single rank the others wait for it: end the
// job with abort(). Sums are deterministic for a fixed number of ranks, and the same on every rank.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/core/check.h"
#include "kernels/tensor/tensor.h"
#include "trainer/process/activity.h"

namespace nystrom {

struct CommOptions {
  double timeout_seconds = 600;  ///< `communication.timeout`
  /// Called from another thread, with a message, if MPI's own init or finalize hangs, or NCCL's, which
  /// nothing can interrupt: it should print the message and end the process. Without it such a hang lasts for
  /// ever.
  std::function<void(const std::string&)> on_hang = {};
};

class CommTimeout : public Error {
 public:
  using Error::Error;
};

class Comm {
 public:
  /// A collective in progress. Tickets are waited for in any order, each once.
  using Ticket = std::uint64_t;

  Comm() = default;
  virtual ~Comm() = default;
  Comm(const Comm&) = delete;
  Comm& operator=(const Comm&) = delete;

  [[nodiscard]] virtual int rank() const = 0;
  [[nodiscard]] virtual int ranks() const = 0;
  [[nodiscard]] virtual int local_rank() const = 0;  ///< among the ranks of this machine
  [[nodiscard]] virtual int local_ranks() const = 0;
  [[nodiscard]] virtual std::string_view kind() const = 0;  ///< "none", "mpi"
  /// "rank 3 on node7", for messages.
  [[nodiscard]] virtual std::string rank_name(int rank) const { return fmt::format("rank {}", rank); }

  /// Starts values [N] (fp32, fp64, or bf16, whose partial sums are rounded to bf16) = sum over ranks, in
  /// place; the tensor must not be used until wait(). Progresses in the background while this thread
  /// computes. `what` must outlive the wait.
  [[nodiscard]] virtual Ticket start_all_reduce(const Tensor& values, std::string_view what) = 0;
  /// Starts the same for a part: values [ranks * P]; afterwards elements [r P, (r + 1) P) on rank r are their
  /// sum over ranks, in the order of tree_sum(), and the others are undefined. Without other ranks:
  /// InternalError.
  [[nodiscard]] virtual Ticket start_reduce_scatter(const Tensor& values, std::string_view what);
  virtual void wait(Ticket ticket) = 0;
  /// Starts sending to one rank, or receiving what it sends, which has as many bytes; they must not be used
  /// until wait(). What one rank sends to another arrives in order. Without other ranks: InternalError.
  [[nodiscard]] virtual Ticket start_send(std::span<const std::byte> bytes, int to, std::string_view what);
  [[nodiscard]] virtual Ticket start_receive(std::span<std::byte> bytes, int from, std::string_view what);

  /// Bytes of `root` to all ranks.
  virtual void broadcast(std::span<std::byte> bytes, int root, std::string_view what) = 0;
  /// all [ranks * mine.size()]: the bytes of each rank, in rank order. For small data.
  virtual void all_gather(std::span<const std::byte> mine, std::span<std::byte> all,
                          std::string_view what) = 0;
  /// Rank r owns elements [begins[r], begins[r + 1]) of values [N]; afterwards every rank has all of them.
  virtual void all_gather_shards(const Tensor& values, std::span<const std::int64_t> begins,
                                 std::string_view what) = 0;
  /// The same from each rank's shard `mine` to `whole` [N] on rank 0.
  virtual void gather_shards(const Tensor& mine, const Tensor& whole, std::span<const std::int64_t> begins,
                             std::string_view what) = 0;
  virtual void barrier(std::string_view what) = 0;

  /// Ends all ranks of the job at once with this exit status; returns only on failure.
  virtual void abort(int status) noexcept = 0;
  /// CommOptions::on_hang with the message of a library that hangs, from any thread.
  virtual void report_hang(const std::string& /*message*/) const {}

  void all_reduce(const Tensor& values, std::string_view what) { wait(start_all_reduce(values, what)); }
  void all_reduce(std::span<double> values, std::string_view what) {
    all_reduce(Tensor(values.data(), DType::kF64, {static_cast<std::int64_t>(values.size())}), what);
  }
  /// `text` of `root`, on every rank.
  [[nodiscard]] std::string broadcast_text(std::string text, int root, std::string_view what);
  /// Each rank's text, in rank order.
  [[nodiscard]] std::vector<std::string> all_gather_text(const std::string& mine, std::string_view what);

  /// The step that this rank's messages name.
  void set_step(std::int64_t step) { activity_.set_step(step); }
  /// This rank's step, phase, and the collective that it waits for.
  [[nodiscard]] Activity& activity() { return activity_; }

 protected:
  [[nodiscard]] std::int64_t step() const { return activity_.step(); }

 private:
  Activity activity_;
};

/// True if this process was started as one of several (by mpirun, or by srun with PMIx).
[[nodiscard]] bool under_launcher();

/// The ranks that the launcher started, or this process alone (MPI is not initialized then). One at a time.
/// Destroyed during stack unwinding, it ends the job; otherwise it waits for the other ranks.
[[nodiscard]] std::unique_ptr<Comm> make_comm(const CommOptions& options);

/// A single rank, whatever started the process.
[[nodiscard]] std::unique_ptr<Comm> make_solo_comm();

}  // namespace nystrom
