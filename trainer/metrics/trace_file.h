#pragma once
// A timeline of all ranks as one file in Chrome's trace event format (JSON), which ui.perfetto.dev and
// chrome://tracing open. A rank is a process, whose threads are: training (steps, phases, parts, ops, waits,
// nested), the loader, the checkpoint writer. Collectives are asynchronous events ("b" and "e"), since
// several are under way at once. Times are microseconds since the first event, on rank 0's clock.

#include <string>

#include "kernels/core/trace.h"
#include "trainer/comm/clock.h"
#include "trainer/comm/comm.h"

namespace nystrom {

/// A rank's events as JSON objects separated by commas. `clock` gives times on rank 0's clock, of which
/// `origin` is time 0. `name`: of the process.
[[nodiscard]] std::string trace_events(const Trace& trace, int rank, const std::string& name,
                                       const ClockLine& clock, std::int64_t origin);

/// Rank 0 gathers the ranks' events, one rank after the other, and publishes the file. Returns why it could
/// not be written, on rank 0, or an empty text. Collective.
[[nodiscard]] std::string write_trace(const std::string& path, const Trace& trace, const ClockLine& clock,
                                      Comm& comm);

}  // namespace nystrom
