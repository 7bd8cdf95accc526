#pragma once
// Figures of a start: rows and JSON of a CheckReport.

#include <vector>

#include "data/preparation/prepare.h"
#include "launch/check/check.h"
#include "launch/setup/grid.h"
#include "launch/setup/prepare_setup.h"
#include "launch/setup/run_shards.h"
#include "trainer/start_report.h"

namespace nystrom {

void add_preparation(CheckReport& report, const Config& config, const PrepareStart& start);
void add_task_preparation(CheckReport& report, const Config& config, const TaskPreparation& preparation);

/// The verdict, the run directory, the model, and what computes it. `config` is resolved.
void add_run(CheckReport& report, StartKind kind, const Config& config, const ModelConfig& model,
             const StartReport& start);
/// For programs: people read the notes. Nothing for a split without shards.
void add_shards(CheckReport& report, std::string_view split, const ShardTotals& totals);
void add_epochs(CheckReport& report, const StartReport& start);
void add_task(CheckReport& report, const Config& config, const StartReport& start);
/// Says also that the other figures are those of the first point.
void add_grid(CheckReport& report, const std::vector<GridPoint>& points);

/// What the run asks of this machine.
struct Demand {
  const StartReport& start;
  const Config& config;
  int local_ranks = 1;    ///< that share the machine's memory
  std::int64_t runs = 1;  ///< one after another
};
/// Bytes of this machine's memory.
struct MachineMemory {
  double peak_bytes = 0;  ///< that this process took at most
  double left_bytes = 0;  ///< that programs can still have; 0: not known
};
void add_memory(CheckReport& report, const Demand& demand, const MachineMemory& machine);

/// Memory, disk and time, with a warning where there is too little.
void add_machine(CheckReport& report, const Demand& demand);

}  // namespace nystrom
