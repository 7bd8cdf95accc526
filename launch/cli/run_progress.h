#pragma once

#include <memory>

#include "launch/cli/log.h"
#include "trainer/metrics/observer.h"

namespace nystrom {

/// A bar for somebody who watches, lines for a file. `log` must outlive it.
[[nodiscard]] std::unique_ptr<Observer> make_progress(const Log& log);

}  // namespace nystrom
