#pragma once
// Report sinks besides the run directory: `run.on_report`, `run.metrics_file`.

#include "launch/cli/log.h"
#include "launch/config/config.h"
#include "trainer/metrics/observer.h"

namespace nystrom {

/// Adds the observers that the keys ask for, on rank 0. `values`: the configuration by dotted keys. `log`
/// must outlive `observers`.
void add_sinks(Observers& observers, const Config& config, const Settings& values, const Log& log, int rank);

}  // namespace nystrom
