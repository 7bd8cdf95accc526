#pragma once
// Counts the calls of operator new in this test program, whoever is linked to it.

#include <cstdint>
#include <string>

namespace nystrom {

/// Counts from its construction on, in all threads. One at a time.
class AllocationCount {
 public:
  AllocationCount();
  ~AllocationCount();
  AllocationCount(const AllocationCount&) = delete;
  AllocationCount& operator=(const AllocationCount&) = delete;

  /// Allocations by any code but that of the library for matrix products.
  [[nodiscard]] std::int64_t here() const;
  /// The addresses that the first of them came from, for addr2line.
  [[nodiscard]] std::string where() const;
};

}  // namespace nystrom
