#pragma once
// The threads of ops, each on its own core during a step.
//
// With other processes the system may leave two threads of a step on one CPU and the other to those processes
// alone: with three equals on two processors, no move makes them more even. The step then has half of the
// machine, where two thirds are its share. With one thread on each core, the other work takes its part of
// each, and the threads of a team even that out (ThreadTeam).

#include <sched.h>

#include <memory>

#include "kernels/tensor/context.h"
#include "kernels/tensor/thread_team.h"

namespace nystrom {

class BoundThreads {
 public:
  /// Binds where the ops of `context` run on the CPU, on its threads alone (`alone`: no library computes on
  /// threads of OpenMP), on one thread for each core that this process may use and on more than one, and the
  /// environment leaves it to the program: none of OMP_PROC_BIND, OMP_PLACES and GOMP_CPU_AFFINITY is set.
  /// With fewer threads than cores the system chooses, which knows what else runs.
  BoundThreads(const Context& context, bool alone);
  [[nodiscard]] bool binds() const { return team_ != nullptr; }

  /// While it lives, the team computes the ops of `context`, the calling thread among them; without effect
  /// where nothing is bound. Meanwhile libraries with threads of OpenMP would find the calling thread on one
  /// core. At the end it may run anywhere again, so that threads and programs started between steps are not
  /// bound.
  class Scope {
   public:
    Scope(const BoundThreads& threads, Context& context);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    const BoundThreads& threads_;
    Context& context_;
  };

 private:
  std::unique_ptr<ThreadTeam> team_;  // null: nothing is bound
  cpu_set_t all_{};
};

}  // namespace nystrom
