#pragma once
// Ranks of a test under mpirun, and the output of their failures.

#include <gtest/gtest.h>

#include <cstdio>

#include "trainer/comm/comm.h"

namespace nystrom::testing {

/// The ranks of the test; one where mpirun did not start it.
Comm& ranks();

/// Prints the failures of a rank whose other output is suppressed.
class FailurePrinter final : public ::testing::EmptyTestEventListener {
 public:
  explicit FailurePrinter(int rank) : rank_(rank) {}
  void OnTestPartResult(const ::testing::TestPartResult& result) override {
    if (result.failed())
      std::fprintf(stderr, "rank %d: %s:%d: %s\n", rank_, result.file_name(), result.line_number(),
                   result.message());
  }

 private:
  int rank_;
};

}  // namespace nystrom::testing
