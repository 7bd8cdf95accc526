#pragma once
// Progress of a run on the console and in log.txt.

#include <memory>

#include "launch/cli/log.h"
#include "trainer/metrics/observer.h"

namespace nystrom {

/// A progress bar if stderr is a terminal, else log lines; and lines in the log's file, if it has one. `log`
/// must outlive it.
[[nodiscard]] std::unique_ptr<Observer> make_progress(const Log& log);

}  // namespace nystrom
