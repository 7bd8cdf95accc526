#include "kernels/tensor/bound_threads.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <utility>
#include <vector>

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

}  // namespace

BoundThreads::BoundThreads(const Context& context, bool alone) {
  if (!alone) return;
  if (context.cuda() != nullptr || context.threads() < 2 || environment_decides()) return;
  const Processors processors = available_processors();
  const std::vector<int> cpus = processors.cpus();
  if (processors.cores.size() != static_cast<std::size_t>(context.threads())) return;
  if (std::ranges::any_of(cpus, [](int cpu) { return cpu >= CPU_SETSIZE; })) return;
  all_ = set_of(cpus);
  std::vector<cpu_set_t> cores;
  for (const auto& core : processors.cores) cores.push_back(set_of(core));
  team_ = std::make_unique<ThreadTeam>(std::move(cores));
}

BoundThreads::Scope::Scope(const BoundThreads& threads, Context& context)
    : threads_(threads), context_(context) {
  if (!threads_.binds()) return;
  threads_.team_->enter();
  context_.set_team(threads_.team_.get());
}

BoundThreads::Scope::~Scope() {
  if (!threads_.binds()) return;
  context_.set_team(nullptr);
  threads_.team_->leave(threads_.all_);
}

}  // namespace nystrom
