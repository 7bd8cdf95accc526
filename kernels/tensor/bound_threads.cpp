#include "kernels/tensor/bound_threads.h"

#include <algorithm>
#include <array>
#include <cstdlib>

#include "kernels/core/processors.h"

namespace nystrom {
namespace {

bool environment_decides() {
  constexpr std::array kVariables{"OMP_PROC_BIND", "OMP_PLACES", "GOMP_CPU_AFFINITY"};
  return std::ranges::any_of(kVariables, [](const char* name) { return std::getenv(name) != nullptr; });
}

cpu_set_t set_of(const std::vector<int>& cpus) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const int cpu : cpus) CPU_SET(static_cast<std::size_t>(cpu), &set);
  return set;
}

void run_on(const cpu_set_t& cpus) {
  ::sched_setaffinity(0, sizeof(cpus), &cpus);  // the calling thread; refused: it runs where it did
}

}  // namespace

BoundThreads::BoundThreads(const Context& context) {
  if (context.cuda() != nullptr || context.threads() < 2 || environment_decides()) return;
  const Processors processors = available_processors();
  const std::vector<int> cpus = processors.cpus();
  if (processors.cores.size() != static_cast<std::size_t>(context.threads())) return;
  if (std::ranges::any_of(cpus, [](int cpu) { return cpu >= CPU_SETSIZE; })) return;
  all_ = set_of(cpus);
  for (const auto& core : processors.cores) cores_.push_back(set_of(core));
}

BoundThreads::Scope::Scope(const BoundThreads& threads) : threads_(threads) {
  if (!threads_.binds()) return;
#pragma omp parallel num_threads(static_cast <int>(threads_.cores_.size()))
  run_on(threads_.cores_[static_cast<std::size_t>(omp_get_thread_num())]);
}

BoundThreads::Scope::~Scope() {
  if (threads_.binds()) run_on(threads_.all_);
}

}  // namespace nystrom
