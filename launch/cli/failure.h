#pragma once
// Failure reports: the one place where an exception is printed and becomes an exit status.

#include <exception>
#include <functional>

#include "trainer/comm/comm.h"

namespace nystrom {

/// Prints one sentence about `failure` to stderr and returns the exit status. An error of all ranks, such as
/// a misspelled key, is printed by rank 0: the others wait a moment and are usually ended with it. A rank
/// that still runs then has an error of its own, and prints it with its rank.
int report_failure(const std::exception_ptr& failure);

/// Runs work(comm) and returns its status. With several ranks, a failure is reported here and ends the job;
/// with one, the exception propagates.
int with_comm(const CommOptions& options, const std::function<int(Comm&)>& work);

}  // namespace nystrom
