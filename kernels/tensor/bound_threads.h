#pragma once
// The threads of ops, each on its own core during a step.
//
// With other processes the system may leave two threads of a step on one CPU and the other to those processes
// alone: with three equals on two processors, no move makes them more even. The step then has half of the
// machine, where two thirds are its share. With one thread on each core, the other work takes its part of
// each, and threads that share the chunks of an op even that out (parallel_for).

#include <sched.h>

#include <vector>

#include "kernels/tensor/context.h"

namespace nystrom {

class BoundThreads {
 public:
  /// Binds where the ops of `context` run on the CPU, on one thread for each core that this process may
  /// use and on more than one, and the environment leaves it to the program: none of OMP_PROC_BIND,
  /// OMP_PLACES and GOMP_CPU_AFFINITY is set. With fewer threads than cores the system chooses, which knows
  /// what else runs.
  explicit BoundThreads(const Context& context);
  [[nodiscard]] bool binds() const { return !cores_.empty(); }

  /// While it lives, thread i of the context runs on core i; without effect where nothing is bound. Every
  /// parallel region meanwhile must have all threads of the context, as parallel_for's and parallel_items'
  /// have: a thread that libgomp starts again begins on the core of the calling one. At the end the calling
  /// thread may run anywhere again, so that threads and programs started between steps are not bound; the
  /// others stay.
  class Scope {
   public:
    explicit Scope(const BoundThreads& threads);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    const BoundThreads& threads_;
  };

 private:
  std::vector<cpu_set_t> cores_;  // of each thread; empty: none is bound
  cpu_set_t all_{};
};

}  // namespace nystrom
