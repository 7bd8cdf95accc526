#pragma once
// Failure reports: the one place where an exception is printed and becomes an exit status.

#include <exception>
#include <functional>
#include <string>

#include "trainer/comm/comm.h"

namespace nystrom {

/// Writing to a pipe without a reader or beyond the limit of a file's size (`ulimit -f`) is an error of that
/// write, not the end of the process. For the start of the program.
void survive_failed_writes();

/// Prints one sentence about `failure` to stderr and returns the exit status. An error of all ranks, such as
/// a misspelled key, is printed by rank 0: the others wait a moment and are usually ended with it. A rank
/// that still runs then has its own error, and prints it with its rank. Where the reader of a pipe is
/// gone (std::system_error of EPIPE: `predict | head`) the process ends in silence, by SIGPIPE.
int report_failure(const std::exception_ptr& failure);

/// Runs work(comm) and returns its status. With several ranks, a failure is reported here and ends the job;
/// with one, the exception propagates.
int with_comm(const CommOptions& options, const std::function<int(Comm&)>& work);

}  // namespace nystrom
