#pragma once
// Comparison of the ranks' clocks, for a common timeline.

#include <cstdint>

#include "trainer/comm/comm.h"

namespace nystrom {

/// What a rank's steady clock differs by from rank 0's, in nanoseconds.
struct ClockOffset {
  std::int64_t at = 0;      ///< on this rank's clock, when it was measured
  std::int64_t offset = 0;  ///< to be added to this rank's times
  std::int64_t error = 0;   ///< at most: half of the way there and back
};

/// Every rank asks rank 0 for its time, 64 times; the quickest answer counts, as if it had been given halfway
/// (Cristian, Distributed Computing 3, 1989). Collective.
[[nodiscard]] ClockOffset measure_clock(Comm& comm);

/// The times of a rank on rank 0's clock: a straight line through two measurements.
class ClockLine {
 public:
  ClockLine(const ClockOffset& first, const ClockOffset& last) : first_(first), last_(last) {}
  [[nodiscard]] std::int64_t operator()(std::int64_t time) const {
    const std::int64_t between = last_.at - first_.at;
    if (between <= 0) return time + first_.offset;
    const double share = static_cast<double>(time - first_.at) / static_cast<double>(between);
    return time + first_.offset +
           static_cast<std::int64_t>(share * static_cast<double>(last_.offset - first_.offset));
  }
  [[nodiscard]] std::int64_t error() const { return first_.error > last_.error ? first_.error : last_.error; }

 private:
  ClockOffset first_, last_;
};

}  // namespace nystrom
