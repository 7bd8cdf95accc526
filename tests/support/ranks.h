#pragma once
// Ranks of a test under mpirun, and the output of their failures.

#include <gtest/gtest.h>

#include <cstdio>
#include <string>

#include "temporary_folder.h"
#include "trainer/comm/comm.h"

namespace nystrom::testing {

/// The ranks of the test; one where mpirun did not start it.
Comm& ranks();

/// A temporary folder that rank 0 makes for all; removed when all have done with it.
struct FolderOfRanks {
  FolderOfRanks() : path(ranks().broadcast_text(own.path(), 0, "a test")) {}
  ~FolderOfRanks() { ranks().barrier("a test"); }
  TemporaryFolder own;
  std::string path;
};

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
