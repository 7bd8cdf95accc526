#pragma once
// Console progress of a run.

#include <memory>

#include "launch/cli/log.h"
#include "trainer/metrics/observer.h"

namespace nystrom {

/// A progress bar if stderr is a terminal, else log lines. `log` must outlive it.
[[nodiscard]] std::unique_ptr<Observer> make_progress(const Log& log);

}  // namespace nystrom
