#pragma once
// The one place where a failure is printed and becomes an exit status.

#include <exception>
#include <functional>

#include "trainer/comm/comm.h"

namespace nystrom {

/// Prints one sentence about `failure` to stderr and gives the exit status. What is wrong for all ranks (a
/// misspelled key) all of them find at once: rank 0 prints it, and the others wait a moment, to be ended
/// with it. Those still alive then are the ones that something is wrong with, and say so with their rank.
int report_failure(const std::exception_ptr& failure);

/// Runs work(comm) and gives its status. A failure of one rank among several is reported here and ends the
/// job; without others it is thrown on.
int with_comm(const CommOptions& options, const std::function<int(Comm&)>& work);

}  // namespace nystrom
