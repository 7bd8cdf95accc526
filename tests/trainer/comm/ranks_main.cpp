// GoogleTest under mpirun: every rank runs every test, rank 0 reports, and a failure on any rank fails the
// job.

#include <gtest/gtest.h>

#include <array>
#include <cstdio>

#include "ranks.h"

namespace nystrom::testing {
namespace {
Comm* current = nullptr;
}
Comm& ranks() {
  return *current;
}
}  // namespace nystrom::testing

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  const auto comm = nystrom::make_comm({.timeout_seconds = 60});
  nystrom::testing::current = comm.get();
  if (comm->rank() != 0) {
    auto& listeners = ::testing::UnitTest::GetInstance()->listeners();
    listeners.Append(new nystrom::testing::FailurePrinter(comm->rank()));
    delete listeners.Release(listeners.default_result_printer());
  }
  std::array failed{RUN_ALL_TESTS() == 0 ? 0.0 : 1.0};
  comm->all_reduce(failed, "the tests' result");
  return failed[0] == 0 ? 0 : 1;
}
