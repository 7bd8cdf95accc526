#include "trainer/comm/launcher.h"

#include <charconv>
#include <cstdlib>
#include <initializer_list>
#include <string_view>

#include "kernels/core/processors.h"
#include "trainer/comm/comm.h"

namespace nystrom {
namespace {

int first_number(std::initializer_list<const char*> names, int fallback) {
  for (const char* name : names) {
    const char* text = std::getenv(name);
    if (text == nullptr) continue;
    const std::string_view value(text);
    int number = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (error == std::errc() && end == value.data() + value.size() && number >= 0) return number;
  }
  return fallback;
}

}  // namespace

// Variables of Open MPI, then of PMIx under srun, then of MPICH and its derivatives.
int launched_rank() {
  return first_number({"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK"}, 0);
}
int launched_ranks() {
  const int under_srun = under_launcher() ? first_number({"SLURM_STEP_NUM_TASKS"}, 1) : 1;
  return first_number({"OMPI_COMM_WORLD_SIZE", "PMI_SIZE"}, under_srun);
}
int launched_local_rank() {
  return first_number({"OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID", "SLURM_LOCALID"}, 0);
}
int launched_local_ranks() {
  return first_number({"OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS"}, 1);
}

int tasks_without_mpi() {
  return under_launcher() ? 1 : first_number({"SLURM_STEP_NUM_TASKS"}, 1);
}

void take_share_of_machine() {
  const char* wanted = std::getenv("NYSTROM_BIND");
  const int rank = launched_local_rank(), ranks = launched_local_ranks();
  if (wanted == nullptr || std::string_view(wanted) != "share" || rank >= ranks) return;
  const Processors machine = available_processors();
  const auto share = share_of(machine, rank, ranks);
  if (share.empty())
    ::setenv("OMPI_MCA_mpi_yield_when_idle", "1", 0);
  else
    (void)bind_to(share);  // unbound, the ranks share all cores evenly
}

}  // namespace nystrom
